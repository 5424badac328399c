"""Full speed by the clock: hours and days in which a limit holds."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from msgspec import Struct

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"(\d{1,2}):(\d\d)\s*[-–]\s*(\d{1,2}):(\d\d)")


class Hours(Struct, frozen=True):
    """A span of the clock on some days; one that ends before it begins lasts into the next day."""

    begin: int
    """Minutes since midnight."""
    end: int
    days: frozenset[int]
    """Days on which it begins; 0 is Monday."""

    def __contains__(self, moment: datetime) -> bool:
        """Whether the local time lies inside."""
        at, today = moment.hour * 60 + moment.minute, moment.weekday()
        if self.begin < self.end:
            return today in self.days and self.begin <= at < self.end
        # Over midnight: the evening belongs to today's span, the morning to yesterday's.
        return (today in self.days and at >= self.begin) or (
            (today - 1) % 7 in self.days and at < self.end
        )


def parse_hours(hours: str, days: str = "") -> Hours:
    """`08:00-18:00` and `mon-fri` or `sat, sun`; no days are all days. Raises ValueError with a plain reason."""
    match = _HOURS.fullmatch(hours.strip())
    numbers = [int(part) for part in match.groups()] if match else []
    if not match or numbers[0] > 24 or numbers[2] > 24 or numbers[1] > 59 or numbers[3] > 59:
        raise ValueError(f"{hours!r} are no hours; write them like 08:00-18:00")
    # 24:00 is midnight: as a beginning that is 0:00, as an end it is the end of the day.
    begin, end = (numbers[at] * 60 + numbers[at + 1] for at in (0, 2))
    return Hours(begin % 1440, min(end, 1440), parse_days(days))


def parse_days(text: str) -> frozenset[int]:
    """`mon-fri`, `sat, sun`, empty for every day. Raises ValueError with a plain reason."""
    if not text.strip():
        return frozenset(range(7))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.strip().lower()):
        first, _, last = part.partition("-")
        try:
            begin, end = DAYS.index(first[:3]), DAYS.index((last or first)[:3])
        except ValueError:
            raise ValueError(f"{text!r} are no days; write them like mon-fri or sat, sun") from None
        # `fri-mon` goes over the end of the week.
        found |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(found)
