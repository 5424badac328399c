"""One URL to one verified file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

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
from trayagent.transfer.throttle import Bucket, buckets_of


class Transfer:
    """Turns requests into files, any number at a time; all of them share one speed limit."""

    def __init__(self, client: Client, downloads: Downloads | None = None) -> None:
        self._equipment = Equipment(client, Names(), Folders(), Terms(), Bucket())
        self.configure(downloads or Downloads())

    def configure(self, downloads: Downloads) -> None:
        """Take over changed settings; running transfers keep all but the speed limit."""
        terms = Terms(
            segments=downloads.segments,
            max_size=sizes.parse_size(downloads.max_size),
            keep_free=sizes.parse_size(downloads.keep_free),
        )
        self._equipment = replace(self._equipment, terms=terms)
        self._equipment.everything.rate = sizes.parse_size(downloads.speed_limit)

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        """Fetch one file and give it its name.

        Raises DownloadError; that and a cancellation keep the `.part` where it can be resumed.
        """
        return await Attempt(self._equipment, request, target, progress).run()

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        """Check bytes or a file that a resolver made, and give them their name. Raises DownloadError."""
        return await publish_made(self._equipment, made, target, progress)

    async def discard(self, path: Path, owner: str) -> None:
        """Remove the `.part` that this owner has at a final path, and its record. Raises DownloadError."""

        def act() -> None:
            with explained():
                remove(path, owner)

        await in_executor(act)

    def throttle(self, speed_limit: int) -> Callable[[int], float]:
        """For bytes of a download that others receive: told of them, it says how many seconds to wait."""
        buckets = buckets_of(self._equipment.everything, speed_limit)
        return lambda count: max(bucket.spend(count) for bucket in buckets)

    def __repr__(self) -> str:
        return f"<Transfer {self._equipment.everything!r}, {self._equipment.names!r}>"
