"""Downloads whose address may be a page: transfer where it can, the page engine where it cannot.

    1. An address that only the page engine can do (a playlist, `kind=page`) goes to it at once.
    2. Every other one is fetched; transfer stops when a page comes in the place of a file.
    3. After that, or after a refusal, the page engine is asked, if `model/engine_choice` says so.
    4. If it does not know the site, the page is what there is: a plain file, unless a medium was
       promised.

A page with several videos: the first stands for this download, the others are queued as a batch.
"""

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
    """Transfer, as far as it is needed here."""

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        """One URL to one verified file."""

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        """Bytes that are here already, to one verified file."""


class PageEngine(Protocol):
    """The page engine (`sites/engine`), as far as it is needed here."""

    async def resolve(self, page: VideoPage, note: NoteProgress) -> PageAnswer:
        """What becomes of a page; None: nobody knows it by name. Raises DownloadError."""

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        """From now on the page stands for its first entry: the others are queued."""

    async def discard(self, id: str) -> None:
        """Remove all that is kept for this download."""

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        """After a failure, keep only what another try can go on from."""


class BatchIntake(Protocol):
    """The intake, as far as it is needed here."""

    async def add(self, items: Sequence[Item], *, via: Via, title: str | None = None) -> object:
        """Queue items as one batch."""


class PageJob(Struct, frozen=True):
    """A job with what it asks of transfer, or of the page engine."""

    job: Job
    request: Request
    target: Target
    progress: Progress

    @property
    def first_target(self) -> Target:
        """The target of the first try: a page in the place of a file is reported, not saved."""
        kind = self.target.kind
        return replace(self.target, pages=engine_choice.may_be_page(kind, self.target.filename))


class VideoPages:
    """Works one download after the other, any number at a time; keeps nothing of them."""

    def __init__(self, transfer: FileFetcher, engine: PageEngine, intake: BatchIntake) -> None:
        self._transfer = transfer
        self._engine = engine
        self._intake = intake

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress
    ) -> Fetched:
        """The job's file, verified and published. Raises DownloadError."""
        page_job = page_job_of(job, request, target, progress)
        if is_for_engine(page_job):
            return await self._fetch_by_engine(page_job)
        try:
            return await self._transfer.fetch(request, page_job.first_target, progress)
        except DownloadError as error:
            failure = error
        return await self.fetch_after(page_job, failure)

    async def fetch_after(self, page_job: PageJob, failure: DownloadError) -> Fetched:
        """The file that transfer did not get at first, because it was a page, say. Raises DownloadError."""
        job, request, target = page_job.job, page_job.request, page_job.target
        following = engine_choice.next_step(target.kind, job.via, request.url, failure)
        if following != "fail":
            try:
                return await self._fetch_by_engine(
                    page_job, known_only=following == "engine if known"
                )
            except _UnknownSiteError:
                pass
            except DownloadError as error:
                if error.code == "no_media_found" and failure.code == "needs_login":
                    raise failure from error  # the page asked for a login: that is what helps
                raise
        is_promised = content.medium_promised(target.kind, request.url, target.filename)
        if failure.found is None or is_promised:
            raise failure
        # The page itself is what was asked for: a plain file after all.
        return await self._transfer.fetch(request, target, page_job.progress)

    async def discard(self, id: str) -> None:
        """Remove what the engine keeps for a download: its file is here."""
        await self._engine.discard(id)

    async def _fetch_by_engine(self, page_job: PageJob, *, known_only: bool = False) -> Fetched:
        page = _page(page_job, known_only=known_only)

        def note(received: int, size: int | None) -> None:
            page_job.progress.received, page_job.progress.size = received, size

        answer = await self._engine.resolve(page, note)
        if isinstance(answer, SeveralVideos):
            # First the others, then the mark that they are taken care of: after a kill in between
            # they are queued again, and the intake knows those that it has.
            others, title = _items(page_job, answer), answer.title or "A page's videos"
            if others:
                await self._intake.add(others, via=page_job.job.via, title=title)
            await self._engine.take_first(page, answer)
            left_out = answer.left_out
            answer = await self._engine.resolve(page, note)
            if left_out and isinstance(answer, Made | MediumAddress):
                answer = replace(answer, warning=f"{left_out} more on this page were left out.")
        # Only with `known_only`: otherwise the engine tries every page in a generic way.
        if answer is None:
            raise _UnknownSiteError
        if isinstance(answer, SeveralVideos):
            raise DownloadError("no_media_found", "it holds only further lists")
        try:
            fetched = await self._fetch_answer(page_job, answer)
        except DownloadError as error:
            await self._engine.keep_resumable(page_job.job.id, error)
            raise
        await self._engine.discard(page_job.job.id)
        return fetched

    async def _fetch_answer(self, page_job: PageJob, answer: Made | MediumAddress) -> Fetched:
        name = _with_ending(page_job.target.filename, answer.filename)
        target = replace(page_job.target, filename=name)
        if isinstance(answer, Made):
            return await self._transfer.publish(answer, target, page_job.progress)
        if target.kind == "page":
            # The address is a medium's, no page's: transfer may not look for a page again.
            target = replace(target, kind="auto")
        fetched = await self._transfer.fetch(answer.request, target, page_job.progress)
        return replace(fetched, warning=fetched.warning or answer.warning)


class _UnknownSiteError(Exception):
    """The engine does not know the site by name."""


def page_job_of(job: Job, request: Request, target: Target, progress: Progress) -> PageJob:
    """The job as it is meant: a job with a quality, say, wants a medium."""
    kind = engine_choice.kind_meant(target.kind, job.order.quality, job.order.subtitles)
    return PageJob(
        job, request, target if kind == target.kind else replace(target, kind=kind), progress
    )


def is_for_engine(page_job: PageJob) -> bool:
    """Whether the page engine is asked before a byte is fetched."""
    return engine_choice.is_engine_first(page_job.target.kind, page_job.request.url)


def _page(page_job: PageJob, *, known_only: bool) -> VideoPage:
    request, order = page_job.request, page_job.job.order
    # A cookie header is split into cookies of this host: the engine keeps those to their host.
    raw = next((v for k, v in request.headers.items() if k.lower() == "cookie"), "")
    host = urls.origin(request.url)[1]
    own = [pair.strip().partition("=") for pair in raw.split(";") if "=" in pair]
    cookies = tuple(Cookie(name, value, host) for name, _, value in own if name)
    return VideoPage(
        id=page_job.job.id,
        # Other secret headers stay here: the engine could not keep them from other servers.
        request=replace(request, headers={}, mirrors=(), cookies=(*cookies, *request.cookies)),
        title=order.title,
        quality=order.quality or ("audio" if order.kind == "audio" else None),
        subtitles=order.subtitles,
        speed_limit=page_job.target.speed_limit,
        known_only=known_only,
    )


def _items(page_job: PageJob, choice: SeveralVideos) -> list[Item]:
    """The further entries as items; a page's word never opens a private address."""
    # They get what was asked for this page, but not its secret headers: those were meant for it.
    request, order = page_job.request, page_job.job.order
    own = urls.authority(request.url)
    return [
        Item(
            url=entry.url,
            folder=order.folder,
            referer=request.url,
            user_agent=request.user_agent,
            cookies=request.cookies,
            page_url=order.page_url or request.url,
            filename=None if entry.is_page or not entry.title else _name_from_title(entry),
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
    # What lies on the page's own host is as good as the page.
    return authority == own or not addresses.names_private(authority.rpartition(":")[0])


def _name_from_title(entry: PageEntry) -> str:
    ending = filenames.extension(filenames.from_url(entry.url) or "")
    title = entry.title.replace("/", "-").replace("\\", "-")
    return f"{title}.{ending}" if ending in filenames.VIDEO | filenames.AUDIO else f"{title}.mp4"


def _with_ending(given: str | None, made: str) -> str:
    """The name that was asked for, with the ending of what was made.

    An ending of another medium, or one that says nothing (`.php`), is replaced; any other ending is
    a part of the name.
    """
    if not given:
        return made
    ending = filenames.extension(made)
    before = filenames.extension(given)
    if before == ending or not ending:
        return given
    is_replaced = filenames.media_kind(given) or before in filenames.SAYS_NOTHING
    stem = given.rpartition(".")[0] if is_replaced else given
    return f"{stem}.{ending}"
