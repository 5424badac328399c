"""A few downloads without an agent: workers in memory, by the pool's rules, files by the same engine.

The rules themselves are shared (`model/retry`): which failure is tried again and when, and which
host is left alone. The queue is in memory, because a transaction costs more than a small file.

    added → ready (by host, in turn) → running → completed | failed
                  ↑                       │
                  └── its time has come ── waiting

A worker is a task of the loop. Plain files follow each other in the engine's thread, which takes the
next one itself and reports to the loop: a hand-over to the loop and back costs about as much as a small
file. A failure, and what the page engine has to look at, goes back to the task.
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
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from trayagent.agent.queue.job import SettledRecord, SettledRecords, request_of, target_of
from trayagent.agent.queue.video_pages import PageJob, is_for_engine, page_job_of
from trayagent.cli.get.journal import HERE, Journal
from trayagent.model.downloads import Download, ErrorInfo, Item, State, Via
from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.jobs import Job, New
from trayagent.model.retry import CoolHosts, next_try
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.model.units import stamp
from trayagent.model.validation import validate
from trayagent.net.address_policy import is_offline

REPORT_SECONDS: Final = 0.02
"""How long reports of the threads are gathered before the loop reads them: waking it is expensive."""


class FileEngine(Protocol):
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

    async def find_settled(self, target: Target, /) -> Fetched | None:
        """The finished file that a kill kept from being told of; None: there is none."""

    async def forget(self, fetches: Sequence[tuple[Path, str]], /) -> None:
        """Remove the records of files (final path, owner) that are known to be here."""


class ProgressListener(Protocol):
    """Who is told how it goes."""

    period: float | None
    """Seconds between two looks at what runs; None: nobody looks."""

    def show(self, download: Download) -> None:
        """The download as it is now: active, waiting (queued), completed or failed."""

    def show_progress(self, id: str, received: int, size: int | None) -> None:
        """So many bytes of it are here; `size` is None while nobody knows it."""

    def report_rejection(self, url: str, code: str, message: str) -> None:
        """It cannot be fetched at all, and why."""


class DownloaderSettings(Struct, frozen=True):
    """How much at a time, and how often."""

    folder: Path
    workers: int
    per_host: int
    retries: int


class _ShownDownload(Struct, eq=False):
    """What is shown of a download at work; the loop words it, for many at a time: that is quicker."""

    job: Job
    progress: Progress
    began: float  # Unix seconds
    shown: Download | None = None

    def download(self) -> Download:
        """As it was shown last."""
        if self.shown is None:
            job, at, state = self.job, stamp(self.began) or "", State.ACTIVE
            self.shown = Download(
                id=job.id, url=job.url, state=state, via="cli", created_at=at, started_at=at
            )
        return self.shown


class _WorkerSlot(Struct, eq=False):
    """What one worker is at."""

    job: Job | None = None
    """It counts as busy at its host."""
    task: PageJob | None = None
    """None: there is no job, or it came to nothing before anybody was asked."""
    running: _ShownDownload | None = None  # it has not begun


class Downloader:
    """Fetches what is added and says how each ended; `run` it once."""

    def __init__(self, settings: DownloaderSettings, listener: ProgressListener) -> None:
        self._settings = settings
        self._listener = listener
        self._journal = Journal(settings.folder)
        # Tasks and their threads take jobs. The lock guards the next four: which hosts are left alone,
        # the jobs of each host, those that wait for their time (a heap), and how many run of each host.
        self._lock = threading.Lock()
        self._cool = CoolHosts()
        self._ready: dict[str, deque[Job]] = {}
        self._waiting: list[tuple[float, int, Job]] = []
        self._busy: Counter[str] = Counter()
        # Everything below belongs to the loop alone.
        self._known: dict[str, str] = {}  # key -> id, in the order in which they were asked for
        self._running: dict[str, _ShownDownload] = {}
        self._may_take = asyncio.Event()
        # Threads append their reports here. Only the first since the loop read them wakes the loop.
        self._reports: deque[Callable[[], None]] = deque()
        self._reports_read = True
        self._has_reports = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._all_ended = False
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
                self._listener.report_rejection(item.url, error.code, error.message)
        self._may_take.set()

    def enter(self, new: New) -> None:
        """Fetch what was checked already."""
        if new.key in self._known:
            return
        job = job_of(len(self._known) + 1, new)
        self._known[new.key] = job.id
        finished = self._journal.finished_file(job.id)
        if finished is not None:
            running = _ShownDownload(job, Progress(), time.time())
            self._end(_completed_download(running.download(), finished, 0))
            return
        with self._lock:
            self._ready.setdefault(job.host, deque()).append(job)

    async def run(self, engine: FileEngine) -> None:
        """Return when all downloads have ended.

        A cancellation keeps every `.part`, and the journal tells the next run what is here. One after
        the last file is ignored: who reads "interrupted" would start it again for nothing.
        """
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._records = SettledRecords(self._note_files)
        await self._take_settled_files()
        try:
            async with asyncio.TaskGroup() as around:
                services = [
                    around.create_task(self._records.run(), name="records"),
                    around.create_task(self._follow_reports(), name="reports"),
                ]
                if (period := self._listener.period) is not None:
                    services.append(around.create_task(self._show_progress(period), name="bars"))
                try:
                    async with asyncio.TaskGroup() as group:
                        for number in range(min(self._settings.workers, max(1, len(self._known)))):
                            group.create_task(self._work(), name=f"worker {number + 1}")
                    self._all_ended = True
                finally:  # what the threads have finished counts, also when a person has interrupted the rest
                    self._read_reports()
                    if self._timer is not None:
                        self._timer.cancel()
                    for service in services:
                        service.cancel()
        except asyncio.CancelledError:
            if not self._all_ended:
                raise
        await self._remove_records(self._unnoted)
        self._journal.remove()

    def results(self) -> list[Download]:
        """What has ended, in the order of asking."""
        return [self.ended[id] for id in self._known.values() if id in self.ended]

    def __repr__(self) -> str:
        return f"<Downloader: {self._busy.total()} active, {len(self.ended)} ended>"

    # -- what an earlier run finished

    async def _take_settled_files(self) -> None:
        """Take files that have their names and records without asking anybody for them."""
        jobs = [job for queue in self._ready.values() for job in queue]
        # One look at the records for all jobs; a look for each would cost a list of a million its start.
        owners = await self._engine.owners()
        # What the journal knew has ended already. Its record would count for a later wish, too.
        known = [(Path(d.path), id) for id, d in self.ended.items() if id in owners and d.path]
        await self._engine.forget(known)
        for job in jobs:
            if job.owner in owners:
                target = target_of(job, self._settings.folder)
                fetched = await self._engine.find_settled(target)
                if fetched is not None:
                    self._ready[job.host].remove(job)
                    running = _ShownDownload(job, Progress(), time.time())
                    self._complete(running, replace(fetched, warning=HERE))
        self._ready = {host: queue for host, queue in self._ready.items() if queue}

    async def _note_files(self, records: Sequence[SettledRecord]) -> None:
        """Note what is here for a next run, then remove the records."""
        # In this order, also when all have ended: a kill leaves a file known twice, never to nobody.
        ended = [self.ended[record.owner] for record in records]
        done = [(each.id, each.path or "", each.size or 0) for each in ended]
        if await asyncio.to_thread(self._journal.note, done):
            await self._remove_records(records)
        else:
            self._unnoted += records

    async def _remove_records(self, records: Sequence[SettledRecord]) -> None:
        if records:
            await self._engine.forget([(record.path, record.owner) for record in records])

    # -- workers

    async def _work(self) -> None:
        # What wakes a worker that found nothing to take (`_may_take`):
        #   new work, from `enter`              reports of the threads: a host may have room again
        #   a job that another has ended        the timer, when a host or a job may be asked again
        # Each looks again by itself: an event that wakes too many costs nothing but a look.
        slot = _WorkerSlot()
        while True:
            with self._lock:
                if not (self._ready or self._waiting or self._busy.total()):
                    return
            if not self._take(slot):
                self._wake_when_due()
                await self._may_take.wait()
                continue
            try:
                # What the slot has, and plain files after it, until one needs more than its thread.
                try:
                    fetched = await self._fetch_files(slot)
                except DownloadError as error:
                    running = slot.running
                    assert running is not None
                    self._read_reports()
                    self._running.pop(running.job.id, None)
                    self._fail(running.job, _current_download(running), error)
                else:
                    self._read_reports()
                    if (running := slot.running) is not None and fetched is not None:
                        self._complete(running, fetched)
            finally:
                with self._lock:
                    if slot.job is not None:
                        self._busy[slot.job.host] -= 1
                        slot.job = None
                self._may_take.set()  # the others may end, too

    def _take(self, slot: _WorkerSlot) -> bool:
        """Give back what the slot had and take the next; for any thread. False: there is none for now."""
        with self._lock:
            if slot.job is not None:
                self._busy[slot.job.host] -= 1
            slot.job, slot.task, slot.running = self._next(time.monotonic()), None, None
            if slot.job is None:
                return False
            self._busy[slot.job.host] += 1
        return True

    def _next(self, now: float) -> Job | None:
        """The next one whose host has room and may be asked. Hosts take turns: who is served goes to the end."""
        while self._waiting and self._waiting[0][0] <= now:
            job = heapq.heappop(self._waiting)[2]
            self._ready.setdefault(job.host, deque()).appendleft(job)
        cool = self._cool.current(now)
        for host in self._ready:
            if self._busy[host] < self._settings.per_host and host not in cool:
                queue = self._ready.pop(host)
                job = queue.popleft()
                if queue:
                    self._ready[host] = queue
                return job
        return None

    def _wake_when_due(self) -> None:
        """Nothing can be taken now: set the event when a host or a waiting job may be asked again."""
        self._may_take.clear()
        now = time.monotonic()
        with self._lock:
            dates = [*self._cool.current(now).values(), *(due for due, *_ in self._waiting[:1])]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if dates:
            seconds = max(0.0, min(dates) - now)
            self._timer = self._loop.call_later(seconds, self._may_take.set)

    async def _fetch_files(self, slot: _WorkerSlot) -> Fetched | None:
        """The file of the last job, where its thread did not get it itself.

        Raises DownloadError, for faults of ours, too: those are of this download alone.
        """
        engine = self._engine
        try:
            try:
                await engine.fetch_each(
                    partial(self._next_plain_file, slot), partial(self._report_file, slot)
                )
            except DownloadError as error:
                # Without a task the engine did not begin: there is nothing to get by other means.
                if slot.task is None:
                    raise
                return await engine.fetch_after(slot.task, error)
            if (task := slot.task) is None:
                return None
            return await engine.fetch(task.job, task.request, task.target, task.progress)
        except DownloadError:
            raise
        except Exception as error:
            # Its words may hold an address with a secret in it; its kind does not.
            raise DownloadError("internal", type(error).__name__) from error

    # -- in the threads of the files

    def _next_plain_file(self, slot: _WorkerSlot) -> PageJob | None:
        """The next plain file for this slot; None: there is none, or the task must see to it."""
        if slot.running is not None and not self._take(slot):
            return None
        job, progress = slot.job, Progress()
        assert job is not None
        progress.path = Path(job.path) if job.path else None
        slot.running = _ShownDownload(job, progress, time.time())
        if self._listener.period is not None:  # somebody looks at what runs
            self._report(partial(self._begin, slot.running))
        slot.task = page_job_of(
            job, request_of(job), target_of(job, self._settings.folder), progress
        )
        return None if is_for_engine(slot.task) else slot.task

    def _report_file(self, slot: _WorkerSlot, fetched: Fetched) -> None:
        assert slot.running is not None
        self._report(partial(self._complete, slot.running, fetched))

    def _report(self, act: Callable[[], None]) -> None:
        """Have something done on the loop, soon."""
        self._reports.append(act)
        if self._reports_read:
            self._reports_read = False
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._has_reports.set)

    # -- on the loop again: what the threads reported

    async def _follow_reports(self) -> None:
        """Do what the threads say until cancelled."""
        while True:
            await self._has_reports.wait()
            await asyncio.sleep(REPORT_SECONDS)
            self._has_reports.clear()
            self._reports_read = True
            self._read_reports()
            self._may_take.set()

    def _read_reports(self) -> None:
        while self._reports:
            self._reports.popleft()()

    def _begin(self, running: _ShownDownload) -> None:
        self._running[running.job.id] = running
        self._listener.show(running.download())

    def _complete(self, running: _ShownDownload, fetched: Fetched) -> None:
        job = running.job
        self._running.pop(job.id, None)
        self._end(_completed_download(running.download(), fetched, job.attempts + 1))
        self._records.add(SettledRecord(job.n, fetched.path, job.owner))

    def _fail(self, job: Job, download: Download, error: DownloadError) -> None:
        offline = error.code == "network" and is_offline(job.host)
        again = next_try(
            error, job.attempts, self._settings.retries, random.random(), offline=offline
        )
        now = time.monotonic()
        with self._lock:
            self._cool.note(job.host, error, again, now)
        info = ErrorInfo(error.code, error.message, error.action)
        if again is None or error.traits.blocks_folder:
            if error.code == "disk_full":
                # Nobody waits here until there is room again, as the agent does.
                info = replace(info, action="Free some space and try again.")
            attempts = job.attempts + 1
            self._end(replace(download, state=State.FAILED, error=info, attempts=attempts))
            return
        # It keeps its name, which its part has, too; and a wait for the host costs it no attempt.
        job = replace(job, path=download.path, attempts=job.attempts + again.counts)
        due = now + again.seconds
        with self._lock:
            heapq.heappush(self._waiting, (due, job.n, job))
        told = stamp(time.time() + again.seconds)  # for people; we wait by a clock that nobody sets
        self._listener.show(replace(download, state=State.QUEUED, error=info, not_before=told))

    def _end(self, download: Download) -> None:
        download = replace(download, finished_at=stamp(time.time()))
        self.ended[download.id] = download
        self._listener.show(download)

    async def _show_progress(self, period: float) -> None:
        """Tell of names and bytes until cancelled."""
        while True:
            await asyncio.sleep(period)
            for id, running in self._running.items():
                seen = _current_download(running)
                if seen.path != running.download().path:
                    self._listener.show(seen)
                self._listener.show_progress(id, seen.received, seen.size)
                running.shown = seen


def _current_download(running: _ShownDownload) -> Download:
    progress = running.progress
    seen = replace(running.download(), received=progress.received, size=progress.size)
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


def _completed_download(download: Download, fetched: Fetched, attempts: int) -> Download:
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
