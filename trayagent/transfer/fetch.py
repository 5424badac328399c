"""One URL to one verified file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trayagent.model import sizes
from trayagent.model.config import Downloads
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.net.client import Client
from trayagent.transfer.attempt import Attempt
from trayagent.transfer.disk import explained
from trayagent.transfer.executor import in_executor
from trayagent.transfer.folders import Folders
from trayagent.transfer.made import publish_made
from trayagent.transfer.names import Names
from trayagent.transfer.part import remove
from trayagent.transfer.terms import Equipment, Terms
from trayagent.transfer.throttle import Bucket


class Transfer:
    """Turns requests into files, any number at a time; all of them share one speed limit."""

    def __init__(self, client: Client, downloads: Downloads | None = None) -> None:
        self._client = client
        self._names = Names()
        self._folders = Folders()
        self._everything = Bucket()
        self.configure(downloads or Downloads())

    def configure(self, downloads: Downloads) -> None:
        """Take over changed settings; running transfers keep all but the speed limit."""
        self._terms = Terms(
            segments=downloads.segments,
            max_size=sizes.parse_size(downloads.max_size),
            keep_free=sizes.parse_size(downloads.keep_free),
        )
        self._everything.rate = sizes.parse_size(downloads.speed_limit)

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        """Fetch one file and give it its name.

        Raises DownloadError; that and a cancellation keep the `.part` where it can be resumed.
        """
        equipment = self._equipment(self._buckets(target.speed_limit))
        return await Attempt(equipment, request, target, progress).run()

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        """Check bytes or a file that a resolver made, and give them their name. Raises DownloadError."""
        return await publish_made(self._equipment([]), made, target, progress)

    async def discard(self, path: Path) -> None:
        """Remove the `.part` of a final path, and its record. Raises DownloadError."""

        def act() -> None:
            with explained():
                remove(path)

        await in_executor(act)

    def throttle(self, speed_limit: int) -> Callable[[int], float]:
        """For bytes of a download that others receive: told of them, it says how many seconds to wait."""
        buckets = self._buckets(speed_limit)
        return lambda count: max(bucket.spend(count) for bucket in buckets)

    def _buckets(self, speed_limit: int) -> list[Bucket]:
        return [self._everything, *([Bucket(speed_limit)] if speed_limit else [])]

    def _equipment(self, buckets: list[Bucket]) -> Equipment:
        return Equipment(self._client, self._names, self._folders, self._terms, buckets)

    def __repr__(self) -> str:
        return f"<Transfer {self._everything!r}, {self._names!r}>"
