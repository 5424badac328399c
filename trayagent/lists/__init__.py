"""Lists of URLs, read and never obeyed, one dialect a file: bytes in, items out, nothing else touched.

A `Dialect` belongs to the endings of file names. Its `read` yields a `ListEntry` for everything that asks
for a download: with an `Item`, or with the reason why there is none. A bad entry never costs a good one.

    text, plain            a .txt, a line at a time in bounded memory, from any `Position` on
    aria2                  the indented options of such a list, and what turns options into an item
    crawljob, metalink     JDownloader's jobs and Metalinks; both hand their words to `aria2`
    links, json_items      link files of desktops, and JSON as the HTTP interface takes it
    entry                  `ListEntry`, `Position`, and `whole_reader` for all that is not read by lines

Who calls: the drop folder, `trayagent add`, `get` and `plan`. Items come out unchecked; the intake checks
them. `aria2.format_list` writes the one list that we make, of the entries to try again.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from msgspec import Struct

from trayagent.lists import plain
from trayagent.lists.entry import START, ListEntry, ListError, Position

__all__ = ["DIALECTS", "START", "Dialect", "ListEntry", "ListError", "Position", "dialect_for"]


class Dialect(Struct, frozen=True):
    """One way to write a list."""

    name: str
    endings: tuple[str, ...]
    read: Callable[[BinaryIO, Position], Iterator[ListEntry]]
    """Entries of a seekable binary file from a position on; blocks while it reads."""

    def parse(self, data: str | bytes) -> Iterator[ListEntry]:
        """All entries of a list that is in memory already."""
        raw = data.encode() if isinstance(data, str) else data
        return self.read(io.BytesIO(raw), START)


def _reader(module: str, name: str = "read") -> Callable[[BinaryIO, Position], Iterator[ListEntry]]:
    """Reads by a module of this room, loaded when it is needed: most lists are text, which costs no XML."""

    def read(file: BinaryIO, position: Position) -> Iterator[ListEntry]:
        found: Callable[[BinaryIO, Position], Iterator[ListEntry]]
        found = getattr(importlib.import_module(f"trayagent.lists.{module}"), name)
        return found(file, position)

    return read


DIALECTS: Final = (
    Dialect("text", ("txt",), plain.read),
    Dialect("crawljob", ("crawljob",), _reader("crawljob")),
    Dialect("metalink", ("meta4", "metalink"), _reader("metalink")),
    Dialect("url", ("url",), _reader("links", "read_url")),
    Dialect("webloc", ("webloc",), _reader("links", "read_webloc")),
    Dialect("desktop", ("desktop",), _reader("links", "read_desktop")),
    Dialect("json", ("json",), _reader("json_items")),
)


def dialect_for(name: str) -> Dialect | None:
    """The dialect of a file by the last ending of its name, in any case; None if it is no list."""
    ending = name.rpartition(".")[2].lower()
    return next((dialect for dialect in DIALECTS if ending in dialect.endings), None)
