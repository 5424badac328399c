"""The syncs that run: one for each source, whoever asks and however often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from trayagent.agent.bus import Bus
from trayagent.agent.fetching import Fetching
from trayagent.agent.sync import Sync
from trayagent.model.library import SyncRun
from trayagent.sources.source import Source
from trayagent.store.database import Database


class Syncs:
    """Starts syncs as tasks of whoever runs them."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._bus = bus
        self._now = now
        self._sleep = sleep
        self._running: dict[str, Sync] = {}
        self._beginning: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._running)

    def shown(self, name: str) -> SyncRun | None:
        """How the sync of this source stands, if one runs."""
        sync = self._running.get(name)
        return sync.shown if sync else None

    async def start(
        self,
        tasks: asyncio.TaskGroup,
        source: Source,
        fetching: Fetching,
        *,
        list_only: bool,
        by_itself: bool,
    ) -> tuple[str, bool]:
        """Start one, unless it runs already; returns its run, and whether it did."""
        async with self._beginning.setdefault(source.name, asyncio.Lock()):
            running = self._running.get(source.name)
            if running is not None and not running.idle:
                if not list_only:
                    running.fetch_too()
                return running.run.shown.id, True
            if running is not None:
                running.leave()
            sync = Sync(
                self._db,
                self._bus,
                source,
                fetching,
                list_only=list_only,
                by_itself=by_itself,
                now=self._now,
                sleep=self._sleep,
            )
            await sync.begin()
            self._running[source.name] = sync
        tasks.create_task(self._work(source.name, sync), name=f"sync {source.name}")
        return sync.run.shown.id, False

    async def _work(self, name: str, sync: Sync) -> None:
        try:
            await sync.work()
        finally:
            if self._running.get(name) is sync:
                del self._running[name]
