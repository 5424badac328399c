"""A few downloads without an agent: workers, retries and fairness in memory, files by the same engine."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from trayagent.agent.requests import request_of, target_of
from trayagent.agent.retry import decide
from trayagent.cli.leftovers import Leftovers
from trayagent.model.admit import admit
from trayagent.model.download import Download, ErrorInfo, Item, State, Via
from trayagent.model.errors import BLOCKED, DownloadError, TrayagentError
from trayagent.model.order import Job, New
from trayagent.model.times import stamp
from trayagent.model.transfer import Fetched, Progress, Request, Target


class Fetcher(Protocol):
    """What turns an address into a file."""

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress, /
    ) -> Fetched: ...


class Watcher(Protocol):
    """Who is told how it goes."""

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


class Errand:
    """Fetches what is added and says how each ended; `run` it once."""

    def __init__(self, terms: Terms, watcher: Watcher) -> None:
        self._terms = terms
        self._watcher = watcher
        self._leftovers = Leftovers(terms.folder)
        self._waiting: dict[str, deque[Job]] = {}
        self._busy: Counter[str] = Counter()
        self._known: set[str] = set()
        self._news = asyncio.Event()
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
        self._waiting.setdefault(job.host, deque()).append(job)
        self._news.set()

    async def run(self, fetcher: Fetcher) -> None:
        """Return when all have ended; a cancellation keeps every `.part`, and tells the next run what is here."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._terms.workers):
                    group.create_task(self._work(fetcher), name=f"worker {number + 1}")
        except asyncio.CancelledError:
            self._leftovers.leave(
                each for each in self.ended.values() if each.state == State.COMPLETED
            )
            raise
        self._leftovers.leave(())

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"<Errand: {waiting} waiting, {self._busy.total()} active, {len(self.ended)} ended>"

    async def _work(self, fetcher: Fetcher) -> None:
        while self._waiting or self._busy.total():
            job = self._next()
            if job is None:
                self._news.clear()
                await self._news.wait()
                continue
            self._busy[job.host] += 1
            try:
                await self._fetch(job, fetcher)
            finally:
                self._busy[job.host] -= 1
                self._news.set()

    def _next(self) -> Job | None:
        # Hosts take turns: the one that is served goes to the end.
        for host in list(self._waiting):
            if self._busy[host] < self._terms.per_host:
                queue = self._waiting.pop(host)
                job = queue.popleft()
                if queue:
                    self._waiting[host] = queue
                return job
        return None

    async def _fetch(self, job: Job, fetcher: Fetcher) -> None:
        began = _begun(job)
        note = _Note(began, job.path, self._watcher)
        self._watcher.show(began)
        while True:
            try:
                fetched = await self._fetched(job, fetcher, note)
            except DownloadError as error:
                again = decide(error, job.attempts, self._terms.retries, random.random())
                if again is None or error.code in BLOCKED:
                    return self._end(_failed(note.download, error, job.attempts + 1))
                job = replace(job, path=note.path, attempts=job.attempts + again.counts)
                self._watcher.show(_waiting(note.download, error, again.seconds))
                await asyncio.sleep(again.seconds)
            else:
                return self._end(_completed(note.download, fetched, job.attempts + 1))

    async def _fetched(self, job: Job, fetcher: Fetcher, note: _Note) -> Fetched:
        """The file. Raises DownloadError, for faults of ours, too: those are of this download alone."""
        try:
            target = target_of(job, self._terms.folder)
            return await fetcher.fetch(job, request_of(job), target, note)
        except DownloadError:
            raise
        except Exception as error:
            # Its words may hold an address with a secret in it; its kind does not.
            raise DownloadError("internal", type(error).__name__) from error

    def _end(self, download: Download) -> None:
        self.ended[download.id] = download
        self._watcher.show(download)


class _Note:
    """Transfer's `Progress` for one download."""

    def __init__(self, download: Download, path: str | None, watcher: Watcher) -> None:
        self.download = download
        self.path = path
        self._watcher = watcher
        self._told = 0.0

    async def reserved(self, path: Path, size: int | None) -> None:
        self.path = str(path)
        self.download = replace(self.download, filename=path.name, path=self.path, size=size)
        self._watcher.show(self.download)

    def received(self, total: int, size: int | None) -> None:
        now = time.monotonic()
        if now - self._told >= 0.1:
            self._told = now
            self._watcher.moved(self.download.id, total, size)


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
