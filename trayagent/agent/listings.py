"""Lists as the dashboard scrolls through them: an order is read once and shown a window at a time."""

from __future__ import annotations

import time
from array import array
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.agent.queries import Queries
from trayagent.model.downloads import Download
from trayagent.model.events import DownloadProgress, Event
from trayagent.store import downloads, listing
from trayagent.store.database import Database
from trayagent.store.listing import Chosen, Sort

KEPT_ORDERS: Final = 8
"""Orders in memory; one of 100,000 rows takes 0.8 MB."""
FRESH_SECONDS: Final = 0.3
"""An order is not read again sooner."""
SHARE: Final = 5
"""Reading orders takes at most one part in so many of the time, however many rows there are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A list as somebody looks at it."""

    chosen: Chosen
    sort: Sort = "queue"
    down: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list."""

    downloads: list[Download]
    total: int
    again: float | None
    """Seconds after which to ask again, since something has changed; None: this is how it stands."""


@dataclass(frozen=True, slots=True)
class _Order:
    numbers: array[int]
    change: int
    """How many changes there had been when it was read."""
    read_at: float
    cost: float
    """Seconds that reading took."""


class Listings:
    """Keeps the orders that were asked for last. A change makes them old, and an old one is read again, but
    not all the time: with very many rows a list follows more slowly, and says so.
    """

    def __init__(self, db: Database, bus: Bus, queries: Queries) -> None:
        self._db = db
        self._queries = queries
        self._orders: OrderedDict[Wanted, _Order] = OrderedDict()
        self._changes = 0
        bus.subscribe(self._hear)

    async def window(self, wanted: Wanted, offset: int, limit: int) -> Window:
        """The downloads from `offset` on. Raises NotFoundError for a batch that cannot be one."""
        order = await self._order(wanted)
        numbers = order.numbers[offset : offset + limit]
        rows = await self._db.read(listing.rows, numbers) if numbers else []
        found = [self._queries.live(download) for download in rows]
        again = None
        if order.change != self._changes:
            # Never at once: a page that asks again and again would keep the database busy.
            again = max(0.05, order.read_at + self._rest(order) - time.monotonic())
        return Window(found, len(order.numbers), again)

    async def numbers(self, wanted: Wanted) -> array[int]:
        """The numbers of all rows of a list, in order."""
        return (await self._order(wanted)).numbers

    async def tally(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many downloads there are in each state, and of each type."""
        states, types = await self._db.read(listing.tally)
        return dict(states), dict(types)

    async def _order(self, wanted: Wanted) -> _Order:
        known = self._orders.get(wanted)
        began = time.monotonic()
        # Progress counts as no change, else no order would ever be current; but it does change what is
        # left, so that order is good for a while only.
        is_current = known is not None and (
            (known.change == self._changes and wanted.sort != "left")
            or began - known.read_at < self._rest(known)
        )
        if known is not None and is_current:
            self._orders.move_to_end(wanted)
            return known
        # Noted before the rows are read: what changes meanwhile makes this order old already.
        change = self._changes
        numbers = await self._db.read(
            listing.numbers_in_order,
            wanted.chosen,
            wanted.sort,
            down=wanted.down,
            # Seconds left change with every look, and are in no row: the store orders by these.
            left={
                downloads.number(id): (one.size - one.received) / one.speed
                for id, one in self._queries.running().items()
                if one.size and one.speed
            },
        )
        now = time.monotonic()
        order = self._orders[wanted] = _Order(numbers, change, now, now - began)
        self._orders.move_to_end(wanted)
        while len(self._orders) > KEPT_ORDERS:
            self._orders.popitem(last=False)
        return order

    def _rest(self, order: _Order) -> float:
        return max(FRESH_SECONDS, SHARE * order.cost)

    def _hear(self, event: Event) -> None:
        if not isinstance(event, DownloadProgress):
            self._changes += 1

    def __repr__(self) -> str:
        return f"<Listings with {len(self._orders)} orders>"
