"""The live status: counts of the queue and what moves now, folded from events (`model/status`)."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from trayagent.agent.bus import Bus
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import Event
from trayagent.model.status import Board, Status, fold
from trayagent.store import downloads
from trayagent.store.database import Database

RECOUNT_SECONDS: Final = 5.0
"""Between two attempts to count while the store cannot."""


class LiveStatus:
    """Starts from the store's counts; from then on events are enough, with one exception.

    A write may come through after its caller was told that the store is away: nobody publishes that,
    so the rows are counted again.
    """

    def __init__(self, bus: Bus, start: Status) -> None:
        self.board = Board(start)
        self._subscription = bus.subscribe(self._hear)
        self._is_recount_due = asyncio.Event()

    def recount_soon(self) -> None:
        """Count the rows again: one changed without an event."""
        self._is_recount_due.set()

    async def run(self, db: Database) -> None:
        """Count again whenever it is due, until cancelled."""
        while True:
            await self._is_recount_due.wait()
            self._is_recount_due.clear()
            try:
                counts = await db.run(downloads.counts)
            except StoreUnavailableError:
                # Still away: what is shown is old for a while longer, and then counted.
                await asyncio.sleep(RECOUNT_SECONDS)
                self._is_recount_due.set()
                continue
            # Only the counts: a pause or a number of workers was not doubted.
            status = msgspec.structs.replace(
                self.board.status,
                **{
                    state: counts.get(state, 0)
                    for state in ("queued", "active", "completed", "failed")
                },
            )
            self.board = msgspec.structs.replace(self.board, status=status)

    @property
    def status(self) -> Status:
        """The counts, as API, tray and command line show them."""
        return self.board.status

    def set_workers(self, workers: int) -> None:
        """Show another number of workers."""
        status = msgspec.structs.replace(self.board.status, workers=workers)
        self.board = msgspec.structs.replace(self.board, status=status)

    def _hear(self, event: Event) -> None:
        self.board = fold(self.board, event)

    def close(self) -> None:
        """Stop listening."""
        self._subscription.close()
