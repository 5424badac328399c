"""Names, states, sizes, durations and times as people read them: written once.

Tray, notifications and command line take their words here. The dashboard has a copy in JavaScript
(`hook/static/format.js`), because a browser formats by itself; `tests/examples/wording.json`
holds examples for both. A translation would begin in this file.

Functions that give a text for people are named `show_…`. They know no clock: who needs the time
hands it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Final
from urllib.parse import unquote, urlsplit

STATE_WORDS: Final = {
    "queued": "Waiting",
    "active": "Downloading",
    "paused": "Paused",
    "completed": "Saved",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
"""State -> the one word for it."""
NEEDS_YOU: Final = "Needs you"
"""What is said of downloads that failed: nothing more happens without a person."""
MOST_LETTERS_OF_A_BATCH: Final = 60
"""Of the name of its first file: a title is read in a line."""
STATE_SENTENCES: Final = {
    "queued": "It waits for its turn.",
    "active": "It is being downloaded.",
    "paused": "It is paused.",
    "completed": "It is complete.",
    "failed": "It failed.",
    "cancelled": "It was cancelled.",
}
"""State -> how a download stands, where nothing more is known."""


def show_size(count: int) -> str:
    """`532 bytes`, `1.4 MB`: three digits at most, units of 1000."""
    if abs(count) < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value, units = count / 1000, ["PB", "TB", "GB", "MB", "KB"]
    unit = units.pop()
    # 999.5 would be rounded to 1000: that is 1.0 of the next unit.
    while abs(value) >= 999.5 and units:
        value, unit = value / 1000, units.pop()
    return f"{value:.0f} {unit}" if abs(value) >= 99.95 else f"{value:.1f} {unit}"


def show_speed(rate: int) -> str:
    """`2.4 MB/s` of bytes a second; empty when nothing moves."""
    return f"{show_size(rate)}/s" if rate else ""


def show_duration(seconds: float) -> str:
    """`8 s`, `3 min`, `1 h 20 min`, `2 d 3 h`: the two largest units that matter."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        # From ten minutes on nobody counts the seconds.
        return (
            f"{whole // 60} min"
            if whole >= 600 or whole % 60 == 0
            else f"{whole // 60} min {whole % 60} s"
        )
    hours, minutes = divmod(whole // 60, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def percent(received: int, size: int | None, *, most: int = 100) -> int | None:
    """How much has arrived, 0 to `most`; None while the length is unknown or nothing."""
    return min(most, received * 100 // size) if size else None


def show_clock(stamp: str, today: date | None = None, zone: tzinfo | None = None) -> str:
    """`14:05` of an RFC 3339 time, here or in `zone`; with the day when that is not `today`."""
    when = datetime.fromisoformat(stamp).astimezone(zone)
    same_day = today is None or when.date() == today
    return when.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M")


def show_local_time(stamp: str | None) -> str:
    """`2026-11-21 14:05` in this machine's time zone; empty for None."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M") if stamp else ""


def show_count(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_counts(counts: Mapping[str, int]) -> str:
    """`40 completed, 2 failed`."""
    return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or "nothing"


def name_of(filename: str | None, url: str) -> str:
    """What to call a download: its file, else the end of its address, else the host; never a query.

    The part behind `?` may open somebody's account, so it is not shown even where nothing else is.
    """
    if filename:
        return printable(filename)
    # `flow:sunset`, a synced item, has no host: its path is its name.
    parts = urlsplit(url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    return printable(last or parts.hostname or "") or url.partition("?")[0]


def name_of_batch(asked: Sequence[tuple[str | None, str]]) -> str:
    """What downloads are called that were asked for together, each with its filename and URL.

    What was asked              Called
    --------------------------  ------------------------------------------------------------
    nothing that has a host     `3 downloads`
    the first is a file         `film.mp4 and 6 more`
    pages of one site           `7 from videos.example`: the end of their addresses says little
    pages of several sites      `videos.example and 6 more`
    """
    hosts = [urlsplit(url).hostname for _, url in asked]
    if not asked or hosts[0] is None:
        return show_count(len(asked), "download")
    first, rest = name_of(*asked[0]), len(asked) - 1
    if "." not in first or first == hosts[0]:
        if rest and len(set(hosts)) == 1:
            return f"{len(asked):,} from {hosts[0]}"
        first = hosts[0]
    first = shorten(first, MOST_LETTERS_OF_A_BATCH)
    return f"{first} and {rest:,} more" if rest else first


def printable(text: str, instead: str = " ") -> str:
    """The text as one line that hides nothing: control and direction characters become `instead`.

    A name with a direction mark in it can show `exe.jpg` where `gpj.exe` is written.
    """
    if text.isprintable():
        return text.strip()
    return "".join(c if c.isprintable() else instead for c in text).strip()


def shorten_apart(texts: Sequence[str], width: int) -> list[str]:
    """Each text in at most `width` characters; those that would look alike keep what tells them apart."""
    cuts = [shorten(text, width) for text in texts]
    short = list(cuts)
    for at, text in enumerate(texts):
        alike = {other for other, cut in zip(texts, cuts, strict=True) if cut == cuts[at]}
        if len(alike) < 2:
            continue
        # The part in which they differ stands after a short beginning: `Season 1…Episode 12 – the lo…`.
        begin = width // 3
        columns = enumerate(zip(*alike, strict=False))
        common = next((n for n, column in columns if len(set(column)) > 1), len(text))
        rest = text[max(begin, common - 6) :]
        short[at] = f"{text[:begin]}…{rest}"
        if len(short[at]) > width:
            short[at] = f"{short[at][: width - 1]}…"
    return short


def shorten(text: str, width: int) -> str:
    """The text in at most `width` characters: the middle goes, since both ends of a name say most."""
    if len(text) <= width:
        return text
    tail = width // 2 - 1
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
