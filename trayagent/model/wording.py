"""Sizes and durations as people read them."""

from __future__ import annotations


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
