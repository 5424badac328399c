"""Reading a source page by page into the library, to an end that can be trusted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec.structs import replace

from trayagent.model import backoff
from trayagent.model.download import ErrorInfo
from trayagent.model.errors import WAITS, DownloadError
from trayagent.model.library import Page, RunState
from trayagent.model.paging import Step, Trail
from trayagent.sources.source import CursorError, Source
from trayagent.store import sync_runs
from trayagent.store.database import Database
from trayagent.store.sync_runs import Run

TRIES: Final = 3
"""For one page, with back-off between them; then the run has failed and may be resumed."""

PATIENCE: Final = 120.0
"""Seconds; a server that wants to be left alone for longer is asked again by the next sync."""

PageKept = Callable[[Run, Page], Awaitable[None]]

_ENDS: Final[dict[Step, ErrorInfo]] = {
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


class Listing:
    """One pass over the pages of a source; every page is durable before the next is asked for."""

    def __init__(
        self,
        db: Database,
        source: Source,
        kept: PageKept,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._db = db
        self._source = source
        self._kept = kept
        self._now = now
        self._sleep = sleep
        self._rand = rand
        self._cut_off: ErrorInfo | None = None
        """Why there is more than could be read."""

    async def read(self, run: Run) -> Run:
        """Read to the end and conclude. Raises SourceError or DownloadError; what was read stays kept."""
        try:
            run, step = await self._read_pages(run)
        except CursorError:
            self._cut_off = None
            run, step = await self._read_pages(
                await self._db.run(sync_runs.restart, run.n, self._now())
            )
        if step == "end" and run.tail:
            run = await self._read_newest_again(run)
        error = self._cut_off or _ENDS.get(step)
        state: RunState = "incomplete" if error else "complete"
        conclude = step == "end" and not error
        return await self._db.run(
            sync_runs.finish, run, state, self._now(), error=error, conclude=conclude
        )

    async def _read_pages(self, run: Run) -> tuple[Run, Step]:
        trail = Trail(run.first, run.pages, run.productive)
        while True:
            cursor = run.cursor
            page = await self._ask(cursor)
            run, fresh = await self._keep(run, page)
            first = page.items[0].ident if page.items else None
            step = trail.step(cursor, page.next, first, fresh)
            if step != "on":
                return run, step
            await self._rest()

    async def _read_newest_again(self, run: Run) -> Run:
        """A resumed run missed what was added meanwhile: read from page one until nothing is new."""
        trail, cursor = Trail(), None
        while True:
            page = await self._ask(cursor)
            run, fresh = await self._keep(run, replace(page, next=None))
            first = page.items[0].ident if page.items else None
            if not fresh or trail.step(cursor, page.next, first, fresh) != "on":
                return run
            cursor = page.next
            await self._rest()

    async def _keep(self, run: Run, page: Page) -> tuple[Run, int]:
        run, fresh = await self._db.run(
            sync_runs.upsert_page, run, page.items, page.next, self._now()
        )
        self._cut_off = self._cut_off or page.cut_off
        await self._kept(run, page if fresh else replace(page, undated=0))
        return run, fresh

    async def _ask(self, cursor: str | None) -> Page:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._source.page(cursor)
            except DownloadError as error:
                wait = backoff.delay(attempt, retry_after=error.retry_after, rand=self._rand())
                if error.code not in WAITS or attempt == TRIES or wait > PATIENCE:
                    raise
                await self._sleep(wait)
        raise AssertionError("unreachable")

    async def _rest(self) -> None:
        shortest, longest = self._source.page_delay
        await self._sleep(shortest + (longest - shortest) * self._rand())
