"""Lists that only make sense as a whole: read at once, within a bound, and numbered by entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from trayagent.lists.line import START, Line, ListError, Position
from trayagent.model import validation
from trayagent.model.downloads import Item

MAX_SIZE: Final = 32 * 1024 * 1024
"""Bytes; longer lists belong into a .txt, which is read piece by piece."""


class Entry(NamedTuple):
    """What a parser found at one place: an item, or why there is none."""

    url: str
    item: Item | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()
    code: str = "bad_item"


def reader(
    parse: Callable[[bytes], Iterator[Entry]],
    most: int | None = None,
) -> Callable[[BinaryIO, Position], Iterator[Line]]:
    """A `read` for a dialect whose parser takes the whole file, of at most so many bytes (else `MAX_SIZE`)."""

    def read(file: BinaryIO, start: Position = START) -> Iterator[Line]:
        number = 0
        try:
            for number, entry in enumerate(
                parse(_bounded(file, MAX_SIZE if most is None else most)), 1
            ):
                if number > start.line:
                    yield _line(number, entry)
        except ListError as error:
            number += 1
            if number > start.line:
                yield Line(number, "", error=("bad_list", str(error)), after=Position(line=number))

    return read


def _bounded(file: BinaryIO, most: int) -> bytes:
    file.seek(0)
    data = file.read(most + 1)
    if len(data) > most:
        raise ListError(
            "The list is too large for its format; save it as a .txt, one address a line."
        )
    return data


def _line(number: int, entry: Entry) -> Line:
    after = Position(line=number)
    if entry.item is None:
        return Line(
            number, entry.url, None, (entry.code, entry.problem), entry.warnings, after=after
        )
    item, more = validation.mend(entry.item)
    return Line(number, item.url, item, warnings=(*entry.warnings, *more), after=after)
