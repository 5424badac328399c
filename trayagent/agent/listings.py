"""Lists as the dashboard scrolls through them: an order is read once and shown a window at a time."""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.queries import Queries
from trayagent.model.downloads import Download
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadProgress, Event
from trayagent.store import downloads, folding, listing
from trayagent.store.database import Database, seconds_to_wait
from trayagent.store.folding import BatchHead, ByHand, Folded
from trayagent.store.listing import Chosen, Sort

KEPT_ORDERS: Final = 8
"""Orders in memory; one of 100,000 rows takes 0.8 MB."""
KEPT_HEADS: Final = 1000
"""Heads of batches in memory: counting the entries of a large one takes a while."""
FRESH_SECONDS: Final = 0.3
"""An order is not read again sooner."""
SHARE: Final = 5
"""Reading orders takes at most one part in so many of the time, however many rows there are."""


class Wanted(Struct, frozen=True):
    """A list as somebody looks at it."""

    chosen: Chosen
    sort: Sort = "queue"
    down: bool = False
    folds: ByHand | None = None
    """How its batches are folded; None: it has no heads."""


class Window(Struct, frozen=True):
    """A part of a list."""

    downloads: list[Download]
    total: int
    again: float | None
    """Seconds after which to ask again, since something has changed; None: this is how it stands."""
    heads: Sequence[BatchHead] = ()
    """The heads among these rows, and the one before them whose rows they are."""
    count: int = 0
    """Downloads of the list, also those under closed heads."""


class _Order(Struct, frozen=True):
    folded: Folded
    change: int
    """How many changes there had been when it was read."""
    read_at: float
    cost: float
    """Seconds that reading took."""


class _KeptHead(Struct, frozen=True):
    row: BatchHead
    change: int
    due: float
    """When it may be read again."""


class _Reading(Struct, frozen=True):
    folded: asyncio.Future[Folded]
    change: int
    began: float


class Listings:
    """Keeps the orders that were asked for last. A change makes them old, and an old one is read again, but
    not all the time: with very many rows a list follows more slowly, and says so.
    """

    def __init__(self, db: Database, bus: Bus, queries: Queries) -> None:
        self._db = db
        self._queries = queries
        self._orders: OrderedDict[Wanted, _Order] = OrderedDict()
        self._heads: OrderedDict[int, _KeptHead] = OrderedDict()
        self._readings: dict[Wanted, _Reading] = {}
        self._changes = 0
        bus.subscribe(self._hear)

    async def window(self, wanted: Wanted, offset: int, limit: int) -> Window:
        """The downloads from `offset` on. Raises NotFoundError for a batch that cannot be one."""
        order = await self._order(wanted)
        numbers = order.folded.numbers[offset : offset + limit]
        wanted_rows = [n for n in numbers if n > 0]
        rows = await self._db.read(listing.rows, wanted_rows) if wanted_rows else []
        found = [self._queries.live(download) for download in rows]
        heads = await self._heads_of(order.folded, offset, offset + len(numbers))
        # Old is the order, or what one of the heads says: counting a large batch takes a while, too.
        due = [order.read_at + _rest(order.cost)] if order.change != self._changes else []
        due += [kept.due for kept in heads if kept.change != self._changes]
        # Never at once: a page that asks again and again would keep the database busy.
        again = max(0.05, max(due) - time.monotonic()) if due else None
        total, count = len(order.folded.numbers), order.folded.downloads
        return Window(found, total, again, [kept.row for kept in heads], count)

    async def _heads_of(self, folded: Folded, first: int, end: int) -> list[_KeptHead]:
        places = [head.at for head in folded.heads]
        begin = bisect_right(places, first) - 1
        # The head before the first row counts only while that row is its own.
        if begin < 0 or folded.heads[begin].at + folded.heads[begin].shown < first:
            begin += 1
        wanted = folded.heads[begin : bisect_left(places, end)]
        began, change = time.monotonic(), self._changes
        kept = {head.batch: self._heads[head.batch] for head in wanted if head.batch in self._heads}
        old = [
            head
            for head in wanted
            if head.batch not in kept
            or (kept[head.batch].change != self._changes and began >= kept[head.batch].due)
        ]
        rows = await self._db.read(folding.head_rows, old) if old else []
        now = time.monotonic()
        for row, head in zip(rows, old, strict=True):
            due = now + _rest((now - began) / len(old))
            kept[head.batch] = self._heads[head.batch] = _KeptHead(row, change, due)
            self._heads.move_to_end(head.batch)
        while len(self._heads) > KEPT_HEADS:
            self._heads.popitem(last=False)
        # The same batch stands elsewhere, and has other rows, in another list.
        return [
            _KeptHead(
                replace(kept[head.batch].row, at=head.at, rows=head.rows, shown=head.shown),
                kept[head.batch].change,
                kept[head.batch].due,
            )
            for head in wanted
        ]

    async def numbers(self, wanted: Wanted) -> array[int]:
        """The numbers of all rows of a list, in order."""
        return (await self._order(wanted)).folded.numbers

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
            or began - known.read_at < _rest(known.cost)
        )
        if known is not None and is_current:
            self._orders.move_to_end(wanted)
            return known
        # A request gives up after seconds, and a list of a million rows may take longer on a busy
        # machine. The reading goes on, so that the next request finds what it brought; who asks for
        # the same list meanwhile waits for the same reading.
        reading = self._readings.get(wanted) or self._begin_reading(wanted)
        await asyncio.wait([reading.folded], timeout=seconds_to_wait())
        if not reading.folded.done():
            raise StoreUnavailableError("The list is still being put in order.")
        return self._keep(wanted, reading)

    def _begin_reading(self, wanted: Wanted) -> _Reading:
        # Seconds left change with every look, and are in no row: the store orders by these.
        left = {
            downloads.number(id): (one.size - one.received) / one.speed
            for id, one in self._queries.running().items()
            if one.size and one.speed
        }
        folded = self._db.begin_read(
            folding.in_order,
            wanted.chosen,
            wanted.sort,
            down=wanted.down,
            left=left,
            by_hand=wanted.folds,
        )
        # The changes until now: what changes while the rows are read makes this order old already.
        reading = self._readings[wanted] = _Reading(folded, self._changes, time.monotonic())
        folded.add_done_callback(partial(self._end_reading, wanted))
        return reading

    def _end_reading(self, wanted: Wanted, folded: asyncio.Future[Folded]) -> None:
        reading = self._readings.pop(wanted)
        # Whoever asked may have given up: an error is looked at here, and means that there is no order.
        if not folded.cancelled() and folded.exception() is None:
            self._keep(wanted, reading)

    def _keep(self, wanted: Wanted, reading: _Reading) -> _Order:
        """The order that a reading brought, as the newest of those that are kept. Raises what it raised."""
        now = time.monotonic()
        order = _Order(reading.folded.result(), reading.change, now, now - reading.began)
        self._orders[wanted] = order
        self._orders.move_to_end(wanted)
        while len(self._orders) > KEPT_ORDERS:
            self._orders.popitem(last=False)
        return order

    def _hear(self, event: Event) -> None:
        if not isinstance(event, DownloadProgress):
            self._changes += 1

    def __repr__(self) -> str:
        return f"<Listings with {len(self._orders)} orders>"


def _rest(cost: float) -> float:
    return max(FRESH_SECONDS, SHARE * cost)
