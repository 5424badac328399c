"""A few downloads without an agent: workers in memory, by the pool's rules, files by the same engine.

The rules themselves are shared (`agent/retry`): which failure is tried again and when, and which host is
left alone. A queue in memory instead of a store, because a transaction costs more than a small file.

    added → ready (by host, in turn) → running → completed | failed
                  ↑                       │
                  └── its time has come ── waiting
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from trayagent.agent.records import Record, SettledRecords
from trayagent.agent.requests import request_of, target_of
from trayagent.agent.retry import CoolHosts, decide
from trayagent.cli.leftovers import HERE, Leftovers
from trayagent.model.admit import admit
from trayagent.model.download import Download, ErrorInfo, Item, State, Via
from trayagent.model.errors import BLOCKED, DownloadError, TrayagentError
from trayagent.model.order import Job, New
from trayagent.model.times import stamp
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.net.address_policy import is_offline


class Fetcher(Protocol):
    """What turns an address into a file."""

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress, /
    ) -> Fetched: ...

    async def owners(self) -> set[str]:
        """Whose files have arrived without anybody noting it."""

    async def settled(self, target: Target, /) -> Fetched | None:
        """The finished file that a kill kept from being told of; None: there is none."""

    async def forget(self, fetches: Sequence[tuple[Path, str]], /) -> None:
        """Remove the records of files (final path, owner) that are known to be here."""


class Watcher(Protocol):
    """Who is told how it goes."""

    period: float | None
    """Seconds between two looks at what runs; None: nobody looks."""

    def show(self, download: Download) -> None:
        """The download as it is now: active, waiting (queued), completed or failed."""

    def moved(self, id: str, received: int, size: int | None) -> None:
        """So many bytes of it are here."""

    def refused(self, url: str, code: str, message: str) -> None:
        """It cannot be fetched at all, and why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How much at a time, and how often."""

    folder: Path
    workers: int
    per_host: int
    retries: int


@dataclass(slots=True)
class _Running:
    """What was shown of a download at work."""

    download: Download
    progress: Progress


class Errand:
    """Fetches what is added and says how each ended; `run` it once."""

    def __init__(self, terms: Terms, watcher: Watcher) -> None:
        self._terms = terms
        self._watcher = watcher
        self._leftovers = Leftovers(terms.folder)
        self._cool = CoolHosts()
        self._ready: dict[str, deque[Job]] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._running: dict[str, _Running] = {}
        self._busy: Counter[str] = Counter()
        self._known: set[str] = set()
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self._unnoted: list[Record] = []
        """Files that the journal did not take: their records stay until the end."""
        self.ended: dict[str, Download] = {}

    async def add(
        self, items: Iterable[Item], *, via: Via = "cli", title: str | None = None
    ) -> None:
        """Fetch these too; each address once."""
        del via, title
        for item in items:
            try:
                self.enter(admit(item))
            except TrayagentError as error:
                self._watcher.refused(item.url, error.code, error.message)

    def enter(self, new: New) -> None:
        """Fetch what was checked already."""
        if new.key in self._known:
            return
        self._known.add(new.key)
        job = job_of(len(self._known), new)
        finished = self._leftovers.finished(job.id)
        if finished is not None:
            self._end(_completed(_begun(job), finished, 0))
            return
        self._ready.setdefault(job.host, deque()).append(job)
        self._news.set()

    async def run(self, fetcher: Fetcher) -> None:
        """Return when all have ended; a cancellation keeps every `.part`, and tells the next run what is here.

        One that comes after the last file is none: nothing is left to be told, so nobody may think so.
        """
        self._fetcher = fetcher
        self._records = SettledRecords(self._keep)
        await self._find_settled()
        try:
            await self._work_off()
        except asyncio.CancelledError:
            if not self._over:
                raise
        if self._unnoted:
            await self._forget(self._unnoted)
        self._leftovers.clear()

    async def _work_off(self) -> None:
        async with asyncio.TaskGroup() as around:
            services = [around.create_task(self._records.run(), name="records")]
            if self._watcher.period is not None:
                services.append(around.create_task(self._look(self._watcher.period), name="look"))
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(min(self._terms.workers, max(1, len(self._known)))):
                        group.create_task(self._work(), name=f"worker {number + 1}")
                self._over = True
            finally:
                if self._timer is not None:
                    self._timer.cancel()
                for service in services:
                    service.cancel()

    def __repr__(self) -> str:
        ready = sum(map(len, self._ready.values()))
        return (
            f"<Errand: {ready} ready, {len(self._waiting)} waiting, {self._busy.total()} active,"
            f" {len(self.ended)} ended>"
        )

    # -- what an earlier run finished

    async def _find_settled(self) -> None:
        """Take files that have their names and records without asking anybody for them."""
        jobs = [job for queue in self._ready.values() for job in queue]
        owners = await self._fetcher.owners()
        for job in jobs:
            if job.owner in owners:
                target = target_of(job, self._terms.folder)
                fetched = await self._fetcher.settled(target)
                if fetched is not None:
                    self._ready[job.host].remove(job)
                    self._complete(job, _begun(job), replace(fetched, warning=HERE))
        self._ready = {host: queue for host, queue in self._ready.items() if queue}

    async def _keep(self, records: Sequence[Record]) -> None:
        """Note what is here for a next run, then remove the records; at the end nothing is noted."""
        done = [(f.owner, f.path, self.ended[f.owner].size or 0) for f in records]
        if self._over or await asyncio.to_thread(self._leftovers.note, done):
            await self._forget(records)
        else:
            self._unnoted += records

    async def _forget(self, records: Sequence[Record]) -> None:
        await self._fetcher.forget([(record.path, record.owner) for record in records])

    # -- workers

    async def _work(self) -> None:
        while self._ready or self._waiting or self._busy.total():
            job = self._next()
            if job is None:
                self._news.clear()
                await self._news.wait()
                continue
            self._busy[job.host] += 1
            try:
                await self._fetch(job)
            finally:
                self._busy[job.host] -= 1
                self._news.set()

    def _next(self) -> Job | None:
        """The next one whose host has room and may be asked. Hosts take turns: who is served goes to the end."""
        now = time.time()
        while self._waiting and self._waiting[0][0] <= now:
            job = heapq.heappop(self._waiting)[2]
            self._ready.setdefault(job.host, deque()).appendleft(job)
        cool = self._cool.current(now)
        for host in list(self._ready):
            if self._busy[host] < self._terms.per_host and host not in cool:
                queue = self._ready.pop(host)
                job = queue.popleft()
                if queue:
                    self._ready[host] = queue
                return job
        self._arm([*cool.values(), *(due for due, *_ in self._waiting[:1])], now)
        return None

    def _arm(self, dates: Sequence[float], now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if dates:
            seconds = max(0.0, min(dates) - now)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._news.set)

    async def _fetch(self, job: Job) -> None:
        running = _Running(_begun(job), Progress())
        running.progress.path = Path(job.path) if job.path else None
        self._running[job.id] = running
        self._watcher.show(running.download)
        try:
            fetched = await self._fetched(job, running.progress)
        except DownloadError as error:
            self._failed(job, _seen(running), error)
        else:
            self._complete(job, running.download, fetched)
        finally:
            del self._running[job.id]

    async def _fetched(self, job: Job, progress: Progress) -> Fetched:
        """The file. Raises DownloadError, for faults of ours, too: those are of this download alone."""
        try:
            target = target_of(job, self._terms.folder)
            return await self._fetcher.fetch(job, request_of(job), target, progress)
        except DownloadError:
            raise
        except Exception as error:
            # Its words may hold an address with a secret in it; its kind does not.
            raise DownloadError("internal", type(error).__name__) from error

    def _complete(self, job: Job, download: Download, fetched: Fetched) -> None:
        self._end(_completed(download, fetched, job.attempts + 1))
        self._records.add(Record(job.n, fetched.path, job.owner))

    def _failed(self, job: Job, download: Download, error: DownloadError) -> None:
        offline = error.code == "network" and is_offline(job.host)
        again = decide(error, job.attempts, self._terms.retries, random.random(), offline=offline)
        now = time.time()
        self._cool.note(job.host, error, again, now)
        if again is None or error.code in BLOCKED:
            return self._end(_failed(download, error, job.attempts + 1))
        job = replace(job, path=download.path, attempts=job.attempts + again.counts)
        heapq.heappush(self._waiting, (now + again.seconds, job.n, job))
        return self._watcher.show(_waiting(download, error, again.seconds))

    def _end(self, download: Download) -> None:
        self.ended[download.id] = download
        self._watcher.show(download)

    async def _look(self, period: float) -> None:
        """Tell of names and bytes until cancelled."""
        while True:
            await asyncio.sleep(period)
            for id, running in self._running.items():
                seen = _seen(running)
                if seen.path != running.download.path:
                    self._watcher.show(seen)
                self._watcher.moved(id, seen.received, seen.size)
                running.download = seen


def _seen(running: _Running) -> Download:
    progress = running.progress
    seen = replace(running.download, received=progress.received, size=progress.size)
    if progress.path is None:
        return seen
    return replace(seen, path=str(progress.path), filename=progress.path.name)


def job_of(number: int, new: New) -> Job:
    """The item as workers take it.

    Its id follows from its address, so that the same command goes on where an earlier run stopped.
    """
    id = f"g{sha256(new.key.encode()).hexdigest()[:12]}"
    return Job(
        n=number,
        id=id,
        key=new.key,
        url=new.url,
        host=new.host,
        order=new.order,
        path=None,
        attempts=0,
        via="cli",
        source=None,
        secrets=new.secrets,
        owner=id,
    )


def _begun(job: Job) -> Download:
    now = stamp(time.time()) or ""
    return Download(id=job.id, url=job.url, state=State.ACTIVE, via="cli", created_at=now)


def _waiting(download: Download, error: DownloadError, seconds: float) -> Download:
    info = ErrorInfo(error.code, error.message, error.action)
    later = stamp(time.time() + seconds)
    return replace(download, state=State.QUEUED, error=info, not_before=later)


def _failed(download: Download, error: DownloadError, attempts: int) -> Download:
    # Nobody waits here until there is room again, as the agent does.
    action = "Free some space and try again." if error.code == "disk_full" else error.action
    info = ErrorInfo(error.code, error.message, action)
    return replace(download, state=State.FAILED, error=info, attempts=attempts)


def _completed(download: Download, fetched: Fetched, attempts: int) -> Download:
    return replace(
        download,
        state=State.COMPLETED,
        filename=fetched.path.name,
        path=str(fetched.path),
        size=fetched.size,
        received=fetched.size,
        sha256=fetched.sha256,
        warning=fetched.warning,
        attempts=attempts,
    )
