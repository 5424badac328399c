"""Short labels: at most 40 characters, names cut in the middle, numbers in a fixed form."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Final
from urllib.parse import unquote, urlsplit

from trayagent.model.downloads import Download

WIDTH: Final = 40


def middle(text: str, width: int = WIDTH) -> str:
    """The text in at most `width` characters; its beginning and its end say most."""
    if len(text) <= width:
        return text
    tail = width // 2 - 1
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def plain(text: str) -> str:
    """One line without control or direction-changing characters: a name must not disguise itself."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def name(download: Download) -> str:
    """What to call a download: its file, else the last part of its address; never a query."""
    if download.filename:
        return plain(download.filename)
    parts = urlsplit(download.url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return plain(last or parts.hostname or download.id)


def titled(title: str, rest: str) -> str:
    """A title and a short fact about it: the fact stays whole, the title gives way."""
    rest = middle(rest, 20)
    return f"{middle(title, WIDTH - len(rest) - 3)} — {rest}" if rest else middle(title)


def percent(download: Download) -> int | None:
    """How much has arrived, 0–100; None while the length is unknown."""
    if not download.size:
        return None
    return min(100, download.received * 100 // download.size)


def progress(download: Download) -> str:
    """`42 %`, or how much arrived while the length is unknown."""
    done = percent(download)
    return f"{download.received / 1e6:.1f} MB" if done is None else f"{done} %"


def rate(speed: int) -> str:
    """Bytes a second in one fixed unit, so that the menu does not jump."""
    return f"{speed / 1e6:.1f} MB/s"


def left(downloads: Iterable[Download]) -> str:
    """The time the active downloads still need together, or nothing while it cannot be known."""
    known = [d for d in downloads if d.size]
    speed = sum(d.speed for d in known)
    if not speed:
        return ""
    seconds = sum(max(0, (d.size or 0) - d.received) for d in known) // speed
    if seconds < 60:
        return "under 1 min left"
    return f"{seconds // 60} min left" if seconds < 5400 else f"{round(seconds / 3600)} h left"


def clock(until: str, zone: tzinfo | None = None) -> str:
    """An RFC 3339 time as the wall clock says it, here or in `zone`."""
    return datetime.fromisoformat(until).astimezone(zone).strftime("%H:%M")
