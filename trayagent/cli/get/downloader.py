"""A few downloads without an agent: workers in memory, by the pool's rules, files by the same engine.

The rules themselves are shared (`agent/retry`): which failure is tried again and when, and which host is
left alone. A queue in memory instead of a store, because a transaction costs more than a small file.

    added → ready (by host, in turn) → running → completed | failed
                  ↑                       │
                  └── its time has come ── waiting

A worker is a task of the loop with a thread of its files. Plain files follow each other in that
thread, which takes the next one itself and leaves word for the loop: a hand-over to the loop and back
costs more than a small file (measured: 0.42 of 0.93 ms of CPU). A failure, and what the page engine
has to look at, goes back to the task.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from msgspec.structs import replace

from trayagent.agent.queue.job import SettledRecord, SettledRecords, request_of, target_of
from trayagent.agent.queue.retry import CoolHosts, decide
from trayagent.agent.queue.video_pages import PageJob, is_for_engine, page_job_of
from trayagent.cli.get.journal import HERE, Leftovers
from trayagent.model.downloads import Download, ErrorInfo, Item, State, Via
from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.jobs import Job, New
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.model.units import stamp
from trayagent.model.validation import validate
from trayagent.net.address_policy import is_offline

TOGETHER: Final = 0.02
"""Seconds in which the words of the threads come together: waking the loop costs them much."""


class Fetcher(Protocol):
    """What turns an address into a file."""

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress, /
    ) -> Fetched: ...

    async def fetch_each(
        self, following: Callable[[], PageJob | None], tell: Callable[[Fetched], None], /
    ) -> None:
        """The plain file of each task that `following` gives, until one raises DownloadError or there is none.

        Both are called by another thread.
        """

    async def fetch_after(self, task: PageJob, failure: DownloadError, /) -> Fetched:
        """What `fetch_each` did not get, by other means."""

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


@dataclass(slots=True)
class _Slot:
    """What one worker is at."""

    job: Job | None = None
    """It counts as busy at its host."""
    task: PageJob | None = None
    """None: there is no job, or it came to nothing before anybody was asked."""
    is_begun: bool = False


class Errand:
    """Fetches what is added and says how each ended; `run` it once."""

    def __init__(self, terms: Terms, watcher: Watcher) -> None:
        self._terms = terms
        self._watcher = watcher
        self._leftovers = Leftovers(terms.folder)
        # Tasks and their threads take jobs: the lock is for these five.
        self._taking = threading.Lock()
        self._cool = CoolHosts()
        self._ready: dict[str, deque[Job]] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._busy: Counter[str] = Counter()
        self._known: set[str] = set()
        self._running: dict[str, _Running] = {}
        self._news = asyncio.Event()
        self._told: deque[Callable[[], None]] = deque()
        """What threads say."""
        self._is_heard = True
        self._some_told = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self._unnoted: list[SettledRecord] = []
        """Files that the journal did not take: their records stay until the end."""
        self.ended: dict[str, Download] = {}

    async def add(
        self, items: Iterable[Item], *, via: Via = "cli", title: str | None = None
    ) -> None:
        """Fetch these too; each address once."""
        del via, title
        for item in items:
            try:
                self.enter(validate(item))
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
        with self._taking:
            self._ready.setdefault(job.host, deque()).append(job)
        self._news.set()

    async def run(self, fetcher: Fetcher) -> None:
        """Return when all have ended; a cancellation keeps every `.part`, and tells the next run what is here.

        One that comes after the last file is none: nothing is left to be told, so nobody may think so.
        """
        self._fetcher = fetcher
        self._loop = asyncio.get_running_loop()
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
            services = [
                around.create_task(self._records.run(), name="records"),
                around.create_task(self._listen(), name="listen"),
            ]
            if self._watcher.period is not None:
                services.append(around.create_task(self._look(self._watcher.period), name="look"))
            try:
                async with asyncio.TaskGroup() as group:
                    for number in range(min(self._terms.workers, max(1, len(self._known)))):
                        group.create_task(self._work(), name=f"worker {number + 1}")
                self._over = True
            finally:
                self._hear()
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
                    self._complete(job, replace(fetched, warning=HERE))
        self._ready = {host: queue for host, queue in self._ready.items() if queue}

    async def _keep(self, records: Sequence[SettledRecord]) -> None:
        """Note what is here for a next run, then remove the records; at the end nothing is noted."""
        done = [(f.owner, f.path, self.ended[f.owner].size or 0) for f in records]
        if self._over or await asyncio.to_thread(self._leftovers.note, done):
            await self._forget(records)
        else:
            self._unnoted += records

    async def _forget(self, records: Sequence[SettledRecord]) -> None:
        await self._fetcher.forget([(record.path, record.owner) for record in records])

    # -- workers

    async def _work(self) -> None:
        slot = _Slot()
        while not self._is_over():
            if not self._take(slot):
                self._rest()
                await self._news.wait()
                continue
            try:
                await self._serve(slot)
            finally:
                self._free(slot)
                self._news.set()

    def _is_over(self) -> bool:
        with self._taking:
            return not (self._ready or self._waiting or self._busy.total())

    def _take(self, slot: _Slot) -> bool:
        """Give back what the slot had and take the next; for any thread. False: there is none for now."""
        with self._taking:
            if slot.job is not None:
                self._busy[slot.job.host] -= 1
            slot.job, slot.task, slot.is_begun = self._next(time.time()), None, False
            if slot.job is None:
                return False
            self._busy[slot.job.host] += 1
        return True

    def _free(self, slot: _Slot) -> None:
        with self._taking:
            if slot.job is not None:
                self._busy[slot.job.host] -= 1
                slot.job = None

    def _next(self, now: float) -> Job | None:
        """The next one whose host has room and may be asked. Hosts take turns: who is served goes to the end."""
        while self._waiting and self._waiting[0][0] <= now:
            job = heapq.heappop(self._waiting)[2]
            self._ready.setdefault(job.host, deque()).appendleft(job)
        cool = self._cool.current(now)
        for host in self._ready:
            if self._busy[host] < self._terms.per_host and host not in cool:
                queue = self._ready.pop(host)
                job = queue.popleft()
                if queue:
                    self._ready[host] = queue
                return job
        return None

    def _rest(self) -> None:
        """There is nothing to do for now: ring when there is."""
        self._news.clear()
        now = time.time()
        with self._taking:
            dates = [*self._cool.current(now).values(), *(due for due, *_ in self._waiting[:1])]
        self._arm(dates, now)

    def _arm(self, dates: Sequence[float], now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if dates:
            seconds = max(0.0, min(dates) - now)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._news.set)

    async def _serve(self, slot: _Slot) -> None:
        """Fetch what the slot has, and plain files after it; until one of them needs more than its thread."""
        try:
            fetched = await self._fetched(slot)
        except DownloadError as error:
            assert slot.job is not None
            self._hear()
            self._failed(slot.job, _seen(self._running.pop(slot.job.id)), error)
        else:
            self._hear()
            if slot.job is not None and fetched is not None:
                self._complete(slot.job, fetched)

    async def _fetched(self, slot: _Slot) -> Fetched | None:
        """The file of the last job, where its thread did not get it itself.

        Raises DownloadError, for faults of ours, too: those are of this download alone.
        """
        fetcher = self._fetcher
        try:
            try:
                await fetcher.fetch_each(
                    partial(self._following, slot), partial(self._tell_complete, slot)
                )
            except DownloadError as error:
                if slot.task is None:
                    raise
                return await fetcher.fetch_after(slot.task, error)
            if (task := slot.task) is None:
                return None
            return await fetcher.fetch(task.job, task.request, task.target, task.reporter)
        except DownloadError:
            raise
        except Exception as error:
            # Its words may hold an address with a secret in it; its kind does not.
            raise DownloadError("internal", type(error).__name__) from error

    # -- in the threads of the files

    def _following(self, slot: _Slot) -> PageJob | None:
        """The next plain file for this slot; None: there is none, or the task must see to it."""
        if slot.is_begun and not self._take(slot):
            return None
        job, progress = slot.job, Progress()
        assert job is not None
        slot.is_begun = True
        progress.path = Path(job.path) if job.path else None
        self._tell(partial(self._begin, job, progress))
        slot.task = page_job_of(job, request_of(job), target_of(job, self._terms.folder), progress)
        return None if is_for_engine(slot.task) else slot.task

    def _tell_complete(self, slot: _Slot, fetched: Fetched) -> None:
        assert slot.job is not None
        self._tell(partial(self._complete, slot.job, fetched))

    def _tell(self, act: Callable[[], None]) -> None:
        """Have something done on the loop, soon."""
        self._told.append(act)
        if self._is_heard:
            self._is_heard = False
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._some_told.set)

    # -- on the loop again

    async def _listen(self) -> None:
        """Do what the threads say until cancelled."""
        while True:
            await self._some_told.wait()
            await asyncio.sleep(TOGETHER)
            self._some_told.clear()
            self._is_heard = True
            self._hear()
            self._news.set()

    def _hear(self) -> None:
        while self._told:
            self._told.popleft()()

    def _begin(self, job: Job, progress: Progress) -> None:
        running = self._running[job.id] = _Running(_begun(job), progress)
        self._watcher.show(running.download)

    def _complete(self, job: Job, fetched: Fetched) -> None:
        running = self._running.pop(job.id, None)
        download = _begun(job) if running is None else running.download
        self._end(_completed(download, fetched, job.attempts + 1))
        self._records.add(SettledRecord(job.n, fetched.path, job.owner))

    def _failed(self, job: Job, download: Download, error: DownloadError) -> None:
        offline = error.code == "network" and is_offline(job.host)
        again = decide(error, job.attempts, self._terms.retries, random.random(), offline=offline)
        now = time.time()
        with self._taking:
            self._cool.note(job.host, error, again, now)
        if again is None or error.traits.blocks_folder:
            return self._end(_failed(download, error, job.attempts + 1))
        job = replace(job, path=download.path, attempts=job.attempts + again.counts)
        with self._taking:
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
