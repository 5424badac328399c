"""One URL to one verified file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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
from trayagent.transfer.sidecar import SUFFIX, Sidecar
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

    async def fetch(self, request: Request, target: Target, progress: Any) -> Fetched:
        """Fetch one file and give it its name.

        Raises DownloadError; that and a cancellation keep the `.part` where it can be resumed.
        """
        return await Attempt(self._equipment, request, target, _told(progress)).run()

    async def publish(self, made: Content | Made, target: Target, progress: Any) -> Fetched:
        """Check bytes or a file that a resolver made, and give them their name. Raises DownloadError."""
        return await publish_made(self._equipment, made, target, _told(progress))

    async def settled(self, target: Target) -> Fetched | None:
        """The finished file that a kill kept from being told of; None: there is none."""
        del target
        return None

    async def owners(self, folder: Path) -> dict[str, Path]:
        """Whose records lie in a folder, and beside which file."""

        def look() -> dict[str, Path]:
            found: dict[str, Path] = {}
            for record in folder.glob(f"*{SUFFIX}"):
                final = record.with_name(record.name.removesuffix(SUFFIX))
                mark = Sidecar(final).read()
                if mark is not None:
                    found[mark.owner] = final
            return found

        return await in_executor(look)

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records of files (final path, owner) that are known to be finished."""

    def end_cooldown(self, host: str) -> None:
        """Ask this `host:port` again at once: a person wants it."""
        self._equipment.client.cooldown.clear(host)

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


class _Told:
    """What the steps of an attempt call, written down as plain numbers."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    async def reserved(self, path: Path, size: int | None) -> None:
        self._progress.path, self._progress.size = path, size

    def received(self, total: int, size: int | None) -> None:
        self._progress.received, self._progress.size = total, size


def _told(progress: Any) -> Any:
    return _Told(progress) if isinstance(progress, Progress) else progress
