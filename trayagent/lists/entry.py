"""One entry of a list as it was read, the place to go on from, and how a list is read at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from msgspec import Struct

from trayagent.model import validation
from trayagent.model.downloads import Item

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a list that is read at once; a longer one belongs into a .txt, which is read piece by piece."""


class Position(Struct, frozen=True, omit_defaults=True):
    """The place where reading goes on after a kill; small, and safe to keep in the database."""

    offset: int = 0
    """Bytes from the start of the file, for line-based lists."""
    line: int = 0
    """Lines, or entries, already read."""
    folder: str | None = None
    """The `[folder]` heading in force."""
    engine: str | None = None
    """The `engine=` above the links in force."""


START: Final = Position()


class ListEntry(Struct, frozen=True):
    """One entry: an item, or the reason why it is none."""

    number: int
    """From 1: the line in the file, or the entry's number in JSON, crawljob and Metalink."""
    url: str
    """As written; may hold a password, so redact it before it is shown."""
    item: Item | None = None
    """Not yet checked: the intake checks items, the same way for every way in."""
    error: tuple[str, str] | None = None
    """Code and one plain sentence, when `item` is None."""
    warnings: tuple[str, ...] = ()
    """One plain sentence for everything that the entry asks for and does not get."""
    after: Position = START
    """The next entry begins here."""

    def __repr__(self) -> str:
        return f"<ListEntry {self.number}: {'an item' if self.item else self.error}>"


class ListError(ValueError):
    """The file as a whole cannot be read as a list; the text is one plain sentence."""


class ParsedEntry(NamedTuple):
    """The result of a parser of whole lists at one place: an item, or the reason why there is none."""

    url: str
    item: Item | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()
    code: str = "bad_item"


def whole_reader(
    parse: Callable[[bytes], Iterator[ParsedEntry]], most_bytes: int | None = None
) -> Callable[[BinaryIO, Position], Iterator[ListEntry]]:
    """A dialect's `read` for a parser that needs the whole file; entries are numbered from 1.

    To go on from a position, the file is parsed again and what was read is left out: the number of
    an entry is its position. A file that is no list is one entry with an error, behind the others.
    """

    def read(file: BinaryIO, start: Position = START) -> Iterator[ListEntry]:
        # Also where nothing is read at all: the error of the file is entry 1 then.
        number = 0
        try:
            # Read one byte more than allowed: the size of a file may change, what is read may not.
            file.seek(0)
            limit = most_bytes or MOST_BYTES
            data = file.read(limit + 1)
            if len(data) > limit:
                raise ListError(
                    "The list is too large for its format; save it as a .txt, one address a line."
                )
            for number, (url, item, problem, warnings, code) in enumerate(parse(data), 1):
                after = Position(line=number)
                if number <= start.line:
                    continue
                if item is None:
                    error = (code, problem)
                    yield ListEntry(number, url, error=error, warnings=warnings, after=after)
                else:
                    item, more = validation.mend(item)
                    warnings = (*warnings, *more)
                    yield ListEntry(number, item.url, item, warnings=warnings, after=after)
        except ListError as error:
            # Entries that came before the trouble stand; it is the next one.
            number += 1
            if number > start.line:
                after = Position(line=number)
                yield ListEntry(number, "", error=("bad_list", str(error)), after=after)

    return read
