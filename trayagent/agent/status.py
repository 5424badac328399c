"""Keeps the board: the status of the agent, folded from events."""

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
    """Starts from the store's counts; from then on events are enough.

    But for what the store saved after whoever asked for it had been told no: nobody tells of that, so
    the rows are counted again.
    """

    def __init__(self, bus: Bus, start: Status) -> None:
        self.board = Board(start)
        self._place = bus.subscribe(self._hear)
        self._late = asyncio.Event()

    def recount_soon(self) -> None:
        """Something was saved that nobody tells of."""
        self._late.set()

    async def run(self, db: Database) -> None:
        """Count again whenever there is a doubt, until cancelled."""
        while True:
            await self._late.wait()
            self._late.clear()
            try:
                counts = await db.run(downloads.counts)
            except StoreUnavailableError:
                await asyncio.sleep(RECOUNT_SECONDS)
                self._late.set()
                continue
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
        """The status now."""
        return self.board.status

    def set_workers(self, workers: int) -> None:
        """There are so many workers from now on."""
        status = msgspec.structs.replace(self.board.status, workers=workers)
        self.board = msgspec.structs.replace(self.board, status=status)

    def _hear(self, event: Event) -> None:
        self.board = fold(self.board, event)

    def close(self) -> None:
        """Stop listening."""
        self._place.close()
