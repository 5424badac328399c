"""The door of this room: requests in, verified files out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from trayagent.model import units
from trayagent.model.settings import DownloadSettings
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.net.request import HttpClient
from trayagent.net.turns import Waker
from trayagent.transfer.attempt import Attempt
from trayagent.transfer.destination import Destination, discard, find_settled
from trayagent.transfer.driver import Driver, Results, StoppedError
from trayagent.transfer.equipment import Equipment
from trayagent.transfer.folders import Folders, Terms
from trayagent.transfer.made import publish_made
from trayagent.transfer.names import Names
from trayagent.transfer.settled import SettledFiles
from trayagent.transfer.speed_limit import Bucket, buckets_of

Asked = tuple[Request, Target, Progress]
"""What `fetch` takes for one file."""
T = TypeVar("T")
Begun = tuple[Coroutine[Any, None, T], Callable[[], None]]
"""What a driver drives, and what stops it."""


def _nothing() -> None:
    """This work takes no time worth stopping it."""


class Transfer:
    """Turns requests into files, any number at a time; all of them share one speed limit.

    Who drives them, and where they wait for a disk, is told in `driver`.
    """

    def __init__(
        self, client: HttpClient, settled: Path, downloads: DownloadSettings | None = None
    ) -> None:
        """`settled` is a folder of ours for records of what has arrived (see `settled.py`)."""
        self._settled = SettledFiles(settled)
        self._equipment = Equipment(client, Names(), Folders(), Terms(), Bucket(), self._settled)
        self._results: Results | None = None
        self.configure(downloads or DownloadSettings())

    def configure(self, downloads: DownloadSettings) -> None:
        """Take over changed settings; running transfers keep all but the speed limit."""
        terms = Terms(
            segments=downloads.segments,
            max_size=units.parse_size(downloads.max_size),
            keep_free=units.parse_size(downloads.keep_free),
        )
        self._equipment = replace(self._equipment, terms=terms)
        self.limit(units.parse_size(downloads.speed_limit))

    def limit(self, rate: int) -> None:
        """So many bytes a second for everything together from now on; 0 for no limit."""
        self._equipment.everything.rate = rate

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        """Fetch one file and give it its name.

        Raises DownloadError; that and a cancellation keep the `.part` where it can be resumed. A record
        says that the file has arrived until `forget` is told that somebody noted it.
        """

        def begin(driver: Driver[Fetched]) -> Begun[Fetched]:
            attempt = Attempt(self._equipment, request, target, progress, driver)
            return attempt.run(), attempt.stop

        return await self._drive(self._equipment.client.transport, begin)

    async def fetch_each(
        self, following: Callable[[], Asked | None], tell: Callable[[Fetched], None]
    ) -> None:
        """Fetch one file after the other, until one fails or there is none.

        Both calls come from the engine's thread: a hand-over to a loop and back costs more than a small
        file. Raises as `fetch` does, whatever stands for the file that `following` gave last.
        """

        def begin(driver: Driver[None]) -> Begun[None]:
            series = _Series(lambda: self._equipment, following, tell, driver)
            return series.run(), series.stop

        await self._drive(self._equipment.client.transport, begin)

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        """Check bytes or a file that a resolver made, and give them their name. Raises as `fetch` does."""
        equipment, stopped = self._equipment, threading.Event()
        keep_free = equipment.terms.keep_free
        destination = Destination(equipment.names, equipment.settled, target, progress, keep_free)

        def check_stopped() -> None:
            if stopped.is_set():
                raise StoppedError

        def act() -> Fetched:
            if isinstance(made, Content):
                equipment.terms.check(len(made.data))
            return publish_made(
                destination,
                made,
                target,
                lambda needed: equipment.folders.check(target.folder, needed, keep_free),
                check_stopped,
            )

        return await self._in_thread(act, stopped.set)

    async def find_settled(self, target: Target) -> Fetched | None:
        """The file that a download had finished when it was cut off, without a request. Raises DownloadError."""
        return await self._in_thread(lambda: find_settled(self._settled, target.owner))

    async def forget(self, fetched: Sequence[tuple[Path, str]]) -> None:
        """Whoever asked for these files (final name, owner) has noted them: their records may go."""
        await self._in_thread(lambda: self._settled.forget([owner for _, owner in fetched]))

    async def owners(self) -> set[str]:
        """Whose files have arrived without anybody noting it."""
        return await self._in_thread(self._settled.owners)

    def end_cooldown(self, host: str) -> None:
        """Ask this `host:port` again at once: a person wants it."""
        self._equipment.client.cooldown.clear(host)

    async def discard(self, path: Path, owner: str) -> None:
        """Remove the `.part` that this owner has at a final path, and its record. Raises DownloadError."""
        await self._in_thread(lambda: discard(path, owner))

    def throttle(self, speed_limit: int) -> Callable[[int], float]:
        """For bytes of a download that others receive: told of them, it says how many seconds to wait."""
        buckets = buckets_of(self._equipment.everything, speed_limit)
        return lambda count: max(bucket.spend(count) for bucket in buckets)

    async def in_thread(self, act: Callable[[], T]) -> T:
        """Do something that waits for a disk, and for nothing else, in a thread of its own."""
        return await self._in_thread(act)

    async def _in_thread(self, act: Callable[[], T], stop: Callable[[], None] = _nothing) -> T:
        """Do something that waits for a disk, and for nothing else, in a thread of its own."""

        async def work() -> T:
            return act()

        return await self._drive(None, lambda _: (work(), stop))

    async def _drive(self, engine: Waker | None, begin: Callable[[Driver[T]], Begun[T]]) -> T:
        loop = asyncio.get_running_loop()
        if self._results is None or self._results.loop is not loop:
            self._results = Results(loop)
        return await self._results.drive(engine, begin)

    def __repr__(self) -> str:
        return f"<Transfer {self._equipment.everything!r}, {self._equipment.names!r}>"


class _Series:
    """Attempts one after the other. Only `stop` is for threads but the one that drives `run`."""

    def __init__(
        self,
        equipment: Callable[[], Equipment],
        following: Callable[[], Asked | None],
        tell: Callable[[Fetched], None],
        driver: Driver[None],
    ) -> None:
        self._equipment = equipment
        self._following = following
        self._tell = tell
        self._driver = driver
        self._attempt: Attempt | None = None
        self._is_stopped = False

    async def run(self) -> None:
        """Fetch each. Raises what an attempt raises."""
        while (asked := self._following()) is not None:
            self._attempt = Attempt(self._equipment(), *asked, self._driver)
            # Stopped between two files: there was no attempt yet that could be told.
            if self._is_stopped:
                raise StoppedError
            self._tell(await self._attempt.run())

    def stop(self) -> None:
        """End soon, keeping what can be resumed."""
        self._is_stopped = True
        if self._attempt is not None:
            self._attempt.stop()
