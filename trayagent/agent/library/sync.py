"""One sync: read all pages of a source into the store, queue what is missing, wait for the files.

    step          the run in the store        event                    when it fails
    ------------  --------------------------  -----------------------  -------------------------------
    begin         `running`, new or taken up  `sync.started`           the caller hears of it
    sign in       the account                 -                        `failed`, and on to the end
    each page     items, cursor, counts       `sync.progress`          `failed`, and files of the pages
                                                                       so far are still fetched
    conclude      `complete`, `incomplete`    -                        the same
    queue rest    -                           `sync.progress`          -
    wait          -                           `sync.progress` a file   -
    end           -                           `sync.finished`          -

A run that failed or was killed is taken up at its cursor by the next sync, within an hour. While it
waits for its files, others see the run as `running`, though its listing has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.library.missing_files import MissingFiles
from trayagent.model import retry
from trayagent.model.downloads import ErrorInfo
from trayagent.model.errors import DownloadError, StoreUnavailableError, TrayagentError, traits_of
from trayagent.model.events import BatchEvent, DownloadEvent, Event, SyncEvent
from trayagent.model.library import LastRun, Page, RunState, Step, SyncRun, Trail
from trayagent.sources.source import CursorError, Source, SourceError
from trayagent.store import sync_runs
from trayagent.store.database import Database
from trayagent.store.sync_runs import ListingRun

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 60.0
"""Without news of its files, after which a run no longer stands in the way of another."""
PROGRESS_SECONDS: Final = 0.1
"""Files that come faster than this are told together."""
TRIES_PER_PAGE: Final = 3
"""With back-off between them; then the run has failed and may be resumed."""
LONGEST_PAGE_WAIT_SECONDS: Final = 120.0
"""A server that wants to be left alone for longer is asked again by the next sync."""

_UNTRUSTED_ENDS: Final[dict[Step, ErrorInfo]] = {
    "stuck": ErrorInfo(
        "stuck",
        "The server sends the same page again and again, so the list is not complete.",
        "Sync again later.",
    ),
    "cap": ErrorInfo(
        "cap",
        "The library has more pages than we read in one go.",
        "Sync again to see newer items first.",
    ),
}


class RunningSyncs:
    """The syncs that run: one for each source, however often it is asked for."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._bus = bus
        self._now = now
        self._sleep = sleep
        self._running: dict[str, Sync] = {}
        self._beginning: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._running)

    def report_of(self, name: str) -> SyncRun | None:
        """How the sync of this source stands, if one runs."""
        sync = self._running.get(name)
        return sync.report if sync else None

    async def start(
        self,
        tasks: asyncio.TaskGroup,
        source: Source,
        missing_files: MissingFiles,
        *,
        list_only: bool,
        by_itself: bool,
    ) -> tuple[str, bool]:
        """Start one as a task of `tasks`; returns its run, and whether it was running already."""
        # `begin` waits for the database: without a lock, two clicks would begin two syncs of one
        # source.
        async with self._beginning.setdefault(source.name, asyncio.Lock()):
            running = self._running.get(source.name)
            # 1. One is at work: whoever asks gets that run.
            if running is not None and not running.is_idle:
                if not list_only:
                    running.fetch_too()
                return running.run.shown.id, True
            # 2. One only waits for files that do not come (a paused queue, say): it ends, its files
            #    stay in the queue, and a new run begins.
            if running is not None:
                running.stop_waiting()
            # 3. None: a new run, or the one that was interrupted.
            sync = Sync(
                self._db,
                self._bus,
                source,
                missing_files,
                list_only=list_only,
                by_itself=by_itself,
                now=self._now,
                sleep=self._sleep,
            )
            await sync.begin()
            self._running[source.name] = sync
        tasks.create_task(self._work(source.name, sync), name=f"sync {source.name}")
        return sync.run.shown.id, False

    async def _work(self, name: str, sync: Sync) -> None:
        try:
            await sync.work()
        finally:
            # After `stop_waiting` the name belongs to the run that followed.
            if self._running.get(name) is sync:
                del self._running[name]


class Sync:
    """One run, from the click to its last file."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        source: Source,
        missing_files: MissingFiles,
        *,
        list_only: bool = False,
        by_itself: bool = False,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._bus = bus
        self._source = source
        self._missing_files = missing_files
        self._list_only = list_only
        self._by_itself = by_itself
        self._now = now
        self._sleep = sleep
        self._run: ListingRun | None = None
        self._fetched = self._failed = self._undated = 0
        self._first_error: str | None = None
        """Why the first of the failed files failed."""
        self._files_settled = asyncio.Event()
        self._last_news = self._last_told = time.monotonic()

    def __repr__(self) -> str:
        stands = self.report.sentence if self._run else "not begun"
        return f"<Sync of {self._source.name}: {stands}>"

    @property
    def report(self) -> SyncRun:
        """How it stands: `running` until its last file is settled."""
        return self._report_as("running")

    @property
    def is_idle(self) -> bool:
        """Whether it has only been waiting, for a while, for files that do not come."""
        is_listed = self.run.shown.state != "running"
        return is_listed and time.monotonic() - self._last_news > IDLE_SECONDS

    @property
    def run(self) -> ListingRun:
        """The listing so far; there is one once the sync has begun."""
        assert self._run is not None
        return self._run

    async def begin(self) -> None:
        """Take up the interrupted run, or make a new one; durable when this returns."""
        self._run = await self._db.run(sync_runs.begin, self._source.name, self._now())
        self._publish("started", self.report)

    def fetch_too(self) -> None:
        """Fetch the files as well, from the next page on; what came before, at the end."""
        self._list_only = False

    def stop_waiting(self) -> None:
        """End without the files that are still in the queue."""
        self._files_settled.set()

    async def work(self) -> None:
        """List, queue, and wait for the files. Never raises but when cancelled; then it can be resumed."""
        with self._bus.subscribe(self._hear):
            try:
                try:
                    # Asked before the first page: an expired session must not read as an empty library,
                    # and a resumed run of another account begins anew.
                    account = await self._source.account()
                    self._run = await self._db.run(
                        sync_runs.keep_account, self.run.n, account.account, self._now()
                    )
                    reader = PageReader(
                        self._db, self._source, self._follow_page, now=self._now, sleep=self._sleep
                    )
                    self._run = await reader.read(self.run)
                except (SourceError, DownloadError) as error:
                    await self._keep_failure(error)
                # What was listed before a failure is fetched all the same, unless the failure would
                # stop each of the downloads, too (an account without a session, say).
                failure = self.run.shown.error
                if not self._list_only and not (failure and traits_of(failure.code).stops_sync):
                    await self._missing_files.queue_rest(self.run.n)
                # From here on the batch finishes with its last file, and we hear of that.
                await self._missing_files.close()
                if self._missing_files.batch is not None:
                    self._publish("progress", self.report)
                    await self._files_settled.wait()
                self._publish("finished", self._report_as(self.run.shown.state))
            except TrayagentError as error:
                await self._give_up(error)
            except Exception:
                log.exception("The sync of %s died", self._source.name)
                await self._give_up(DownloadError("internal"))

    async def _give_up(self, error: TrayagentError) -> None:
        # It may be the store that failed: people hear of the end nevertheless.
        with contextlib.suppress(StoreUnavailableError):
            await self._keep_failure(error)
        self._publish("finished", self._report_as("failed", error))

    async def _keep_failure(self, error: TrayagentError) -> None:
        log.warning("The sync of %s stopped: %s", self._source.name, error.code)
        info = ErrorInfo(error.code, error.message, error.action)
        self._run = await self._db.run(
            sync_runs.finish, self.run, "failed", self._now(), error=info
        )

    async def _follow_page(self, run: ListingRun, page: Page) -> None:
        """A page is in the store: queue what is missing of it, while the next page is still to come."""
        self._run = run
        # Said once for each run, not for each of its items.
        if page.undated and not self._undated:
            log.warning("%s writes dates that are not understood", self._source.name)
        self._undated += page.undated
        if not self._list_only:
            await self._missing_files.queue_new(run.n)
        self._publish("progress", self.report)

    def _hear(self, event: Event) -> None:
        batch = self._missing_files.batch
        if batch is None:
            return
        match event:
            case DownloadEvent(what="completed" | "failed" as what, download=download) if (
                batch == download.batch
            ):
                self._fetched += what == "completed"
                self._failed += what == "failed"
                now = time.monotonic()
                self._last_news = now
                # A library of small files brings hundreds a second.
                if now - self._last_told > PROGRESS_SECONDS:
                    self._last_told = now
                    self._publish("progress", self.report)
            case BatchEvent(what="finished", batch=finished) if finished.id == batch:
                # The batch's own counts are the truth; ours only followed the events.
                self._fetched = finished.counts.get("completed", 0)
                self._failed = finished.counts.get("failed", 0)
                self._first_error = finished.first_error
                self._files_settled.set()
            case _:
                pass

    def _report_as(self, state: RunState, error: TrayagentError | None = None) -> SyncRun:
        shown: LastRun = self.run.shown
        info = ErrorInfo(error.code, error.message, error.action) if error else shown.error
        return SyncRun(
            shown.id,
            state,
            shown.pages,
            shown.seen,
            shown.new,
            shown.gone,
            shown.suspicious,
            info,
            self._missing_files.batch,
            self._missing_files.queued,
            self._fetched,
            self._failed,
            self._first_error,
            self._by_itself,
            undated=self._undated,
            started_at=shown.started_at,
        )

    def _publish(self, what: str, report: SyncRun) -> None:
        self._bus.publish(SyncEvent(what, self._source.name, report))


class PageReader:
    """One pass over the pages of a source; every page is durable before the next is asked for."""

    def __init__(
        self,
        db: Database,
        source: Source,
        on_page: Callable[[ListingRun, Page], Awaitable[None]],
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """`on_page` is called after each page is kept; the next page waits for it."""
        self._db = db
        self._source = source
        self._on_page = on_page
        self._now = now
        self._sleep = sleep
        self._rand = rand
        self._cut_off: ErrorInfo | None = None
        """Why there is more than could be read."""

    async def read(self, run: ListingRun) -> ListingRun:
        """Read to the end and conclude. Raises SourceError or DownloadError; what was read stays kept.

        Items that were not seen are `gone` only after an end that can be trusted: the server said
        that there is no further page, and nothing kept us from reading one.
        """
        try:
            run, step = await self._read_pages(run)
        except CursorError:
            # The server forgot the cursor of an interrupted run: once more from page one.
            # What cut the first pass off belongs to a listing that the server has forgotten.
            self._cut_off = None
            run, step = await self._read_pages(
                await self._db.run(sync_runs.restart, run.n, self._now())
            )
        if step == "end" and run.tail:
            run = await self._read_newest_again(run)
        error = self._cut_off or _UNTRUSTED_ENDS.get(step)
        state: RunState = "incomplete" if error else "complete"
        is_trusted = step == "end" and not error
        return await self._db.run(
            sync_runs.finish, run, state, self._now(), error=error, conclude=is_trusted
        )

    async def _read_pages(self, run: ListingRun) -> tuple[ListingRun, Step]:
        trail = Trail(run.first, run.pages, run.productive)
        while True:
            cursor = run.cursor
            page = await self._ask(cursor)
            run, fresh = await self._keep(run, page)
            first = page.items[0].ident if page.items else None
            # A server that repeats itself, or never ends, is left after a bounded number of pages.
            step = trail.step(cursor, page.next, first, fresh)
            if step != "on":
                return run, step
            await self._rest()

    async def _read_newest_again(self, run: ListingRun) -> ListingRun:
        """A resumed run missed what was added meanwhile: read from page one until nothing is new."""
        trail, cursor = Trail(), None
        while True:
            page = await self._ask(cursor)
            # Without a cursor: a run that is killed in this pass is not resumed in the middle of it.
            run, fresh = await self._keep(run, replace(page, next=None))
            first = page.items[0].ident if page.items else None
            if not fresh or trail.step(cursor, page.next, first, fresh) != "on":
                return run
            cursor = page.next
            await self._rest()

    async def _keep(self, run: ListingRun, page: Page) -> tuple[ListingRun, int]:
        run, fresh = await self._db.run(
            sync_runs.upsert_page, run, page.items, page.next, self._now()
        )
        self._cut_off = self._cut_off or page.cut_off
        # The undated items of a page without news were counted when they were new.
        await self._on_page(run, page if fresh else replace(page, undated=0))
        return run, fresh

    async def _ask(self, cursor: str | None) -> Page:
        """One page; a busy or broken server is asked again, up to three times in all."""
        # A short wait here saves a whole run; a server that asks for a long one gets it: the run ends,
        # and is taken up again later.
        for attempt in range(1, TRIES_PER_PAGE + 1):
            try:
                return await self._source.page(cursor)
            except DownloadError as error:
                wait = retry.delay(attempt, retry_after=error.retry_after, rand=self._rand())
                if (
                    not error.traits.is_retryable
                    or attempt == TRIES_PER_PAGE
                    or wait > LONGEST_PAGE_WAIT_SECONDS
                ):
                    raise
                await self._sleep(wait)
        raise AssertionError("unreachable")

    async def _rest(self) -> None:
        shortest, longest = self._source.page_delay
        await self._sleep(shortest + (longest - shortest) * self._rand())
