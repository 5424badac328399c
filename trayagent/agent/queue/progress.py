"""How far the running downloads are: read from plain numbers, a few times a second, by one task.

The engine only writes numbers; nobody is called for each piece of a file, so that a fast download
costs the front loop nothing. A name is published as soon as it is seen, and kept in the row
only if the download lasts: most end sooner, and their outcome holds the name.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from msgspec import Struct
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

LOOK_SECONDS: Final = 0.25
"""Between two looks at the running downloads."""
NAME_KEPT_SECONDS: Final = 0.5
"""After which a running download has its name written into its row."""
NEW_SPEED_SHARE: Final = 0.4
"""What the last look counts in the speed that is shown: the rest smooths it."""


class _RunningDownload(Struct):
    """What was published last of one download."""

    n: int
    download: Download
    progress: Progress
    since: float
    """Monotonic seconds, as `looked_at`."""
    looked_at: float
    path_in_row: str | None
    speed: float = 0.0


class ProgressReader:
    """Publishes names, bytes and speeds; rests while nothing runs."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bus = bus
        self._running: dict[str, _RunningDownload] = {}
        self._bell = asyncio.Event()

    def follow(self, job: Job, download: Download, progress: Progress) -> None:
        """Begin to look at a job, and at the numbers that its transfer writes."""
        now = time.monotonic()
        self._running[job.id] = _RunningDownload(job.n, download, progress, now, now, job.path)
        self._bell.set()

    def leave(self, id: str) -> None:
        """Look at a download no longer."""
        self._running.pop(id, None)

    async def run(self) -> None:
        """Read until cancelled; sleeps while nothing runs."""
        keeping: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await self._bell.wait()
                self._bell.clear()
                while self._running:
                    # A pause, not a timer: a loop that was held up looks once, not many times.
                    await asyncio.sleep(LOOK_SECONDS)
                    now = time.monotonic()
                    for running in list(self._running.values()):
                        self._look(running, now)
                    unkept = [
                        running
                        for running in self._running.values()
                        if running.download.path != running.path_in_row
                        and now - running.since >= NAME_KEPT_SECONDS
                    ]
                    # A database that is stuck holds up the names, never the numbers.
                    if unkept and (keeping is None or keeping.done()):
                        keeping = group.create_task(self._keep_names(unkept), name="names")

    def _look(self, running: _RunningDownload, now: float) -> None:
        progress, before = running.progress, running.download
        path = None if progress.path is None else str(progress.path)
        received, size = progress.received, progress.size
        # A file that began anew has fewer bytes than before: no negative speed.
        rate = max(0, received - before.received) / max(now - running.looked_at, 0.001)
        # Smoothed: a number that jumps with every look cannot be read.
        running.speed = (
            rate
            if not running.speed
            else (1 - NEW_SPEED_SHARE) * running.speed + NEW_SPEED_SHARE * rate
        )
        running.looked_at = now
        # No event where nothing moved: a stalled download costs nobody a redraw.
        speed = round(running.speed)
        running.download = replace(before, received=received, size=size, speed=speed)
        if path is not None and path != before.path:
            running.download = replace(running.download, path=path, filename=Path(path).name)
            self._bus.publish(DownloadEvent("named", running.download, State.ACTIVE))
        if (received, speed) != (before.received, before.speed):
            self._bus.publish(DownloadProgress(before.id, received, size, speed))

    async def _keep_names(self, unkept: list[_RunningDownload]) -> None:
        named = [(one.n, one.download.path or "", one.download.size) for one in unkept]
        try:
            await self._db.run(transitions.keep_names, named)
        except StoreUnavailableError:
            return  # they are kept at the next look
        for running, (_, path, _) in zip(unkept, named, strict=True):
            running.path_in_row = path

    def __repr__(self) -> str:
        return f"<ProgressReader of {len(self._running)} downloads>"


def how_far(progress: Progress) -> Reached:
    """How far a transfer came, as its row keeps it."""
    path = None if progress.path is None else str(progress.path)
    return Reached(path, progress.size, progress.received)
