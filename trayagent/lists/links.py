"""Link files, one address each: Windows `.url`, macOS `.webloc`, freedesktop `.desktop`."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterator
from typing import Final
from xml.parsers.expat import ExpatError

from trayagent.lists.entry import ListError, ParsedEntry, whole_reader
from trayagent.lists.text import decode
from trayagent.model.downloads import Item

MOST_LINK_BYTES: Final = 64 * 1024
"""Of a link file, which holds one address."""
_ESCAPES: Final = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def parse_url(data: bytes) -> Iterator[ParsedEntry]:
    """`URL=` of the section `[InternetShortcut]`."""
    yield _entry(_ini_value(decode(data), "internetshortcut", re.compile(r"url", re.IGNORECASE)))


def parse_desktop(data: bytes) -> Iterator[ParsedEntry]:
    """`URL=` of a `[Desktop Entry]` with `Type=Link` (Desktop Entry Specification)."""
    text = decode(data)
    if _ini_value(text, "desktop entry", re.compile("Type")) != "Link":
        raise ListError("This is a launcher of a program, not a link.")
    # KDE writes URL[$e] where the value may hold variables; we expand none.
    url = _ini_value(text, "desktop entry", re.compile(r"URL(\[[^\[\]]*\])?"))
    yield _entry(re.sub(r"\\([sntr\\])", lambda match: _ESCAPES[match[1]], url))


def parse_webloc(data: bytes) -> Iterator[ParsedEntry]:
    """`URL` of a property list, XML or binary; plistlib refuses entity declarations."""
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


read_url = whole_reader(parse_url, MOST_LINK_BYTES)
read_desktop = whole_reader(parse_desktop, MOST_LINK_BYTES)
read_webloc = whole_reader(parse_webloc, MOST_LINK_BYTES)


def _entry(url: str) -> ParsedEntry:
    url = url.strip()
    if not url:
        return ParsedEntry("", problem="The link file holds no address.", code="bad_url")
    return ParsedEntry(url, Item(url))


def _ini_value(text: str, section: str, key: re.Pattern[str]) -> str:
    """The first value of a key in an INI section; sections are compared in lower case.

    configparser is too strict for what is found on desktops: it refuses a key that comes twice.
    """
    is_inside = False
    for line in re.split(r"\r\n|[\r\n]", text):
        line = line.strip()
        if line.startswith("["):
            is_inside = line.strip("[]").strip().lower() == section
        name, equals, value = line.partition("=")
        if is_inside and equals and key.fullmatch(name.strip()):
            return value.strip()
    return ""
