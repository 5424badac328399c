"""Text lists: a URL a line, mirrors after TABs, `[folder]` headings, `#` comments, aria2's indented options.

An indented `engine=` above all links, or right below a heading, counts for every link that follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from msgspec import Struct, field
from msgspec.structs import replace

from trayagent.lists import aria2
from trayagent.lists.entry import START, ListEntry, ListError, Position
from trayagent.lists.text import RawLine, read_lines
from trayagent.model import filenames, urls, validation
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError

MOST_OPTION_CHARACTERS: Final = 1024 * 1024
"""Of all options of one address; more of them is not kept."""
_OPTION_CHARACTERS: Final = 100
"""What an option counts for besides its own: even an empty one takes memory."""
_HEADING: Final = re.compile(r"\[(.*)\]")
_NEEDS_CARE: Final = re.compile(r"[\s\"'<>]")
"""A bare address holds none of these: they part mirrors, or came along when it was copied."""
_OPTION: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=(.*)", re.DOTALL)
_BULLET: Final = re.compile(
    r"(?:[-*+\u2022\u2013]|\d{1,6}[.)])\s+(?=[\"'<]?https?://)", re.IGNORECASE
)
"""What notes and web pages write before each line of a list: `- `, `2. `."""
_LINK_IN_BRACKETS: Final = re.compile(r"[\s\"']*https?://", re.IGNORECASE)


class _OpenEntry(Struct):
    """A line of URLs whose option lines are still being read."""

    number: int
    url_line: str
    head: Position
    last_line: RawLine
    options: list[tuple[str, str]] = field(default_factory=list)
    room: int = MOST_OPTION_CHARACTERS
    """Characters that more options may have; below 0 there were too many."""

    def add_option(self, name: str, value: str) -> None:
        """Keep an option, as long as there is room."""
        self.room -= len(name) + len(value) + _OPTION_CHARACTERS
        if self.room >= 0:
            self.options.append((name, value))


def read(file: BinaryIO, start: Position = START) -> Iterator[ListEntry]:
    """The entries of a text list from a position on; comments and blank lines are none."""
    # A file that is no text is one entry with an error. Who goes on behind it gets nothing more.
    try:
        yield from _entries(read_lines(file, start.offset, start.line), start)
    except ListError as error:
        if not start.line:
            yield ListEntry(1, "", error=("bad_list", str(error)), after=Position(line=1))


def _entries(lines: Iterable[RawLine], head: Position) -> Iterator[ListEntry]:
    """A line is, in this order:

    1. blank or a comment: it says nothing, and does not end the options of the entry above;
    2. an option of the entry above: indented, `name=value`, no URL;
    3. anything else ends the entry above. Then it is a heading, which sets the folder of what
       follows (of nothing, where it may not be used); or too long; or an option of no entry,
       where only `engine` is one for all that follows; or a URL, which opens the next entry.

    Of `head` the folder and the engine count.
    """
    entry: _OpenEntry | None = None
    for line in lines:
        text = urls.trim(line.text or "")
        if line.text is not None and (not text or text.startswith("#")):
            continue
        option = _option_in(line.text, text)
        if option and entry:
            entry.add_option(option[1].lower(), option[2].strip())
            entry.last_line = line
            continue
        if entry:
            yield _close(entry)
            entry = None
        heading = _HEADING.fullmatch(text) if text.startswith("[") else None
        if heading:
            head, problem = _enter_heading(heading[1].strip() or None, head)
            if problem:
                yield _refuse(line, text, problem, head)
        elif line.text is None:
            yield _refuse(line, "", ("bad_url", "The line is too long."), head)
        elif option and option[1].lower() == "engine":
            head = replace(head, engine=option[2].strip() or None)
        elif option:
            yield _refuse(line, text, ("bad_item", "This option belongs to no address."), head)
        else:
            bullet = None if text[0] in "hH" else _BULLET.match(text)
            text = text[bullet.end() :] if bullet else text
            entry = _OpenEntry(line.number, text, head, line)
            # First of its options: one of its own comes later, and counts.
            if head.engine:
                entry.options.append(("engine", head.engine))
    if entry:
        yield _close(entry)


def _option_in(line: str | None, text: str) -> re.Match[str] | None:
    """The option that a line is, without its blanks `text`; None: it is something else."""
    is_indented = line is not None and line[0] in " \t"
    return _OPTION.fullmatch(text) if is_indented and not urls.looks_absolute(text) else None


def _enter_heading(folder: str | None, head: Position) -> tuple[Position, tuple[str, str] | None]:
    """The head of what follows, and why the folder may not be used."""
    # A JSON array, say: taken for a folder, it would be a list without a single link.
    if folder and _LINK_IN_BRACKETS.match(folder):
        return head, ("bad_url", "A link stands here without brackets, or the list ends in .json.")
    try:
        filenames.safe_folder(folder)
    except DownloadError as error:
        # What follows goes to the downloads folder itself, not to the heading before.
        return replace(head, folder=None), (error.code, error.message)
    return replace(head, folder=folder), None


def _close(entry: _OpenEntry) -> ListEntry:
    folder = entry.head.folder
    after = _position(entry.last_line, entry.head)
    if not entry.options and not _NEEDS_CARE.search(entry.url_line):
        # Most lines of a long list are a bare URL, which nothing below would change.
        item = Item(entry.url_line, folder=folder)
        return ListEntry(entry.number, entry.url_line, item, after=after)
    # aria2 ends the line of a saved session with a TAB, too.
    uris = [uri for uri in (urls.trim(part) for part in entry.url_line.split("\t")) if uri]
    if entry.room < 0:
        error = ("bad_item", "This address has too many options.")
        return ListEntry(entry.number, uris[0], error=error, after=after)
    try:
        item, warnings = aria2.build_item(uris, entry.options, folder)
    except DownloadError as error:
        return ListEntry(entry.number, uris[0], error=(error.code, error.message), after=after)
    except ListError as error:
        return ListEntry(entry.number, uris[0], error=("bad_item", str(error)), after=after)
    item, more = validation.mend(item)
    return ListEntry(entry.number, item.url, item, warnings=(*warnings, *more), after=after)


def _refuse(line: RawLine, text: str, error: tuple[str, str], head: Position) -> ListEntry:
    return ListEntry(line.number, text, error=error, after=_position(line, head))


def _position(line: RawLine, head: Position) -> Position:
    return replace(head, offset=line.end, line=line.number)
