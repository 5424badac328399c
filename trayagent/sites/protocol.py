"""What is said about a page, on both sides of the engine.

Between engine and worker: one WorkerRequest, then WorkerMessages, one JSON object a line. Between queue
and engine: a VideoPage in, a PageAnswer out.

    worker says       engine answers
    ----------------  ---------------------------------------------------
    FileMade          Made: a file to publish
    DirectMedium      MediumAddress: the agent's own transfer fetches it
    SeveralEntries    SeveralVideos: ask again once the others are queued
    UnknownSite       None
    WorkerFailure     raises DownloadError
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from trayagent.model.downloads import Cookie
from trayagent.model.transfer import Made, Request


class WorkerRequest(Struct, frozen=True):
    """All that a worker is told. It comes through its standard input, so it is never on a disk."""

    url: str
    folder: str
    """The scratch folder, the only place to write to."""
    proxy: str
    """The gateway with this worker's secret."""
    title: str | None = None
    """Of the page, for what has no title of its own."""
    quality: str = "best"
    subtitles: tuple[str, ...] = ()
    cookies: tuple[Cookie, ...] = ()
    user_agent: str | None = None
    referer: str | None = None
    ffmpeg: str | None = None
    release: str | None = None
    """A folder with a newer yt-dlp than the installed one."""
    most_entries: int = 50
    max_size: int = 0
    """Bytes of one file; 0: any."""
    memory: int = 0
    """Bytes of address space; 0: any."""
    known_only: bool = False
    """Answer `UnknownSite` unless the site is one that yt-dlp knows by name."""
    single: bool = False
    """Take the first of several entries."""
    look_only: bool = False
    """Answer `PageSeen`, and fetch nothing."""

    def __repr__(self) -> str:
        return f"<WorkerRequest for {self.quality}, {len(self.cookies)} cookies>"


# What the worker says: first phases and bytes, as often as it likes, then one of the others, once.
class WorkerPhase(Struct, frozen=True, tag="phase"):
    """It begins to do this: `looking`, `fetching` or `merging`."""

    name: str


class BytesReceived(Struct, frozen=True, tag="received"):
    """Bytes that are here, and how many there will be."""

    total: int
    size: int | None = None


class PageEntry(Struct, frozen=True):
    """One of several things on a page."""

    url: str
    title: str = ""
    is_page: bool = True
    """Whether the address is a page, else that of the medium itself."""


class SeveralEntries(Struct, frozen=True, tag="several"):
    """The page holds several; nothing was fetched. `total` counts also those that are not named here."""

    title: str
    entries: tuple[PageEntry, ...]
    total: int


class DirectMedium(Struct, frozen=True, tag="direct"):
    """The medium is one plain file: whoever fetches files may fetch it."""

    url: str
    name: str
    headers: dict[str, str] = {}
    cookies: tuple[Cookie, ...] = ()
    warning: str | None = None

    def __repr__(self) -> str:
        return f"<DirectMedium {self.name}>"


class FileMade(Struct, frozen=True, tag="done"):
    """The file is made."""

    path: str
    name: str
    warning: str | None = None


# What is asked for a look only: what a page offers.
class PageForm(Struct, frozen=True):
    """One form in which a medium can be had: a height of the picture, 0 for the sound alone."""

    height: int
    size: int | None = None
    """Bytes, as far as the site tells; picture and sound together."""


class PageSeen(Struct, frozen=True, tag="seen"):
    """What a page offers; nothing was fetched but a small picture of it."""

    title: str = ""
    seconds: float | None = None
    """How long the medium plays."""
    forms: tuple[PageForm, ...] = ()
    """The largest picture first, the sound alone last."""
    subtitles: tuple[str, ...] = ()
    """Languages."""
    entries: tuple[PageEntry, ...] = ()
    """Of a page that holds several."""
    total: int = 0
    """Entries in all; there may be more than are named."""
    picture: bytes = b""
    """A JPEG, PNG or WebP as the site has it; empty: none, or one that is too large."""


class UnknownSite(Struct, frozen=True, tag="unknown"):
    """No site that yt-dlp knows by name."""


class WorkerFailure(Struct, frozen=True, tag="failed"):
    """There will be no file; `code` is one of a download's, `detail` has no address in it."""

    code: str
    detail: str = ""


WorkerMessage = (
    WorkerPhase
    | BytesReceived
    | SeveralEntries
    | DirectMedium
    | FileMade
    | PageSeen
    | UnknownSite
    | WorkerFailure
)


NoteProgress = Callable[[int, int | None], None]


class VideoPage(Struct, frozen=True):
    """A page of which to make a file."""

    id: str
    """Of the download."""
    request: Request
    title: str | None = None
    quality: str | None = None
    subtitles: tuple[str, ...] = ()
    speed_limit: int = 0
    known_only: bool = False
    """Answer None unless the site is known by name."""


class MediumAddress(Struct, frozen=True):
    """The medium is one plain file, to be fetched as any other."""

    request: Request
    filename: str
    warning: str | None = None


class SeveralVideos(Struct, frozen=True):
    """The page holds several; `resolve` goes on with the first after `take_first`."""

    title: str
    first: PageEntry
    others: tuple[PageEntry, ...]
    left_out: int


PageAnswer = Made | MediumAddress | SeveralVideos | None
