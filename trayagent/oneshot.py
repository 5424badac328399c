"""The engine without an agent, for `trayagent get`: apart from `app`, so that only it is loaded."""

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
async def fetching(
    config: Config, home: Home, environ: Mapping[str, str], door: BatchIntake
) -> AsyncIterator[OneShot]:
    """What turns one address after the other into files; what else a page holds goes to `door`."""
    memory.share()
    memory.hold()
    async with AsyncExitStack() as stack:
        client = stack.enter_context(client_for(config))
        transfer = Transfer(client, home.data / "settled", config.downloads)

        async def engine() -> PageEngine:
            from trayagent.net.gateway import Gateway
            from trayagent.sites.engine import YtDlpEngine
            from trayagent.sites.update import Releases

            gateway = await stack.enter_async_context(Gateway(config.network))
            releases = Releases(home.data / "sites")
            return YtDlpEngine(
                gateway, releases, config, environ=environ, throttle=transfer.throttle
            )

        yield OneShot(transfer, VideoPages(transfer, _LateEngine(engine), door))


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
        self, following: Callable[[], PageJob | None], tell: Callable[[Fetched], None]
    ) -> None:
        """One file after the other, as transfer gets them; raises why it did not get the last."""

        def next_file() -> Asked | None:
            task = following()
            return None if task is None else (task.request, task.first_target, task.progress)

        await self._transfer.fetch_each(next_file, tell)

    async def fetch_after(self, task: PageJob, failure: DownloadError) -> Fetched:
        """What transfer alone did not get. Raises DownloadError."""
        return await self._pages.fetch_after(task, failure)

    async def owners(self) -> set[str]:
        """Whose files have arrived without anybody noting it."""
        return await self._transfer.owners()

    async def find_settled(self, target: Target) -> Fetched | None:
        """The finished file that a kill kept from being told of; None: there is none."""
        return await self._transfer.find_settled(target)

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records of files (final path, owner) that are known to be here."""
        await self._transfer.forget(fetches)


class _LateEngine:
    """The page engine, loaded when the first page comes: most lists have none."""

    def __init__(self, make: Callable[[], Awaitable[PageEngine]]) -> None:
        self._make = make
        self._made: PageEngine | None = None
        self._one = asyncio.Lock()

    async def _engine(self) -> PageEngine:
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
