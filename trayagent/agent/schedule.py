"""Syncs that come by themselves: sources with an `every` in the settings, when their last run is that old."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from trayagent.agent.roster import Roster
from trayagent.model import config, sizes
from trayagent.store import sync_runs
from trayagent.store.database import Database

log = logging.getLogger(__name__)

LOOK: Final = 60.0
"""Seconds between two looks whether a sync is due."""


class Schedule:
    """Calls `start` with the name of a source whose time has come. `run` must be running."""

    def __init__(
        self,
        db: Database,
        roster: Roster,
        start: Callable[[str], Awaitable[object]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._roster = roster
        self._start = start
        self._now = now
        self._every: dict[str, float] = {}
        self._bell = asyncio.Event()

    def configure(self, sources: Sequence[config.Source]) -> None:
        """Take over settings, and look at once."""
        self._every = {one.name: sizes.parse_duration(one.every) for one in sources if one.every}
        self._bell.set()

    async def run(self) -> None:
        """Start what is due until cancelled."""
        while True:
            self._bell.clear()
            await self._start_what_is_due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._bell.wait()

    async def _start_what_is_due(self) -> None:
        for name, seconds in self._every.items():
            try:
                await self._start_if_due(name, seconds)
            except Exception:  # a keyring may fail in any way; the other sources go on
                log.exception("The sync of %s could not be started", name)

    async def _start_if_due(self, name: str, seconds: float) -> None:
        ended = await self._db.read(sync_runs.last_activity, name)
        due = ended is None or self._now() - ended >= seconds
        source = self._roster.find(name)  # it may have left the settings meanwhile
        if due and source is not None and await source.has_secrets():
            await self._start(name)
