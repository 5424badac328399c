"""How far the running downloads are: read from plain numbers, a few times a second, by one task."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model.downloads import Download, State
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadEvent, DownloadProgress
from trayagent.model.jobs import Job
from trayagent.model.transfer import Progress
from trayagent.store import transitions
from trayagent.store.database import Database
from trayagent.store.transitions import Reached

PERIOD: Final = 0.25
"""Seconds between two looks at the running downloads."""
LASTING: Final = 0.5
"""Seconds after which a download has its name written down before it ends: most end sooner."""


@dataclass(slots=True)
class _Running:
    """What was told of one download."""

    n: int
    download: Download
    progress: Progress
    since: float
    looked: float
    kept: str | None
    """The path that its row has."""
    speed: float = 0.0


class ProgressReader:
    """Publishes names, bytes and speeds; rests while nothing runs."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self._running: dict[str, _Running] = {}
        self._bell = asyncio.Event()

    def follow(self, job: Job, download: Download) -> Progress:
        """The numbers for a transfer that begins, with what earlier attempts reached."""
        progress = Progress()
        progress.path = Path(job.path) if job.path else None
        progress.size, progress.received = download.size, download.received
        now = time.monotonic()
        self._running[job.id] = _Running(job.n, download, progress, now, now, job.path)
        self._bell.set()
        return progress

    def leave(self, id: str) -> None:
        """It runs no longer."""
        self._running.pop(id, None)

    async def run(self) -> None:
        """Read until cancelled."""
        keeping: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await self._bell.wait()
                self._bell.clear()
                while self._running:
                    await asyncio.sleep(PERIOD)
                    now = time.monotonic()
                    for running in list(self._running.values()):
                        self._look(running, now)
                    # A database that is stuck holds up the names, never the numbers.
                    if (keeping is None or keeping.done()) and (late := self._unkept(now)):
                        keeping = group.create_task(self._keep_names(late), name="names")

    def _look(self, running: _Running, now: float) -> None:
        progress, before = running.progress, running.download
        path = None if progress.path is None else str(progress.path)
        received, size = progress.received, progress.size
        rate = max(0, received - before.received) / max(now - running.looked, 0.001)
        running.speed = rate if not running.speed else 0.6 * running.speed + 0.4 * rate
        running.looked = now
        speed = round(running.speed)
        running.download = replace(before, received=received, size=size, speed=speed)
        if path is not None and path != before.path:
            running.download = replace(running.download, path=path, filename=Path(path).name)
            self._bus.publish(DownloadEvent("named", running.download, State.ACTIVE))
        if (received, speed) != (before.received, before.speed):
            self._bus.publish(DownloadProgress(before.id, received, size, speed))

    def _unkept(self, now: float) -> list[_Running]:
        return [
            running
            for running in self._running.values()
            if running.download.path != running.kept and now - running.since >= LASTING
        ]

    async def _keep_names(self, late: list[_Running]) -> None:
        named = [(one.n, one.download.path or "", one.download.size) for one in late]
        try:
            await self._db.run(transitions.keep_names, named)
        except StoreUnavailableError:
            return  # they are kept at the next look
        for running, (_, path, _) in zip(late, named, strict=True):
            running.kept = path

    def __repr__(self) -> str:
        return f"<ProgressReader of {len(self._running)} downloads>"


def reached(progress: Progress) -> Reached:
    """How far a transfer came, as its row keeps it."""
    path = None if progress.path is None else str(progress.path)
    return Reached(path, progress.size, progress.received)
