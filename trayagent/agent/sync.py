"""One sync: list all pages of a source, fetch what is missing, tell how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.agent.fetching import Fetching
from trayagent.agent.listing import Listing
from trayagent.model.download import ErrorInfo
from trayagent.model.errors import DownloadError, StoreUnavailableError, TrayagentError
from trayagent.model.events import BatchEvent, DownloadEvent, Event, SyncEvent
from trayagent.model.library import LastRun, Page, RunState, SyncRun
from trayagent.sources.source import Source, SourceError
from trayagent.store import sync_runs
from trayagent.store.database import Database
from trayagent.store.sync_runs import Run

log = logging.getLogger(__name__)

QUIET: Final = 60.0
"""Seconds without news of its files after which a run no longer stands in the way of another."""
CALM: Final = 0.1
"""Files that come faster than this, in seconds, are told together."""
_NO_USE: Final = frozenset({"signed_out", "moved", "needs_login", "insecure"})
"""Errors after which fetching files would fail just the same."""


class Sync:
    """One run, from the click to its last file."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        source: Source,
        fetching: Fetching,
        *,
        list_only: bool = False,
        by_itself: bool = False,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._bus = bus
        self._source = source
        self._fetching = fetching
        self._list_only = list_only
        self._by_itself = by_itself
        self._reason: str | None = None
        self._now = now
        self._sleep = sleep
        self._run: Run | None = None
        self._fetched = self._failed = self._undated = 0
        self._settled = asyncio.Event()
        self._news = time.monotonic()

    def __repr__(self) -> str:
        return f"<Sync of {self._source.name}: {self.shown.sentence if self._run else 'not begun'}>"

    @property
    def shown(self) -> SyncRun:
        """How it stands: `running` until its last file is through."""
        return self._sync_run("running")

    @property
    def idle(self) -> bool:
        """Whether it has only been waiting, for a while, for files that do not come."""
        return time.monotonic() - self._news > QUIET and self.run.shown.state != "running"

    @property
    def run(self) -> Run:
        """The listing so far; there is one once the sync has begun."""
        assert self._run is not None
        return self._run

    async def begin(self) -> None:
        """Take up the interrupted run, or make a new one; durable when this returns."""
        self._run = await self._db.run(sync_runs.begin, self._source.name, self._now())
        self._publish("started", self.shown)

    def fetch_too(self) -> None:
        """Somebody wants the files as well."""
        self._list_only = False

    def leave(self) -> None:
        """Wait for its files no longer."""
        self._settled.set()

    async def work(self) -> None:
        """List, queue, and wait for the files. Never raises but when cancelled; then it can be resumed."""
        with self._bus.subscribe(self._hear):
            try:
                await self._list_and_fetch()
            except TrayagentError as error:
                await self._give_up(error)
            except Exception:
                log.exception("The sync of %s died", self._source.name)
                await self._give_up(DownloadError("internal"))

    async def _give_up(self, error: TrayagentError) -> None:
        with contextlib.suppress(StoreUnavailableError):
            await self._note_failure(error)
        self._publish("finished", self._sync_run("failed", error))

    async def _list_and_fetch(self) -> None:
        try:
            await self._list()
        except (SourceError, DownloadError) as error:
            await self._note_failure(error)
        await self._fetch()
        self._publish("finished", self._sync_run(self.run.shown.state))

    async def _list(self) -> None:
        account = await self._source.account()
        self._run = await self._db.run(
            sync_runs.keep_account, self.run.n, account.account, self._now()
        )
        listing = Listing(
            self._db,
            self._source,
            self._note_page,
            now=self._now,
            sleep=self._sleep,
            rand=random.random,
        )
        self._run = await listing.read(self.run)

    async def _note_page(self, run: Run, page: Page) -> None:
        self._run = run
        if page.undated and not self._undated:
            log.warning("%s writes dates that are not understood", self._source.name)
        self._undated += page.undated
        if not self._list_only:
            await self._fetching.more(run.n)
        self._publish("progress", self.shown)

    async def _note_failure(self, error: TrayagentError) -> None:
        log.warning("The sync of %s stopped: %s", self._source.name, error.code)
        info = ErrorInfo(error.code, error.message, error.action)
        self._run = await self._db.run(
            sync_runs.finish, self.run, "failed", self._now(), error=info
        )

    async def _fetch(self) -> None:
        """Queue the rest of what is missing, and wait until all of it is through."""
        error = self.run.shown.error
        if not self._list_only and not (error and error.code in _NO_USE):
            await self._fetching.rest(self.run.n)
        await self._fetching.close()
        if self._fetching.batch is not None:
            self._publish("progress", self.shown)
            await self._settled.wait()

    def _hear(self, event: Event) -> None:
        batch = self._fetching.batch
        match event:
            case DownloadEvent(what="completed" | "failed" as what, download=download) if (
                batch == download.batch
            ):
                if batch is not None:
                    self._fetched += what == "completed"
                    self._failed += what == "failed"
                    self._note_file()
            case BatchEvent(what="finished", batch=finished) if finished.id == batch:
                self._fetched = finished.counts.get("completed", 0)
                self._failed = finished.counts.get("failed", 0)
                self._reason = finished.first_error
                self._settled.set()
            case _:
                pass

    def _note_file(self) -> None:
        now = time.monotonic()
        if now - self._news > CALM:
            self._publish("progress", self.shown)
        self._news = now

    def _sync_run(self, state: RunState, error: TrayagentError | None = None) -> SyncRun:
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
            self._fetching.batch,
            self._fetching.wanted,
            self._fetched,
            self._failed,
            self._reason,
            self._by_itself,
            self._undated,
        )

    def _publish(self, what: str, run: SyncRun) -> None:
        self._bus.publish(SyncEvent(what, self._source.name, run))
