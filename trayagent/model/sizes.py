"""Sizes and durations as people write and read them."""

from __future__ import annotations

import re
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


def show_size(count: int) -> str:
    """`532 bytes`, `1.4 MB`: three digits at most, units of 1000."""
    if abs(count) < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value, units = count / 1000, ["PB", "TB", "GB", "MB", "KB"]
    unit = units.pop()
    while abs(value) >= 999.5 and units:
        value, unit = value / 1000, units.pop()
    return f"{value:.0f} {unit}" if abs(value) >= 99.95 else f"{value:.1f} {unit}"


def show_duration(seconds: float) -> str:
    """`8 s`, `3 min`, `1 h 20 min`, `2 d 3 h`: the two largest units that matter."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return (
            f"{whole // 60} min"
            if whole >= 600 or whole % 60 == 0
            else f"{whole // 60} min {whole % 60} s"
        )
    hours, minutes = divmod(whole // 60, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
