"""The page engine as the agent sees it: a page's address in, a file or an address to fetch out."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import structs
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
MOST_WORDS: Final = 1_000_000
"""Of one worker; it says four a second at most."""
_TICK: Final = 2.0
"""Seconds between two looks at a worker that says nothing."""
_FEW: Final = 3
"""Pages of a host that nobody knew by name, after which the host is not asked about again."""
_HOSTS: Final = 1000
"""Hosts that are remembered."""
_REFUSED: Final = frozenset({"forbidden", "network", "no_media_found", "timeout"})
"""Codes that may be the gateway's refusal as the worker saw it."""


@dataclass(frozen=True, slots=True)
class WorkerBounds:
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
        """What becomes of a page; None: nobody knows it by name. Raises DownloadError."""
        host = page.request.url.split("/", 3)[2]
        if page.known_only and (not self.is_installed or self._strangers.get(host, 0) >= _FEW):
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
        first = await asyncio.to_thread(scratch.first_entry, page.request.url)
        ask = self._ask(page, scratch, first)
        with self._gateway.admit(page.request.named, self._throttle(page.speed_limit)) as leave:
            said = await self._run(structs.replace(ask, proxy=leave.url), leave, note)
        if isinstance(said, UnknownSite):
            if len(self._strangers) >= _HOSTS:
                self._strangers.clear()
            self._strangers[host] = self._strangers.get(host, 0) + 1
            await asyncio.to_thread(scratch.remove)
            return None
        return await self._answer(said, page, scratch)

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        """The others are taken care of: from now on the page stands for its first entry."""
        first = choice.first
        await asyncio.to_thread(
            self._scratch(page.id).note_first, page.request.url, first.url, first.title
        )

    async def discard(self, id: str) -> None:
        """Nothing of this download is needed any more."""
        await asyncio.to_thread(self._scratch(id).remove)

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        """It came to nothing: only what another try can go on from is kept."""
        scratch = self._scratch(id)
        if error.traits.is_final:
            await asyncio.to_thread(scratch.remove)
        else:
            await asyncio.to_thread(scratch.tidy, choice=error.traits.is_retryable)

    def __repr__(self) -> str:
        return f"<YtDlpEngine {'ready' if self.is_installed else 'without yt-dlp'}>"

    # -- parts

    def _scratch(self, id: str) -> ScratchFolder:
        return ScratchFolder(Path(self._config.downloads.folder), str(self._releases.folder), id)

    def _ask(
        self, page: VideoPage, scratch: ScratchFolder, first: tuple[str, str] | None
    ) -> WorkerRequest:
        request, release = page.request, self._releases.current()
        return WorkerRequest(
            url=first[0] if first else request.url,
            folder=str(scratch.path),
            proxy="",
            title=(first[1] if first else None) or page.title,
            quality=page.quality or self._config.sites.quality,
            subtitles=page.subtitles,
            cookies=request.cookies,
            user_agent=request.user_agent,
            referer=request.referer,
            ffmpeg=shutil.which("ffmpeg", path=self._environ.get("PATH")),
            release=str(release) if release else None,
            most_entries=MOST_ENTRIES,
            max_size=units.parse_size(self._config.downloads.max_size),
            memory=self._bounds.memory,
            known_only=page.known_only,
            single=first is not None,
        )

    async def _run(self, ask: WorkerRequest, leave: Pass, note: NoteProgress) -> WorkerMessage:
        async with WorkerProcess.start(ask, self._environ) as child:
            phase, heard = "looking", 0
            while True:
                said = await self._next(child, leave, phase, Path(ask.folder))
                heard += 1
                if heard > MOST_WORDS:
                    raise DownloadError("internal", "the page engine said too much")
                if said is None:
                    status = await child.exit_status()
                    raise DownloadError("internal", f"the page engine ended by itself ({status})")
                if isinstance(said, WorkerPhase):
                    phase = said.name
                elif isinstance(said, BytesReceived):
                    note(said.total, said.size)
                elif isinstance(said, WorkerFailure):
                    raise _failure(said, leave)
                else:
                    return said

    async def _next(
        self, child: WorkerProcess, leave: Pass, phase: str, folder: Path
    ) -> WorkerMessage | None:
        """The worker's next word; bytes count as a sign of life while it fetches."""
        patience = getattr(self._bounds, phase, self._bounds.looking)
        here, alive = leave.received, time.monotonic()
        while True:
            try:
                async with asyncio.timeout(min(_TICK, patience)):
                    return await child.next_message()
            except TimeoutError:
                pass
            if phase == "fetching" and leave.received != here:
                here, alive = leave.received, time.monotonic()
            if time.monotonic() - alive >= patience:
                raise DownloadError("stalled", "the page engine")
            await asyncio.to_thread(self._check_room, folder)

    def _check_room(self, folder: Path) -> None:
        if shutil.disk_usage(folder).free < units.parse_size(self._config.downloads.keep_free):
            raise DownloadError("disk_full", "downloads.keep_free is to be kept")

    async def _answer(
        self, said: WorkerMessage, page: VideoPage, scratch: ScratchFolder
    ) -> PageAnswer:
        if isinstance(said, SeveralEntries):
            if not said.entries:
                raise DownloadError("no_media_found")
            first, *others = said.entries
            left = max(0, said.total - len(said.entries))
            return SeveralVideos(said.title, first, tuple(others), left)
        name = filenames.safe(_text(getattr(said, "name", "")))
        if isinstance(said, DirectMedium):
            await asyncio.to_thread(scratch.tidy, choice=True)  # its bytes gather elsewhere
            return MediumAddress(_request(said, page.request), name, said.warning)
        assert isinstance(said, FileMade)
        return Made(await asyncio.to_thread(scratch.made_file, said.path), name, said.warning)


def _failure(said: WorkerFailure, leave: Pass) -> DownloadError:
    if leave.refused is not None and said.code in _REFUSED:
        return leave.refused
    code = said.code if said.code in SENTENCES else "internal"
    return DownloadError(code, _text(said.detail)[:200])


def _text(text: str) -> str:
    """Printable, and without any address."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return without_addresses(plain)


def _request(said: DirectMedium, asked: Request) -> Request:
    headers = dict(said.headers)
    agent = headers.pop("User-Agent", None)
    referer = headers.pop("Referer", None)
    return replace(
        asked,
        url=said.url,
        mirrors=(),
        headers=headers,
        cookies=said.cookies,
        referer=referer,
        user_agent=agent or asked.user_agent,
    )
