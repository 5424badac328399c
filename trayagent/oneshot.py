"""Transfer and page engine without an agent, for `trayagent get`.

Apart from `app`, so that nothing else is loaded: no database, no hook, no tray; and the page engine
only when the first page comes, because most lists have none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from trayagent.agent.queue.video_pages import BatchIntake, PageEngine, PageJob, VideoPages
from trayagent.model.errors import DownloadError
from trayagent.model.jobs import Job
from trayagent.model.settings import Config
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.net.request import client_for
from trayagent.settings import Home
from trayagent.sites.protocol import NoteProgress, PageAnswer, SeveralVideos, VideoPage
from trayagent.transfer import memory
from trayagent.transfer.transfer import Asked, Transfer


@asynccontextmanager
async def open_oneshot(
    config: Config, home: Home, environ: Mapping[str, str], intake: BatchIntake
) -> AsyncIterator[OneShot]:
    """What turns one address after the other into files; what else a page holds goes to `intake`."""
    memory.share()
    memory.hold()
    async with AsyncExitStack() as stack:
        client = stack.enter_context(client_for(config))
        transfer = Transfer(client, home.data / "settled", config.downloads)

        async def engine() -> PageEngine:
            # Loaded with the first page: who gets plain files does not wait for it.
            from trayagent.net.gateway import Gateway
            from trayagent.sites.engine import YtDlpEngine
            from trayagent.sites.update import Releases

            gateway = await stack.enter_async_context(Gateway(config.network))
            releases = Releases(home.data / "sites")
            return YtDlpEngine(
                gateway, releases, config, environ=environ, throttle=transfer.throttle
            )

        yield OneShot(transfer, VideoPages(transfer, _LateEngine(engine), intake))


class OneShot:
    """Transfer and page engine, as `get` asks them."""

    def __init__(self, transfer: Transfer, pages: VideoPages) -> None:
        self._transfer = transfer
        self._pages = pages

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress
    ) -> Fetched:
        """The job's file, verified and published. Raises DownloadError."""
        return await self._pages.fetch(job, request, target, progress)

    async def fetch_each(
        self, next_job: Callable[[], PageJob | None], tell: Callable[[Fetched], None]
    ) -> None:
        """One file after the other, as transfer gets them; raises why it did not get the last."""

        def next_file() -> Asked | None:
            job = next_job()
            return None if job is None else (job.request, job.first_target, job.progress)

        await self._transfer.fetch_each(next_file, tell)

    async def fetch_after(self, page_job: PageJob, failure: DownloadError) -> Fetched:
        """What transfer alone did not get. Raises DownloadError."""
        return await self._pages.fetch_after(page_job, failure)

    async def owners(self) -> set[str]:
        """The owners of settled records: their files have arrived, and nothing else says so yet."""
        return await self._transfer.owners()

    async def find_settled(self, target: Target) -> Fetched | None:
        """The file that was finished before a kill, if its record is there; None: there is none."""
        return await self._transfer.find_settled(target)

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records of files (final path, owner) that are known to be here."""
        await self._transfer.forget(fetches)


class _LateEngine:
    """The page engine, loaded when the first page comes."""

    def __init__(self, make: Callable[[], Awaitable[PageEngine]]) -> None:
        self._make = make
        self._made: PageEngine | None = None
        self._one = asyncio.Lock()

    async def _engine(self) -> PageEngine:
        # Several pages may come at once: the first one loads it, the others wait for it.
        async with self._one:
            if self._made is None:
                self._made = await self._make()
            return self._made

    async def resolve(self, page: VideoPage, note: NoteProgress) -> PageAnswer:
        return await (await self._engine()).resolve(page, note)

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        await (await self._engine()).take_first(page, choice)

    async def discard(self, id: str) -> None:
        await (await self._engine()).discard(id)

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        await (await self._engine()).keep_resumable(id, error)
