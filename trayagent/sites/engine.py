"""The page engine as the agent sees it: a page's address in, a file or an address to fetch out.

A worker may take WorkerBounds and no more: each phase has its time without a sign of life, the disk
keeps what the settings say, and a message too many is an error.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from trayagent.model import filenames, units
from trayagent.model.errors import SENTENCES, DownloadError
from trayagent.model.settings import Config
from trayagent.model.transfer import Made, Request
from trayagent.net.gateway import Gateway, Pass
from trayagent.sites.protocol import (
    BytesReceived,
    DirectMedium,
    FileMade,
    MediumAddress,
    NoteProgress,
    PageAnswer,
    PageSeen,
    SeveralEntries,
    SeveralVideos,
    UnknownSite,
    VideoPage,
    WorkerFailure,
    WorkerMessage,
    WorkerPhase,
    WorkerRequest,
)
from trayagent.sites.reasons import without_addresses
from trayagent.sites.update import Releases
from trayagent.sites.worker_process import ScratchFolder, WorkerProcess

MOST_ENTRIES: Final = 50
"""Of a page that holds several."""
MOST_MESSAGES: Final = 1_000_000
"""Of one worker; it says four a second at most."""
_LOOK_SECONDS: Final = 2.0
"""Seconds between two looks at a worker that says nothing."""
_STRANGER_PAGES: Final = 3
"""Pages of a host that yt-dlp did not know by name; after so many it is not asked about the host again."""
_MOST_HOSTS: Final = 1000
"""Hosts that are remembered."""
_PERHAPS_REFUSED: Final = frozenset({"forbidden", "network", "no_media_found", "timeout"})
"""Codes that may be the gateway's refusal as the worker saw it: then the gateway knows the reason."""


class WorkerBounds(Struct, frozen=True):
    """What a worker may take: seconds without a word or a byte in each phase, and bytes of memory."""

    looking: float = 180.0
    fetching: float = 90.0
    merging: float = 1800.0
    memory: int = 3 * 2**30


class YtDlpEngine:
    """Any number of pages at a time, each in a process of its own."""

    def __init__(
        self,
        gateway: Gateway,
        releases: Releases,
        config: Config,
        *,
        environ: Mapping[str, str],
        throttle: Callable[[int], Callable[[int], float]],
        bounds: WorkerBounds | None = None,
    ) -> None:
        self._gateway = gateway
        self._releases = releases
        self._environ = environ
        self._throttle = throttle
        self._bounds = bounds or WorkerBounds()
        self._strangers: dict[str, int] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over changed settings, from the next page on."""
        self._config = config

    @property
    def is_installed(self) -> bool:
        """Whether there is a yt-dlp."""
        return self._releases.is_usable

    async def resolve(self, page: VideoPage, note: NoteProgress) -> PageAnswer:
        """What becomes of a page; None: yt-dlp does not know its site by name. Raises DownloadError."""
        # 1. Asked whether it knows the site by name, it costs no process where the answer is known: there
        #    is no yt-dlp, or it did not know several pages of this host.
        # 2. Asked for a page, it must be there.
        # 3. A failure leaves behind only what another try can go on from.
        host = page.request.url.split("/", 3)[2]
        if page.known_only and (
            not self.is_installed or self._strangers.get(host, 0) >= _STRANGER_PAGES
        ):
            return None
        if not self.is_installed:
            raise DownloadError("needs_sites_extra")
        try:
            return await self._resolve(page, host, note)
        except DownloadError as error:
            await self.keep_resumable(page.id, error)
            raise

    async def _resolve(self, page: VideoPage, host: str, note: NoteProgress) -> PageAnswer:
        scratch = self._scratch(page.id)
        await asyncio.to_thread(scratch.create)
        # After a restart: the page held several, and their first stands for it since then.
        first = await asyncio.to_thread(scratch.first_entry, page.request.url)
        url, title = first or (page.request.url, None)
        release = self._releases.current()
        with self._gateway.admit(page.request.named, self._throttle(page.speed_limit)) as leave:
            ask = WorkerRequest(
                url=url,
                folder=str(scratch.path),
                proxy=leave.url,
                title=title or page.title,
                quality=page.quality or self._config.sites.quality,
                subtitles=page.subtitles,
                cookies=page.request.cookies,
                user_agent=page.request.user_agent,
                referer=page.request.referer,
                ffmpeg=shutil.which("ffmpeg", path=self._environ.get("PATH")),
                release=str(release) if release else None,
                most_entries=MOST_ENTRIES,
                max_size=units.parse_size(self._config.downloads.max_size),
                memory=self._bounds.memory,
                known_only=page.known_only,
                single=first is not None,
            )
            answer = await self._run_worker(ask, leave, note)
        if not isinstance(answer, UnknownSite):
            return await self._page_answer(answer, page, scratch)
        # Most hosts of plain downloads are no video sites: asking costs a process each time.
        # All at once is good enough: what is forgotten costs one process more.
        if len(self._strangers) >= _MOST_HOSTS:
            self._strangers.clear()
        self._strangers[host] = self._strangers.get(host, 0) + 1
        await asyncio.to_thread(scratch.remove)
        return None

    async def look(self, request: Request) -> PageSeen:
        """What a page offers, before anything of it is fetched. Raises DownloadError."""
        if not self.is_installed:
            raise DownloadError("needs_sites_extra")
        scratch = self._scratch(f"look-{secrets.token_hex(4)}")
        await asyncio.to_thread(scratch.create)
        release = self._releases.current()
        try:
            with self._gateway.admit(request.named, self._throttle(0)) as leave:
                ask = WorkerRequest(
                    url=request.url,
                    folder=str(scratch.path),
                    proxy=leave.url,
                    ffmpeg=shutil.which("ffmpeg", path=self._environ.get("PATH")),
                    release=str(release) if release else None,
                    most_entries=MOST_ENTRIES,
                    memory=self._bounds.memory,
                    look_only=True,
                )
                answer = await self._run_worker(ask, leave, lambda _received, _size: None)
        finally:
            await asyncio.to_thread(scratch.remove)
        if not isinstance(answer, PageSeen):
            raise DownloadError("internal", "the page engine gave another answer")
        # Nothing of it is believed unseen: names are shown, addresses are asked for later.
        entries = tuple(
            replace(entry, title=_clean_text(entry.title)[:200]) for entry in answer.entries
        )
        title = _clean_text(answer.title)[:200]
        return replace(answer, title=title, entries=entries)

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        """Note, also for a later start, that the page stands for its first entry: the others are queued."""
        first = choice.first
        await asyncio.to_thread(
            self._scratch(page.id).note_first, page.request.url, first.url, first.title
        )

    async def discard(self, id: str) -> None:
        """Remove all that this download has here."""
        await asyncio.to_thread(self._scratch(id).remove)

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        """Remove what a failed download has here, but for what another try can go on from."""
        scratch = self._scratch(id)
        if error.traits.is_final:
            await asyncio.to_thread(scratch.remove)
        else:
            await asyncio.to_thread(scratch.tidy, choice=error.traits.is_retryable)

    def __repr__(self) -> str:
        return f"<YtDlpEngine {'ready' if self.is_installed else 'without yt-dlp'}>"

    def _scratch(self, id: str) -> ScratchFolder:
        return ScratchFolder(Path(self._config.downloads.folder), str(self._releases.folder), id)

    async def _run_worker(
        self, ask: WorkerRequest, leave: Pass, note: NoteProgress
    ) -> WorkerMessage:
        """The worker's last message, as long as that is no failure. Raises DownloadError."""
        async with WorkerProcess.start(ask, self._environ) as worker:
            phase = "looking"
            for _ in range(MOST_MESSAGES):
                message = await self._next_message(worker, leave, phase, Path(ask.folder))
                match message:
                    case None:
                        status = await worker.exit_status()
                        reason = f"the page engine ended by itself ({status})"
                        raise DownloadError("internal", reason)
                    case WorkerPhase():
                        phase = message.name
                    case BytesReceived():
                        note(message.total, message.size)
                    case WorkerFailure():
                        raise worker_error(message, leave)
                    case _:
                        return message
        raise DownloadError("internal", "the page engine said too much")

    async def _next_message(
        self, worker: WorkerProcess, leave: Pass, phase: str, folder: Path
    ) -> WorkerMessage | None:
        """The next message; None: the worker has ended. Raises DownloadError `stalled`, `disk_full`."""
        patience = getattr(self._bounds, phase, self._bounds.looking)
        received, alive_at = leave.received, time.monotonic()
        while True:
            try:
                async with asyncio.timeout(min(_LOOK_SECONDS, patience)):
                    return await worker.next_message()
            except TimeoutError:
                pass
            # While it fetches, bytes through the gateway are a sign of life; while it looks or merges,
            # only a message is: a page that trickles for ever would hold the slot for ever.
            if phase == "fetching" and leave.received != received:
                received, alive_at = leave.received, time.monotonic()
            if time.monotonic() - alive_at >= patience:
                raise DownloadError("stalled", "the page engine")
            usage = await asyncio.to_thread(shutil.disk_usage, folder)
            if usage.free < units.parse_size(self._config.downloads.keep_free):
                raise DownloadError("disk_full", "downloads.keep_free is to be kept")

    async def _page_answer(
        self, answer: WorkerMessage, page: VideoPage, scratch: ScratchFolder
    ) -> PageAnswer:
        """The worker's answer as the queue takes it; nothing in it is believed unseen."""
        if isinstance(answer, SeveralEntries):
            if not answer.entries:
                raise DownloadError("no_media_found")
            first, *others = answer.entries
            left_out = max(0, answer.total - len(answer.entries))
            return SeveralVideos(answer.title, first, tuple(others), left_out)
        name = filenames.safe(_clean_text(getattr(answer, "name", "")))
        if isinstance(answer, DirectMedium):
            await asyncio.to_thread(scratch.tidy, choice=True)  # its bytes gather elsewhere
            headers = dict(answer.headers)
            user_agent = headers.pop("User-Agent", None) or page.request.user_agent
            request = replace(
                page.request,
                url=answer.url,
                mirrors=(),
                referer=headers.pop("Referer", None),
                user_agent=user_agent,
                headers=headers,
                cookies=answer.cookies,
            )
            return MediumAddress(request, name, answer.warning)
        assert isinstance(answer, FileMade)
        file = await asyncio.to_thread(scratch.made_file, answer.path)
        return Made(file, name, answer.warning)


def worker_error(failure: WorkerFailure, leave: Pass) -> DownloadError:
    """Why there is no file, in a code of ours; the worker is not taken at its word.

    It sees a refusal of the gateway as a broken connection, or as nothing at all. The gateway knows why.
    """
    if leave.refused is not None and failure.code in _PERHAPS_REFUSED:
        return leave.refused
    code = failure.code if failure.code in SENTENCES else "internal"
    return DownloadError(code, _clean_text(failure.detail)[:200])


def _clean_text(text: str) -> str:
    """Printable, and without any address: those may hold secrets."""
    return without_addresses("".join(c if c.isprintable() else " " for c in text))
