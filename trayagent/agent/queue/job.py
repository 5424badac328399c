"""One claimed job, worked to its end: who knows where the bytes are is asked, then they are fetched.

    the first download    its bytes are here
    a job of a library    its source (the resolver) gives a request, or the bytes themselves
    an address            `video_pages`, which asks transfer or the page engine; or transfer alone

`request_of` and `target_of` are pure: what a job says, in transfer's words. `get` uses them, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from msgspec.structs import replace

from trayagent.agent import first_download
from trayagent.agent.queue.video_pages import (
    FileFetcher,
    PageJob,
    VideoPages,
    page_job_of,
)
from trayagent.model import addresses, engine_choice, filenames, units, urls
from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.folder_rules import FolderRules
from trayagent.model.jobs import Job
from trayagent.model.transfer import Fetched, Progress, Request, Resolver, Target

if TYPE_CHECKING:
    from trayagent.store.secrets import SecretFiles  # `get` loads this module, and no store
    from trayagent.transfer.transfer import Asked

log = logging.getLogger(__name__)

RECORD_WAIT_SECONDS: Final = 0.25
"""How long a record waits for others, to be removed with them."""
MANY_RECORDS: Final = 256
"""So many wait no longer."""


Assigned = tuple[Job, Path, Progress]
"""A job, the folder that it goes to by default, and the numbers to keep."""


class FileTransfer(FileFetcher, Protocol):
    """Transfer, as far as a worker needs it."""

    async def fetch_each(
        self, following: Callable[[], Asked | None], tell: Callable[[Fetched], None]
    ) -> None:
        """One file after the other, until one raises DownloadError or there is none.

        Both are called by another thread.
        """

    async def find_settled(self, target: Target) -> Fetched | None:
        """The file that was finished before a kill, if its record is there; None: there is none."""

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records of files (final path, owner) whose rows say that they are here."""

    async def owners(self) -> set[str]:
        """Whose files have arrived without a row that says so."""

    async def discard(self, path: Path, owner: str) -> None:
        """Remove the `.part` that this owner has at a final path, and its record."""

    def end_cooldown(self, host: str) -> None:
        """Ask this `host:port` again at once."""


class Worker:
    """Keeps nothing of a job between two calls; any number of jobs may be at work."""

    def __init__(
        self,
        transfer: FileTransfer,
        secrets: SecretFiles,
        resolvers: Mapping[str, Resolver],
        pages: VideoPages | None = None,
    ) -> None:
        self._transfer = transfer
        self._secrets = secrets
        self._resolvers = resolvers
        self._pages = pages
        self.folder_rules = FolderRules()
        """For files that nobody named a folder for; follows the settings."""

    async def find_finished(self, job: Job, folder: Path) -> Fetched | None:
        """The job's file, if it was finished before a kill and only its row does not say so."""
        fetched = await self._transfer.find_settled(target_of(job, folder, self.folder_rules))
        if fetched is not None and self._pages is not None and job.source is None:
            await self._pages.discard(job.id)
        return fetched

    async def work(self, job: Job, folder: Path, progress: Progress) -> Fetched:
        """The job's file, verified and published. Raises DownloadError; a cancellation keeps its bytes."""
        target = target_of(job, folder, self.folder_rules)
        if job.source is not None:
            return await self._fetch_resolved(
                self._resolvers[job.source], job.key, target, progress
            )
        if job.url == first_download.URL:
            return await self._transfer.publish(first_download.CONTENT, target, progress)
        if self._secrets.has(job.id):  # most have none, and need no thread
            secrets = await asyncio.to_thread(self._secrets.load, job.id)
            job = replace(job, secrets=secrets)
        request = request_of(job)
        if self._pages is None:
            return await self._transfer.fetch(request, target, progress)
        return await self._pages.fetch(job, request, target, progress)

    def is_plain(self, job: Job) -> bool:
        """Whether transfer alone can begin it, in any thread: nobody else has to be asked before."""
        if job.source is not None or job.url == first_download.URL or self._secrets.has(job.id):
            return False
        kind = engine_choice.kind_meant(job.order.kind, job.order.quality, job.order.subtitles)
        return self._pages is None or not engine_choice.is_engine_first(kind, job.url)

    async def work_each(
        self, following: Callable[[], Assigned | None], tell: Callable[[Fetched], None]
    ) -> None:
        """The plain file of each job that `following` gives, until one raises DownloadError or there is none.

        Both are called by another thread.
        """

        def next_file() -> Asked | None:
            given = following()
            if given is None:
                return None
            job, folder, progress = given
            page_job = self._page_job(job, folder, progress)
            target = page_job.target if self._pages is None else page_job.first_target
            return page_job.request, target, progress

        await self._transfer.fetch_each(next_file, tell)

    async def work_after(
        self, job: Job, folder: Path, progress: Progress, failure: DownloadError
    ) -> Fetched:
        """The file that `work_each` did not get, by other means. Raises DownloadError."""
        if self._pages is None:
            raise failure
        return await self._pages.fetch_after(self._page_job(job, folder, progress), failure)

    def _page_job(self, job: Job, folder: Path, progress: Progress) -> PageJob:
        target = target_of(job, folder, self.folder_rules)
        return page_job_of(job, request_of(job), target, progress)

    async def _fetch_resolved(
        self, resolver: Resolver, key: str, target: Target, progress: Progress
    ) -> Fetched:
        """Fetch what the resolver names, and tell it of a failure: it may know another way.

        The resolver ends the loop: it raises DownloadError when it knows no other.
        """

        def note(received: int, size: int | None) -> None:
            progress.received, progress.size = received, size

        failure: DownloadError | None = None
        while True:
            answer = await resolver.resolve(key, target, failure, note)
            try:
                if isinstance(answer, Request):
                    return await self._transfer.fetch(answer, target, progress)
                return await self._transfer.publish(answer, target, progress)
            except DownloadError as error:
                failure = error

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records beside files (final path, owner) whose rows say that they are here."""
        await self._transfer.forget(fetches)

    async def owners(self) -> set[str]:
        """Whose files have arrived, as far as a kill may have kept their rows from saying so."""
        return await self._transfer.owners()

    async def discard(self, path: Path, owner: str) -> None:
        """Remove what a download that nobody wants any more has beside a final path."""
        try:
            await self._transfer.discard(path, owner)
        except DownloadError as error:
            log.warning("What %s left behind stays: %s", owner, error.message)

    def end_cooldown(self, host: str) -> None:
        """Ask this `host:port` again at once."""
        self._transfer.end_cooldown(host)


def request_of(job: Job) -> Request:
    """Where the job's bytes are, and what to send for them."""
    order = job.order
    return Request(
        url=job.url,
        mirrors=order.mirrors,
        headers=dict(job.secrets.headers),
        cookies=job.secrets.cookies,
        referer=order.referer,
        user_agent=order.user_agent,
        named=named_hosts(job),
    )


def named_hosts(job: Job) -> frozenset[str]:
    """The private `host:port` pairs that the user named himself, by the `named` rule."""
    # 1. A sync: nothing is the user's own word; its source names its hosts.
    # 2. An extension, ours or a foreign one: a page chose the address, so a private one counts only
    #    if the page itself came from that host.
    # 3. Everybody else has the user's word for the address and its mirrors.
    if job.via == "sync":
        return frozenset()
    given = [job.host] if "://" in job.url else []
    if job.order.mirrors:
        given += [urls.authority(url) for url in job.order.mirrors if "://" in url]
    private = frozenset(filter(_is_private, given))
    if job.via == "extension" or job.order.from_page:
        page = job.order.page_url
        page_host = urls.authority(page).rpartition(":")[0] if page else None
        return frozenset(pair for pair in private if pair.rpartition(":")[0] == page_host)
    return private


def _is_private(pair: str) -> bool:
    return addresses.names_private(pair.rpartition(":")[0])


def target_of(job: Job, downloads: Path, rules: FolderRules | None = None) -> Target:
    """Where the file goes and what it must be; `downloads` is the default root."""
    order = job.order
    folder = _folder(downloads, order.root, order.folder)
    by_type: dict[str, Path] = {}
    # 1. A folder that somebody named, or that of a synced item, counts.
    # 2. A rule about the site.
    # 3. A rule about the type. That of a page's video is known; others show it by their name.
    if rules is not None and order.folder is None and order.root is None:
        site = rules.for_site(job.host.rpartition(":")[0])
        medium = "audio" if "audio" in (order.kind, order.quality) else "video"
        if site is not None:
            folder = site
        elif order.kind == "page":
            folder = rules.by_type.get(medium, folder)
        else:
            by_type = rules.by_type
    return Target(
        folder=folder,
        by_type=by_type,
        filename=order.filename,
        path=Path(job.path) if job.path else None,
        owner=job.owner,
        kind=order.kind,
        checksum=order.checksum,
        size=order.size,
        pieces=order.pieces,
        segments=order.segments,
        speed_limit=units.parse_size(order.speed_limit) if order.speed_limit else 0,
        mtime=order.mtime,
        stem=order.stem,
    )


# One folder object for all of its files: it knows its text and its hash already.
@lru_cache(maxsize=256)
def _folder(downloads: Path, root: str | None, folder: str | None) -> Path:
    return (Path(root) if root else downloads) / filenames.safe_folder(folder)


class SettledRecord(NamedTuple):
    """What tells, after a kill, that a file is finished although its row does not say so yet."""

    n: int
    """The row's number."""
    path: Path
    """The finished file that the record lies beside."""
    owner: str


class SettledRecords:
    """Removes records whose rows say by now that the file is here: many at a time, a moment later.

    `remove` gets each record once. One by one they would cost a small file another look at the disk
    and another transaction.
    """

    def __init__(self, remove: Callable[[Sequence[SettledRecord]], Awaitable[None]]) -> None:
        self._remove = remove
        self._waiting: list[SettledRecord] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()

    def add(self, record: SettledRecord) -> None:
        """Have a record removed soon; its row is durable."""
        if not self._waiting:
            self._some.set()
        self._waiting.append(record)
        if len(self._waiting) >= MANY_RECORDS:
            self._many.set()

    async def run(self) -> None:
        """Remove until cancelled, then what is left."""
        try:
            while True:
                await self._some.wait()
                try:
                    async with asyncio.timeout(RECORD_WAIT_SECONDS):
                        await self._many.wait()
                except TimeoutError:
                    pass
                await self._flush()
        finally:
            await self._flush()

    async def _flush(self) -> None:
        self._some.clear()
        self._many.clear()
        records, self._waiting = self._waiting, []
        if not records:
            return
        try:
            await self._remove(records)
        except (TrayagentError, OSError) as error:
            # A record too many does no harm, and the next start removes it.
            log.warning("The records of %d finished files stay for now: %s", len(records), error)

    def __repr__(self) -> str:
        return f"<SettledRecords: {len(self._waiting)} wait>"
