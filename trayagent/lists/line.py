"""One entry of a list, as read, and the place in the file to go on from."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Item


class Position(Struct, frozen=True, omit_defaults=True):
    """Where reading goes on after a kill; small, and safe to keep in the database."""

    offset: int = 0
    """Bytes from the start of the file, for line-based lists."""
    line: int = 0
    """Lines, or entries, already read."""
    folder: str | None = None
    """The `[folder]` heading in force."""


START: Final = Position()


class Line(Struct, frozen=True):
    """One entry: an item, or the reason why it is none."""

    number: int
    """From 1: the line in the file, or the entry's number in JSON, crawljob and Metalink."""
    url: str
    """As written; may hold a password, so redact it before it is shown."""
    item: Item | None = None
    """Not yet checked: that is for whoever lets it in."""
    error: tuple[str, str] | None = None
    """Code and one plain sentence, when `item` is None."""
    warnings: tuple[str, ...] = ()
    """What was written but is not done, one plain sentence each."""
    after: Position = START
    """Where the next entry begins."""

    def __repr__(self) -> str:
        return f"<Line {self.number}: {'an item' if self.item else self.error}>"


class ListError(ValueError):
    """The file as a whole cannot be read as a list; the text is one plain sentence."""
