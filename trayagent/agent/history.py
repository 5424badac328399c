"""Keeps the history as short as `[history]` says: once an hour, in small steps that hold up nobody."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import Tally
from trayagent.model.settings import HistorySettings
from trayagent.model.units import parse_duration
from trayagent.store import trimming
from trayagent.store.database import Database

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 3600.0
"""Between two looks."""
FIRST_LOOK_SECONDS: Final = 60.0
"""After a start, which has other things to do."""
STEP_SECONDS: Final = 0.05
"""Between two transactions, so that the queue has the database most of the time."""


class History:
    """A service; everything is for the front loop. What it never forgets stands in `store/trimming`."""

    def __init__(self, db: Database, bus: Bus, settings: HistorySettings) -> None:
        self._db = db
        self._bus = bus
        self._settings = settings
        self._bell = asyncio.Event()

    def __repr__(self) -> str:
        return (
            f"<History: {self._settings.keep or 'any age'}, {self._settings.most or 'any number'}>"
        )

    def configure(self, settings: HistorySettings) -> None:
        """Take over settings; others than before count at once."""
        if settings != self._settings:
            self._settings = settings
            self._bell.set()

    async def run(self) -> None:
        """Trim now and then until cancelled."""
        wait = FIRST_LOOK_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._bell.wait()
            self._bell.clear()
            wait = LOOK_SECONDS
            try:
                await self.trim()
            except StoreUnavailableError as error:
                log.warning("The history is trimmed later: %s", error.message)

    async def trim(self) -> None:
        """Forget what is to go by now. Raises StoreUnavailableError."""
        settings = self._settings
        since = time.time() - parse_duration(settings.keep) if settings.keep else None
        # Once, for all steps: what ends meanwhile is newer than that, and waits for the next hour.
        before = await self._db.read(trimming.boundary, since, settings.most)
        if before is None:
            return
        after = trimming.BEGINNING
        while (step := await self._db.run(trimming.forget_downloads, before, after)) is not None:
            after = step.after
            # One tally a step: an event for each row would flood whoever listens.
            self._bus.publish(Tally(completed=-step.completed))
            await asyncio.sleep(STEP_SECONDS)
        # After their rows: a batch goes with the last of what it named.
        is_more = True
        while is_more:
            is_more = await self._db.run(trimming.forget_batches, before)
            await asyncio.sleep(STEP_SECONDS)
