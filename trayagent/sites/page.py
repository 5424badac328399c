"""A page of which to make a file, and what may become of it: what passes between engine and queue."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from trayagent.model.transfer import Made, Request
from trayagent.sites.wire import Entry

Note = Callable[[int, int | None], None]


class Page(Struct, frozen=True):
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


class Address(Struct, frozen=True):
    """The medium is one plain file, to be fetched as any other."""

    request: Request
    filename: str
    warning: str | None = None


class Choice(Struct, frozen=True):
    """The page holds several; `resolve` goes on with the first once `chosen` was told."""

    title: str
    first: Entry
    others: tuple[Entry, ...]
    left_out: int


Answer = Made | Address | Choice | None
