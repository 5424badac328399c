"""Downloads whose address is perhaps a page: our own transfer where it can, the page engine where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from trayagent.model import addresses, engine_choice, filenames, urls
from trayagent.model.downloads import Cookie, Item, Via
from trayagent.model.errors import DownloadError
from trayagent.model.jobs import Job
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.sites.protocol import (
    MediumAddress,
    NoteProgress,
    PageAnswer,
    PageEntry,
    SeveralVideos,
    VideoPage,
)
from trayagent.transfer import content


class FileFetcher(Protocol):
    """What is asked of transfer."""

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        """One URL to one verified file."""

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        """Bytes that are here already, to one verified file."""


class PageEngine(Protocol):
    """What is asked of the page engine."""

    async def resolve(self, page: VideoPage, note: NoteProgress) -> PageAnswer:
        """What becomes of a page; None: nobody knows it by name. Raises DownloadError."""

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        """The others are taken care of: from now on the page stands for its first entry."""

    async def discard(self, id: str) -> None:
        """Nothing of this download is needed any more."""

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        """It came to nothing: only what another try can go on from is kept."""


class BatchIntake(Protocol):
    """Where what else a page holds goes in."""

    async def add(self, items: Sequence[Item], *, via: Via, title: str | None = None) -> object:
        """Queue items as one batch."""


class PageJob(Struct, frozen=True):
    """One download on its way through here."""

    job: Job
    request: Request
    target: Target
    reporter: Progress

    @property
    def looking(self) -> Target:
        """What transfer is asked at first: to tell of a page instead of saving it."""
        kind = self.target.kind
        return replace(self.target, pages=engine_choice.may_be_page(kind, self.target.filename))


class VideoPages:
    """Follows `model.routing` for one download after the other; holds nothing of them."""

    def __init__(self, transfer: FileFetcher, engine: PageEngine, intake: BatchIntake) -> None:
        self._transfer = transfer
        self._engine = engine
        self._intake = intake

    async def fetch(
        self, job: Job, request: Request, target: Target, reporter: Progress
    ) -> Fetched:
        """The job's file, verified and published. Raises DownloadError."""
        task = page_job_of(job, request, target, reporter)
        if is_for_engine(task):
            return await self._through_engine(task)
        try:
            return await self._transfer.fetch(request, task.looking, reporter)
        except DownloadError as error:
            failure = error
        return await self.fetch_after(task, failure)

    async def fetch_after(self, task: PageJob, failure: DownloadError) -> Fetched:
        """The file that transfer did not get at first, if it was a page, say. Raises DownloadError."""
        job, request, target = task.job, task.request, task.target
        following = engine_choice.next_step(target.kind, job.via, request.url, failure)
        if following != "fail":
            fetched = await self._tried(task, failure, known_only=following == "engine if known")
            if fetched is not None:
                return fetched
        promised = content.promised(target.kind, request.url, target.filename)
        if failure.found is None or promised:
            raise failure
        # a plain file after all
        return await self._transfer.fetch(request, target, task.reporter)

    async def leave(self, id: str) -> None:
        """The file of this download is here: what the engine kept for it is needed no more."""
        await self._engine.discard(id)

    async def _tried(
        self, task: PageJob, failure: DownloadError, *, known_only: bool
    ) -> Fetched | None:
        """As `_through_engine`, or None when the engine does not know the site by name."""
        try:
            return await self._through_engine(task, known_only=known_only)
        except _UnknownError:
            return None
        except DownloadError as error:
            if error.code == "no_media_found" and failure.code == "needs_login":
                raise failure from error  # the page asked for a login: that is what helps
            raise

    async def _through_engine(self, task: PageJob, *, known_only: bool = False) -> Fetched:
        page = _page(task, known_only=known_only)

        def note(received: int, size: int | None) -> None:
            task.reporter.received, task.reporter.size = received, size

        answer = await self._engine.resolve(page, note)
        if isinstance(answer, SeveralVideos):
            await self._enter(task, answer)
            await self._engine.take_first(page, answer)
            left_out = answer.left_out
            answer = await self._engine.resolve(page, note)
            if left_out and isinstance(answer, Made | MediumAddress):
                answer = replace(answer, warning=f"{left_out} more on this page were left out.")
        if answer is None:
            raise _UnknownError
        if isinstance(answer, SeveralVideos):
            raise DownloadError("no_media_found", "it holds only further lists")
        try:
            fetched = await self._finished(task, answer)
        except DownloadError as error:
            await self._engine.keep_resumable(task.job.id, error)
            raise
        await self._engine.discard(task.job.id)
        return fetched

    async def _enter(self, task: PageJob, choice: SeveralVideos) -> None:
        """Queue what else the page holds; asked twice after a kill, the intake knows what it has."""
        items = _items(task, choice)
        if items:
            await self._intake.add(items, via=task.job.via, title=choice.title or "A page's videos")

    async def _finished(self, task: PageJob, answer: Made | MediumAddress) -> Fetched:
        target = replace(task.target, filename=_named(task.target.filename, answer.filename))
        if isinstance(answer, Made):
            return await self._transfer.publish(answer, target, task.reporter)
        if target.kind == "page":
            target = replace(target, kind="auto")
        fetched = await self._transfer.fetch(answer.request, target, task.reporter)
        return replace(fetched, warning=fetched.warning or answer.warning)


class _UnknownError(Exception):
    """The engine does not know the site by name."""


def page_job_of(job: Job, request: Request, target: Target, reporter: Progress) -> PageJob:
    """What is meant: who names a quality wants a medium, say."""
    kind = engine_choice.kind_meant(target.kind, job.order.quality, job.order.subtitles)
    return PageJob(
        job, request, target if kind == target.kind else replace(target, kind=kind), reporter
    )


def is_for_engine(task: PageJob) -> bool:
    """Whether the page engine is asked before a byte is fetched."""
    return engine_choice.is_engine_first(task.target.kind, task.request.url)


def _page(task: PageJob, *, known_only: bool) -> VideoPage:
    request, order = task.request, task.job.order
    raw = next((v for k, v in request.headers.items() if k.lower() == "cookie"), "")
    host = urls.origin(request.url)[1]
    own = [pair.strip().partition("=") for pair in raw.split(";") if "=" in pair]
    cookies = tuple(Cookie(name, value, host) for name, _, value in own if name)
    return VideoPage(
        id=task.job.id,
        # Other secret headers stay here: the engine could not keep them from other servers.
        request=replace(request, headers={}, mirrors=(), cookies=(*cookies, *request.cookies)),
        title=order.title,
        quality=order.quality or ("audio" if order.kind == "audio" else None),
        subtitles=order.subtitles,
        speed_limit=task.target.speed_limit,
        known_only=known_only,
    )


def _items(task: PageJob, choice: SeveralVideos) -> list[Item]:
    """The further entries as items; a page's word never opens a private address."""
    request, order = task.request, task.job.order
    own = urls.authority(request.url)
    return [
        Item(
            url=entry.url,
            folder=order.folder,
            referer=request.url,
            user_agent=request.user_agent,
            cookies=request.cookies,
            page_url=order.page_url or request.url,
            filename=None if entry.is_page or not entry.title else _titled(entry),
            title=entry.title or None,
            kind="page" if entry.is_page else "video",
            quality=order.quality,
            subtitles=order.subtitles,
            speed_limit=order.speed_limit,
        )
        for entry in choice.others
        if _may_enter(entry, own)
    ]


def _may_enter(entry: PageEntry, own: str) -> bool:
    try:
        authority = urls.authority(entry.url)
    except DownloadError:
        return False
    return authority == own or not addresses.names_private(authority.rpartition(":")[0])


def _titled(entry: PageEntry) -> str:
    ending = filenames.extension(filenames.from_url(entry.url) or "")
    title = entry.title.replace("/", "-").replace("\\", "-")
    return f"{title}.{ending}" if ending in filenames.VIDEO | filenames.AUDIO else f"{title}.mp4"


def _named(wanted: str | None, made: str) -> str:
    """The name asked for with the ending of what was made, in place of one that tells another medium or none."""
    if not wanted:
        return made
    ending = filenames.extension(made)
    given = filenames.extension(wanted)
    if given == ending or not ending:
        return wanted
    is_replaced = filenames.media_kind(wanted) or given in filenames.SAYS_NOTHING
    stem = wanted.rpartition(".")[0] if is_replaced else wanted
    return f"{stem}.{ending}"
