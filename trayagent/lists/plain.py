"""Text lists: a URL a line, mirrors after TABs, `[folder]` headings, `#` comments, aria2's indented options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from trayagent.lists import aria2
from trayagent.lists.line import START, Line, ListError, Position
from trayagent.lists.text import RawLine, lines
from trayagent.model import filenames, urls, validation
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError

_HEADING: Final = re.compile(r"\[(.*)\]")
_ODD: Final = re.compile(r"[\s\"'<>]")
"""What no plain address holds."""
_OPTION: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=(.*)", re.DOTALL)


@dataclass(slots=True)
class _Entry:
    """A URL line while its option lines are still being read."""

    number: int
    url_line: str
    folder: str | None
    end: RawLine
    options: list[tuple[str, str]] = field(default_factory=list)


def read(file: BinaryIO, start: Position = START) -> Iterator[Line]:
    """The entries of a text list from a position on; comments and blank lines are none."""
    try:
        yield from _entries(lines(file, start.offset, start.line), start.folder)
    except ListError as error:
        if not start.line:
            yield Line(1, "", error=("bad_list", str(error)), after=Position(line=1))


def write(items: Iterable[Item]) -> str:
    """URLs, mirrors and folders of items; for the rest of them there is `aria2.write`."""
    out: list[str] = []
    folder: str | None = None
    for item in items:
        if item.folder != folder:
            out.append(f"[{item.folder or ''}]\n")
            folder = item.folder
        out.append("\t".join((item.url, *item.mirrors)) + "\n")
    return "".join(out)


def _entries(raw_lines: Iterable[RawLine], folder: str | None) -> Iterator[Line]:
    entry: _Entry | None = None
    for raw in raw_lines:
        text = urls.trimmed(raw.text or "")
        if raw.text is not None and (not text or text.startswith("#")):
            continue
        option = _option(raw, text)
        if option and entry:
            entry.options.append(option)
            entry.end = raw
            continue
        if entry:
            yield _line(entry)
            entry = None
        heading = _HEADING.fullmatch(text) if text.startswith("[") else None
        if heading:
            folder, refused = _folder(heading[1])
            if refused:
                yield _refused(raw, text, refused, None)
        elif raw.text is None:
            yield _refused(raw, "", ("bad_url", "The line is too long."), folder)
        elif option:
            yield _refused(raw, text, ("bad_item", "This option belongs to no address."), folder)
        else:
            entry = _Entry(raw.number, text, folder, raw)
    if entry:
        yield _line(entry)


def _option(raw: RawLine, text: str) -> tuple[str, str] | None:
    if not raw.text or raw.text[0] not in " \t" or urls.looks_absolute(text):
        return None
    match = _OPTION.fullmatch(text)
    return (match[1].lower(), match[2].strip()) if match else None


def _folder(heading: str) -> tuple[str | None, tuple[str, str] | None]:
    heading = heading.strip()
    try:
        filenames.safe_folder(heading)
    except DownloadError as error:
        return None, (error.code, error.message)
    return heading or None, None


def _line(entry: _Entry) -> Line:
    after = Position(entry.end.end, entry.end.number, entry.folder)
    if not entry.options and not _ODD.search(entry.url_line):
        item = Item(entry.url_line, folder=entry.folder)
        return Line(entry.number, entry.url_line, item, after=after)
    uris = [uri for uri in (urls.trimmed(part) for part in entry.url_line.split("\t")) if uri]
    try:
        item, warnings = aria2.item(uris, entry.options, entry.folder)
    except DownloadError as error:
        return Line(entry.number, uris[0], error=(error.code, error.message), after=after)
    except ListError as error:
        return Line(entry.number, uris[0], error=("bad_item", str(error)), after=after)
    item, more = validation.mend(item)
    return Line(entry.number, item.url, item, warnings=(*warnings, *more), after=after)


def _refused(raw: RawLine, text: str, error: tuple[str, str], folder: str | None) -> Line:
    return Line(raw.number, text, error=error, after=Position(raw.end, raw.number, folder))
