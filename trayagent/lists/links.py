"""Link files, one address each: Windows `.url`, macOS `.webloc`, freedesktop `.desktop`."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterable, Iterator
from typing import Final
from xml.parsers.expat import ExpatError

from trayagent.lists.line import ListError
from trayagent.lists.text import decode
from trayagent.lists.whole import Entry, reader
from trayagent.model.downloads import Item

MAX_LINK: Final = 64 * 1024
"""Bytes; it holds one address."""
_ESCAPES: Final = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def parse_url(data: bytes) -> Iterator[Entry]:
    """`URL=` of the section `[InternetShortcut]`."""
    yield _entry(_value(decode(data), "internetshortcut", re.compile(r"url", re.IGNORECASE)))


def parse_desktop(data: bytes) -> Iterator[Entry]:
    """`URL=` of a `[Desktop Entry]` with `Type=Link` (Desktop Entry Specification)."""
    text = decode(data)
    if _value(text, "desktop entry", re.compile("Type")) != "Link":
        raise ListError("This is a launcher of a program, not a link.")
    found = _value(text, "desktop entry", re.compile(r"URL(\[[^\[\]]*\])?"))
    yield _entry(re.sub(r"\\([sntr\\])", lambda match: _ESCAPES[match[1]], found))


def parse_webloc(data: bytes) -> Iterator[Entry]:
    """`URL` of a property list, XML or binary; entity declarations are refused."""
    try:
        value = plistlib.loads(data)
    except (
        plistlib.InvalidFileException,
        ExpatError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ListError("This is not a readable .webloc link.") from error
    url = value.get("URL", "") if isinstance(value, dict) else ""
    yield _entry(url if isinstance(url, str) else "")


read_url = reader(parse_url, MAX_LINK)
read_desktop = reader(parse_desktop, MAX_LINK)
read_webloc = reader(parse_webloc, MAX_LINK)


def write_url(items: Iterable[Item]) -> str:
    """The only item as a Windows shortcut."""
    return f"[InternetShortcut]\r\nURL={_only(items)}\r\n"


def write_desktop(items: Iterable[Item]) -> str:
    """The only item as a freedesktop link."""
    url = _only(items).replace("\\", "\\\\")
    return f"[Desktop Entry]\nType=Link\nName=Link\nURL={url}\n"


def write_webloc(items: Iterable[Item]) -> str:
    """The only item as a macOS link."""
    return plistlib.dumps({"URL": _only(items)}).decode()


def _only(items: Iterable[Item]) -> str:
    (item,) = items
    return item.url


def _entry(url: str) -> Entry:
    url = url.strip()
    return (
        Entry(url, Item(url))
        if url
        else Entry("", problem="The link file holds no address.", code="bad_url")
    )


def _value(text: str, section: str, key: re.Pattern[str]) -> str:
    """The first value of a key in an INI section; sections are compared in lower case."""
    inside = False
    for line in re.split(r"\r\n|[\r\n]", text):
        line = line.strip()
        if line.startswith("["):
            inside = line.strip("[]").strip().lower() == section
        name, equals, value = line.partition("=")
        if inside and equals and key.fullmatch(name.strip()):
            return value.strip()
    return ""
