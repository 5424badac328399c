"""Lists of URLs, read and written, one dialect a file. Pure: bytes and values in, values and text out.

A line-based list is read piece by piece and can go on from any `Position`; the others are small and read
at once. Items come out unchecked: whoever lets them in checks them, the same way for every way in.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from trayagent.lists import aria2, crawljob, items, links, metalink, plain
from trayagent.lists.line import START, Line, Position
from trayagent.model.downloads import Item

__all__ = ["DIALECTS", "START", "Dialect", "Line", "Position", "dialect_for"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write a list."""

    name: str
    endings: tuple[str, ...]
    read: Callable[[BinaryIO, Position], Iterator[Line]]
    """Entries of a seekable binary file from a position on; blocks while it reads."""
    write: Callable[[Iterable[Item]], str]

    def parse(self, data: str | bytes) -> Iterator[Line]:
        """All entries of a list that is in memory already."""
        raw = data.encode() if isinstance(data, str) else data
        return self.read(io.BytesIO(raw), START)


DIALECTS: Final = (
    Dialect("text", ("txt",), plain.read, aria2.write),
    Dialect("crawljob", ("crawljob",), crawljob.read, crawljob.write),
    Dialect("metalink", ("meta4", "metalink"), metalink.read, metalink.write),
    Dialect("url", ("url",), links.read_url, links.write_url),
    Dialect("webloc", ("webloc",), links.read_webloc, links.write_webloc),
    Dialect("desktop", ("desktop",), links.read_desktop, links.write_desktop),
    Dialect("json", ("json",), items.read, items.write),
)


def dialect_for(name: str) -> Dialect | None:
    """The dialect of a file by the last ending of its name, in any case; None if it is no list."""
    ending = name.rpartition(".")[2].lower()
    return next((dialect for dialect in DIALECTS if ending in dialect.endings), None)
