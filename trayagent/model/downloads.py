"""A download: one URL on its way to one file, as asked for, as worked on, as told to others."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType


class State(StrEnum):
    """The states of a download; there are no others."""

    QUEUED = "queued"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


SETTLED: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
"""States in which nothing more happens by itself."""

Via = Literal["hook", "extension", "cli", "drop", "sync", "page", "aria2", "metube"]
Kind = Literal["auto", "video", "image", "audio", "file", "page"]
QUALITY: Final = re.compile(r"best|worst|audio|\d{3,4}p?")
"""What may be asked of a video page: a height means the best that is not higher."""


# Lengths and patterns stand at the fields, so that a body is refused while it is decoded: nothing of an
# item is looked at before its size is known, and the document of the API says the same.


class Cookie(Struct, frozen=True, forbid_unknown_fields=True):
    """A structured cookie; it goes where its domain, path and secure flag allow (RFC 6265 §5.4)."""

    name: Annotated[str, Meta(min_length=1, max_length=4096)]
    value: Annotated[str, Meta(max_length=8192)]
    domain: Annotated[str, Meta(max_length=253)] | None = None
    """A leading dot: its subdomains, too. None or empty: the host of the item's own URL alone, which is
    written here when the item enters; before that such a cookie goes nowhere.
    """
    path: str = "/"
    secure: bool = False


class Item(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing asked for, as the hook, a list, the command line or a sync says it."""

    url: Annotated[str, Meta(min_length=1, max_length=65536)]
    filename: Annotated[str, Meta(max_length=1024)] | None = None
    """The name wanted; made safe before use."""
    folder: Annotated[str, Meta(max_length=1024)] | None = None
    """Relative, inside the downloads folder."""
    referer: Annotated[str, Meta(max_length=16384)] | None = None
    user_agent: Annotated[str, Meta(max_length=1024)] | None = None
    headers: dict[str, str] = {}
    cookies: tuple[Cookie, ...] = ()
    page_url: Annotated[str, Meta(max_length=65536)] | None = None
    title: Annotated[str, Meta(max_length=1024)] | None = None
    checksum: Annotated[str, Meta(pattern=r"^[a-z0-9-]+=[0-9A-Fa-f]+$")] | None = None
    """`sha-256=<hex>` and friends."""
    size: Annotated[int, Meta(ge=0)] | None = None
    """Bytes that the file must have."""
    pieces: Annotated[str, Meta(max_length=200_000)] | None = None
    """Checksums of its pieces, as `Pieces.parse` reads them."""
    kind: Kind = "auto"
    mirrors: tuple[str, ...] = ()
    segments: Annotated[int, Meta(ge=1, le=16)] | None = None
    speed_limit: str | None = None
    """Bytes a second, as in the settings: `2MB`."""
    paused: bool = False
    next: bool = False
    """To the front of the queue."""
    quality: str | None = None
    subtitles: tuple[str, ...] = ()
    again: bool = False
    """Fetch although we have it."""
    engine: Annotated[str, Meta(max_length=40)] | None = None
    """The engine of the settings that is to fetch it, or `here`; None: as the settings say."""


class ErrorInfo(Struct, frozen=True):
    """Why a download failed or waits."""

    code: str
    message: str
    action: str


class Download(Struct, frozen=True):
    """A download as others see it; never holds a secret. Times are RFC 3339 UTC, sizes bytes."""

    id: str
    url: str
    state: State
    filename: str | None = None
    path: str | None = None
    """Absolute; where the file is, or will be."""
    size: int | None = None
    received: int = 0
    speed: int = 0
    """Bytes a second, while active."""
    attempts: int = 0
    not_before: str | None = None
    error: ErrorInfo | None = None
    warning: str | None = None
    via: Via = "hook"
    source: str | None = None
    batch: str | None = None
    duplicate_of: str | None = None
    sha256: str | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    engine: str | None = None
    """Which engine elsewhere fetches it; None: we do."""
    remote_path: str | None = None
    """Where the file is when it is not on this machine: with that engine, or in a bucket (`s3://…`)."""

    # The id alone would not do: two agents can share a folder, and both have a `d1`.
    @property
    def owner(self) -> str:
        """Which download this is, also beside those of another agent: see `Target.owner`."""
        return f"{self.id} {self.created_at}"

    def __repr__(self) -> str:
        # Logs hold reprs; a query may open somebody's account.
        return f"<Download {self.id} {self.state} {self.filename or self.url.partition('?')[0]}>"


class Rejected(Struct, frozen=True):
    """One item of a request that was refused, by its index from 0."""

    index: int
    url: str
    code: str
    message: str


class Receipt(Struct, frozen=True):
    """What became of a request: durable once you hold it."""

    batch: str | None
    downloads: tuple[Download, ...]
    rejected: tuple[Rejected, ...] = ()


class Patch(Struct, frozen=True, forbid_unknown_fields=True):
    """Other words for the same file: what is left out stays as it was; null takes a word back."""

    url: Annotated[str, Meta(min_length=1, max_length=65536)] | UnsetType = UNSET
    cookies: tuple[Cookie, ...] | UnsetType = UNSET
    """In place of those from before, like the headers."""
    headers: dict[str, str] | UnsetType = UNSET
    referer: Annotated[str, Meta(max_length=16384)] | UnsetType | None = UNSET
    speed_limit: str | UnsetType | None = UNSET
    segments: Annotated[int, Meta(ge=1, le=16)] | UnsetType | None = UNSET
    filename: Annotated[str, Meta(max_length=1024)] | UnsetType | None = UNSET
    folder: Annotated[str, Meta(max_length=1024)] | UnsetType | None = UNSET
    mirrors: tuple[str, ...] | UnsetType = UNSET
    engine: Annotated[str, Meta(max_length=40)] | UnsetType | None = UNSET
    """`here`, an engine of the settings, or null: as the rules of the settings say."""

    @property
    def renames(self) -> bool:
        """Whether the file gets another name or folder."""
        return self.filename is not UNSET or self.folder is not UNSET

    @property
    def may_move(self) -> bool:
        """Whether what has arrived may be at the wrong place afterwards: another name, or machine."""
        return self.renames or self.engine is not UNSET


def encode(value: object) -> bytes:
    """JSON of a model value."""
    return msgspec.json.encode(value)


class Batch(Struct, frozen=True):
    """A batch as others see it. `counts` has a number for every outcome and state that occurs."""

    id: str
    title: str
    via: Via
    list: str | None = None
    """The list file it came from."""
    counts: dict[str, int] = {}
    """`queued active paused completed failed cancelled duplicate rejected` -> how many entries."""
    created_at: str = ""
    finished_at: str | None = None
    undone_at: str | None = None
    first_error: str | None = None
    """The sentence of the first failed or rejected entry."""

    def __repr__(self) -> str:
        done = "finished" if self.finished_at else "running"
        return f"<Batch {self.id} {self.title}, {done}: {self.counts}>"


class Entry(Struct, frozen=True):
    """One line of a batch: what was asked, and what became of it."""

    line: int
    url: str
    download: str | None = None
    outcome: str | None = None
    path: str | None = None
    code: str | None = None
    message: str | None = None
