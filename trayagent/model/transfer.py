"""What transfer is asked to do, and what it answers: the seam between the pool and the bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from trayagent.model.downloads import Cookie, Kind
from trayagent.model.errors import DownloadError
from trayagent.model.urls import redact


class Request(Struct, frozen=True):
    """Where the bytes are and what to say to get them."""

    url: str
    """Like the mirrors and the referer, it may hold a secret in its query: the repr leaves that out."""
    mirrors: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    """Custom headers: secret, sent to the first origin only."""
    cookies: tuple[Cookie, ...] = ()
    referer: str | None = None
    user_agent: str | None = None
    named: frozenset[str] = frozenset()
    """`host:port` pairs that the user named himself: they may be private (the `named` rule)."""

    def each_source(self) -> list[Request]:
        """This one, then each mirror without what is meant for the first origin only."""
        if not self.mirrors:
            return [self]
        bare = replace(self, mirrors=(), headers={}, referer=None)
        return [self, *(replace(bare, url=mirror) for mirror in self.mirrors)]

    def __repr__(self) -> str:
        return f"<Request to {redact(self.url)}>"


class Target(Struct, frozen=True):
    """Where the file goes and what it must be."""

    folder: Path
    """Absolute, inside the allowed roots already."""
    by_type: dict[str, Path] = {}
    """Type of file -> another folder: the name decides, as soon as it is chosen."""
    filename: str | None = None
    """The name wanted; None: from Content-Disposition, then the URL."""
    path: Path | None = None
    """The final path reserved by an earlier attempt; its `.part` is resumed with proof."""
    owner: str = ""
    """Which download this is, for good: written beside the `.part`, which no other takes up."""
    kind: Kind = "auto"
    checksum: str | None = None
    size: int | None = None
    """Bytes that it must have; another length is `checksum_mismatch`."""
    pieces: str | None = None
    """Checksums of its pieces (`Pieces.parse`)."""
    segments: int | None = None
    speed_limit: int = 0
    """Bytes a second for this download; 0: none of its own."""
    mtime: float | None = None
    """Unix seconds to stamp the file with; None: Last-Modified, else now."""
    stem: str | None = None
    """For synced items: the file is named `<stem>.<extension by content>`."""
    pages: bool = False
    """A page or a manifest is not saved but told of, as an error that says what was `found`."""


class Fetched(Struct, frozen=True):
    """A verified, published file."""

    path: Path
    size: int
    sha256: str | None = None
    """Hex, where it was computed on the way."""
    warning: str | None = None


class Content(Struct, frozen=True):
    """Bytes that a resolver already holds (inline base64): to be checked and published as they are."""

    data: bytes

    def __repr__(self) -> str:
        return f"<Content of {len(self.data)} bytes>"


class Made(Struct, frozen=True):
    """A finished file that a resolver made in a scratch folder: to be moved into place."""

    path: Path
    filename: str
    warning: str | None = None


# A plain object, not an event for every block: the engine writes numbers, and the front reads them a few
# times a second. Python's assignments are whole, so that no lock is needed.


class Progress:
    """How far a download is: written by the engine and by whoever drives it, read by whoever likes.

    Plain values, each written by one thread at a time; reading takes no lock and disturbs nobody.
    """

    __slots__ = ("path", "received", "size")

    def __init__(self) -> None:
        self.path: Path | None = None
        """The final name, as soon as it is chosen; it exists only once the file is complete."""
        self.size: int | None = None
        """Bytes that the file will have; None: nobody told."""
        self.received = 0
        """Bytes of the file that are here."""

    def __repr__(self) -> str:
        return f"<Progress: {self.received} of {self.size} bytes>"


class Resolver(Protocol):
    """What a source or the site engine adds to a download: it says what to fetch next."""

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """Answer for the download `key`; `failure` is why the last answer did not work, None at first.

        Raises DownloadError when there is nothing (more) to try; the first error is the cause.
        `note(received, size)` reports progress of work done here.
        """
