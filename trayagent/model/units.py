"""Sizes, durations and moments, read from text; and moments written for programs (RFC 3339).

How people read them is in `wording`.
"""

from __future__ import annotations

import math
import re
from calendar import timegm
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

_UNITS: Final[dict[str, int]] = {
    "": 1,
    "b": 1,
    **{f"{letter}{b}": 1000**power for power, letter in enumerate("kmgt", 1) for b in ("", "b")},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
_SECONDS: Final = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}

_SIZE: Final = re.compile(
    r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]{0,3})(?:/s)?", re.IGNORECASE | re.ASCII
)
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([a-z]{0,3})", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of `2MB` (2,000,000), `1.5 GiB`, `0`; raises ValueError with a plain reason."""
    match = _SIZE.fullmatch(text.strip())
    if not match or match[2].lower() not in _UNITS:
        raise ValueError(f"{text!r} is not a size; write it like 500KB, 2MB or 50GB")
    return round(float(match[1]) * _UNITS[match[2].lower()])


def parse_count(text: str | None) -> int | None:
    """Bytes as a header counts them, digits alone; None for anything else, and for more than any file has.

    Python refuses to read thousands of digits, and leading zeros are digits, too.
    """
    if text is None or len(text) > 19 or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def parse_duration(text: str) -> float:
    """Seconds of `30m`, `6h`, `1.5s`, `250ms`, `0`; raises ValueError with a plain reason."""
    match = _DURATION.fullmatch(text.strip())
    if not match or match[2].lower() not in _SECONDS:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 15m or 6h")
    return float(match[1]) * _SECONDS[match[2].lower()]


def parse_range(text: str) -> tuple[float, float]:
    """Shortest and longest seconds of `1-2s` (or of one duration); raises ValueError with a plain reason."""
    low, dash, high = text.partition("-")
    if not dash:
        return parse_duration(text), parse_duration(text)
    unit = re.sub(r"[\d.\s]", "", high)
    shortest = parse_duration(
        low if re.search(r"[a-z]", low, re.IGNORECASE) else low.strip() + unit
    )
    longest = parse_duration(high)
    if shortest > longest:
        raise ValueError(f"{text!r} begins after it ends; write it like 1-2s")
    return shortest, longest


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# What happens happens many times a second, and much of it at one moment.
@lru_cache(maxsize=64)
def stamp(seconds: float | None) -> str | None:
    """RFC 3339 UTC with milliseconds of Unix seconds; None stays None."""
    if seconds is None:
        return None
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micro // 1000:03}Z"


@lru_cache(maxsize=64)
def _second(whole: int) -> str:
    # Not fromtimestamp: on Windows it knows nothing before 1970.
    return (_EPOCH + timedelta(seconds=whole)).replace(tzinfo=None).isoformat()


_MIDNIGHT: Final = time(tzinfo=UTC)
_USUAL: Final = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_NAMES: Final = (
    "january february march april may june july august september october november december".split()
)
_MONTHS: Final = {name[:3].title(): number for number, name in enumerate(_NAMES, 1)}

_FURTHEST_SECONDS: Final = 7.3e9
"""Seconds either way of 1970, to the years 1738 and 2201: nothing that an API lists is further away."""
_PER_SECOND: Final = (1, 10**3, 10**6, 10**9)
"""How fine a number may count: seconds, milliseconds, microseconds, nanoseconds."""
_YEAR_ONE: Final = frozenset(-62_135_596_800 * unit for unit in _PER_SECOND)
"""Its first moment, in which nothing was created: in coarser units it would pass for a day of 1968."""
_LONGEST_TEXT: Final = 100
"""Characters of a date; a longer text is none."""

_NUMBER: Final = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_DOTNET: Final = re.compile(r"\\?/Date\((-?\d{1,17})(?:[+-]\d{4})?\)\\?/", re.ASCII)
"""How .NET writes milliseconds in JSON; the zone behind them changes nothing."""
_ZONE_NAME: Final = re.compile(r"\[[A-Za-z0-9_+/-]{1,50}\]$")
_INSIDE: Final = ("$date", "$numberLong", "_seconds", "seconds")
"""Where MongoDB, Firestore and protobuf keep a moment in an object."""
_DIGITS: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?", re.ASCII)
_YEAR_MONTH: Final = re.compile(r"(\d{4})(?:-(\d\d))?", re.ASCII)
_YEAR_FIRST: Final = re.compile(r"(\d{4})([-/.:])(\d{1,2})\2(\d{1,2})(?!\d)(.*)", re.ASCII)
_YEAR_LAST: Final = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)(.*)", re.ASCII)
_CLOCK: Final = re.compile(
    r"(?<!\d)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?"  # hours, minutes, seconds, parts of one
    r"(?: ?([AaPp])\.?[Mm]\b\.?)?"
    r"(?: ?(?:([A-Za-z]{1,5})(?![A-Za-z]))?(?: ?([+-]\d\d):?(\d\d)?(?!\d))?(?: [A-Z]{3,5}$)?)",
    re.ASCII,
)
_AHEAD: Final = (
    "Z+0 UT+0 UTC+0 GMT+0 WET+0 EST-5 EDT-4 CST-6 CDT-5 MST-7 MDT-6 PST-8 PDT-7"
    " BST+1 CET+1 CEST+2 EET+2 EEST+3 MSK+3 JST+9".split()
)
_ZONES: Final = {zone[:-2]: int(zone[-2:]) for zone in _AHEAD}
"""Hours that a zone is ahead of UTC: those of RFC 5322 §4.3, and a few that people meet."""
_FILLERS: Final = frozenset(
    "mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday friday saturday sunday"
    " st nd rd th of at on t".split()
)
"""Words that a date may hold beside its month."""


@lru_cache(maxsize=64)  # the files of one folder are often of one moment
def seconds_of(text: str | None) -> float | None:
    """Unix seconds of an HTTP date in any of its forms; None for what is none."""
    match = _USUAL.fullmatch(text or "")
    try:
        if match and match[2] in _MONTHS:  # ten times quicker than the general way
            day, _, *rest = match.groups()
            year, hour, minute, second = map(int, rest)
            return float(timegm((year, _MONTHS[match[2]], int(day), hour, minute, second)))
        # Only here: it costs a start of the command line more than everything else in this file.
        from email.utils import parsedate_to_datetime

        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def parse_moment(value: object, others: Iterable[object] = ()) -> float | None:
    """Unix seconds, negative before 1970, of a moment as an API writes it; None for what tells none.

    `others` is the same field of the source's other items, without this one: it settles what a value
    alone leaves open.

    1. A number, or a text of digits, counts seconds, milliseconds, microseconds or nanoseconds from
       1970. Its size tells which; a small one goes by most of the others.
    2. A text is ISO 8601, RFC 2822, the forms of asctime, JavaScript, Twitter, .NET or EXIF, or a date
       in words; `05/04/2024` only if another shows whether day or month comes first.
       A zone's name in brackets behind it (`[Europe/Berlin]`, RFC 9557) changes nothing.
    3. A list is year, month, day, hours, minutes, seconds, as Java writes it; an object has its moment
       under one of `_INSIDE`, as databases export it.
    4. Without a zone a time is UTC; a date alone, and an EXIF date, which is the camera's, is local.
    5. Year 0, 1 and 9999 are how programs write that there is no date.
    """
    if isinstance(value, list):
        return _from_parts(value)
    for _ in range(2):  # an object may hold one more: {"$date": {"$numberLong": "…"}}
        if isinstance(value, dict):
            value = next((value[key] for key in _INSIDE if key in value), None)
    number = _number(value)
    if number is not None:
        unit = _unit(number)
        if unit is None or number in _YEAR_ONE:
            return None
        units = Counter(_unit(other) for other in map(_number, others) if other is not None)
        # Seconds of 1970 and milliseconds of last week are the same number: the other items tell which.
        usual, times = units.most_common(1)[0] if units else (None, 0)
        # Only towards the finer: what is too large for seconds is none, whatever the others are.
        if usual is not None and usual > unit and times * 2 > units.total():
            unit = usual
        return number / unit
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    text = _ZONE_NAME.sub("", " ".join(value.split()))
    dotnet = _DOTNET.fullmatch(text)
    if dotnet:
        return int(dotnet[1]) / 1000
    # From the strictest form to the loosest, so that no loose one misreads what a strict one would know.
    try:
        when = _iso(text) or _year_first(text) or _year_last(text, others) or _date_in_words(text)
        return None if when is None or when.year in (1, 9999) else (when - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None


def local_day(seconds: float) -> str:
    """`YYYY-MM-DD` where we are. Raises OverflowError for what no calendar holds."""
    when = _EPOCH + timedelta(seconds=seconds)
    return (when + _ahead(when)).date().isoformat()


# -- numbers


def _number(value: object) -> float | None:
    """A count since 1970; None for all else, and for digits that are a date themselves (`20240501`)."""
    # A bool is an int in Python; `true` is no date.
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        value = value.strip()
        if len(value) == 4 or not _NUMBER.fullmatch(value) or _digits(value):
            return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _unit(number: float) -> int | None:
    """The coarsest unit in which a number is a date that somebody may mean."""
    return next((unit for unit in _PER_SECOND if abs(number) <= _FURTHEST_SECONDS * unit), None)


def _from_parts(parts: list[object]) -> float | None:
    """`[2024, 5, 1, 12, 0, 0]`, in UTC; nanoseconds behind them are left out."""
    if not 3 <= len(parts) <= 7 or not all(type(part) is int for part in parts):
        return None
    try:
        when = datetime(*parts[:6], tzinfo=UTC)  # type: ignore[arg-type,misc]
    except (ValueError, OverflowError):
        return None
    return None if when.year in (1, 9999) else (when - _EPOCH).total_seconds()


# -- texts; each returns None for a form that is not its own


def _iso(text: str) -> datetime | None:
    """ISO 8601, also reduced to digits, to a month or to a year."""
    shorter = _YEAR_MONTH.fullmatch(text)
    if shorter:
        return _at_home(datetime(int(shorter[1]), int(shorter[2] or 1), 1, tzinfo=UTC))
    if _NUMBER.fullmatch(text):
        return _digits(text)
    try:
        return _at_home(datetime.combine(date.fromisoformat(text), _MIDNIGHT))
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _digits(text: str) -> datetime | None:
    """`20240501` or `20240501120000`, where the digits are a date of our time."""
    match = _DIGITS.fullmatch(text)
    if match is None or not 1800 <= int(match[1]) <= 2200:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        when = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return when if match[4] else _at_home(when)


def _year_first(text: str) -> datetime | None:
    """`2024/05/01 12:00`, `2024-5-1`, and `2024:05:01 12:00:00` of EXIF."""
    match = _YEAR_FIRST.fullmatch(text)
    if match is None:
        return None
    year, colon, month, day, rest = match.groups()
    return _at_clock(date(int(year), int(month), int(day)), rest, camera=colon == ":")


def _year_last(text: str, others: Iterable[object]) -> datetime | None:
    """`01.05.2024`, whose day comes first, and `05/31/2024`, where one above 12 tells."""
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    first, mark, second, year, rest = match.groups()
    pairs = [(int(first), int(second)), *_pairs(others, mark)]
    day_first = mark == "." or any(one > 12 for one, _ in pairs)
    month_first = any(two > 12 for _, two in pairs)
    if day_first == month_first:
        return None
    day, month = (first, second) if day_first else (second, first)
    return _at_clock(date(int(year), int(month), int(day)), rest)


def _pairs(others: Iterable[object], mark: str) -> Iterator[tuple[int, int]]:
    for other in others:
        match = _YEAR_LAST.fullmatch(other) if isinstance(other, str) else None
        if match and match[2] == mark:
            yield int(match[1]), int(match[3])


def _date_in_words(text: str) -> datetime | None:
    """A date whose month is a word: RFC 2822, RFC 850, asctime, Twitter, JavaScript, `May 1, 2024, 12:00 PM`."""
    text = re.sub(r"\([^()]*\)", " ", text)
    clock = _CLOCK.search(text)
    rest = text[: clock.start()] + " " + text[clock.end() :] if clock else text
    words: list[str] = re.findall(r"[^\W\d_]+|\d+", rest)
    numbers = [word for word in words if word.isdecimal()]
    names = [word.lower() for word in words if not word.isdecimal()]
    # A word that is neither a filler nor a month makes it no date: `May` alone is a name, too.
    months = [
        next(
            (at for at, full in enumerate(_NAMES, 1) if len(name) > 2 and full.startswith(name)), 0
        )
        for name in names
        if name not in _FILLERS
    ]
    if len(months) != 1 or not months[0] or len(numbers) != 2:
        return None
    day, year = sorted(numbers, key=len) if len(numbers[0]) == 4 else numbers
    if len(year) == 2:  # RFC 850; RFC 5322 §4.3 says which century
        year = f"20{year}" if int(year) < 50 else f"19{year}"
    if len(year) != 4 or len(day) > 2:
        return None
    return _at_clock(date(int(year), months[0], int(day)), clock[0] if clock else "")


def _at_clock(day: date, rest: str, *, camera: bool = False) -> datetime | None:
    """A day with the time of day and the zone that `rest` holds; None for a rest that is neither."""
    rest = rest.strip(" ,").lstrip("Tt ")
    if not rest:
        return _at_home(datetime.combine(day, _MIDNIGHT))
    match = _CLOCK.fullmatch(rest)
    if match is None:
        return None
    hour, minute, second, part, half, zone, hours, minutes = match.groups()
    if half:
        hour = int(hour) % 12 + (12 if half in "Pp" else 0)
    micro = int((part or "").ljust(6, "0")[:6])
    # A second 60 is a leap second, which no calendar of ours has.
    moment = time(int(hour) % 24, int(minute), min(59, int(second or 0)), micro, UTC)
    when = datetime.combine(day, moment)
    if int(hour) >= 24:  # 24:00 is the midnight at the end of the day (ISO 8601-1:2019 amendment 1)
        if moment != _MIDNIGHT or int(hour) > 24:
            return None
        when += timedelta(days=1)
    ahead = _offset(zone, hours, minutes)
    if ahead is None:
        return _at_home(when) if camera else when
    return when.replace(tzinfo=ahead)


def _offset(zone: str | None, hours: str | None, minutes: str | None) -> tzinfo | None:
    """The zone that a clock names; an unknown name says nothing."""
    if hours:
        whole = int(hours) * 60
        part = int(minutes or 0)
        return timezone(timedelta(minutes=whole - part if hours[0] == "-" else whole + part))
    known = _ZONES.get((zone or "").upper())
    return None if known is None else timezone(timedelta(hours=known))


# -- this machine's zone


def _at_home(wall: datetime) -> datetime:
    """The moment at which a clock here shows the time that `wall` has in UTC."""
    return wall.replace(tzinfo=timezone(_ahead(wall)))


def _ahead(when: datetime) -> timedelta:
    """How far local time is ahead of UTC then; Windows knows that from 1970 on, so it is asked about that year."""
    try:
        ahead = when.astimezone().utcoffset()
    except (OSError, OverflowError, ValueError):
        ahead = when.replace(year=1971, day=min(when.day, 28)).astimezone().utcoffset()
    return ahead or timedelta()
