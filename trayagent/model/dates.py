"""HTTP dates (RFC 9110 §5.6.7)."""

from __future__ import annotations

import re
from calendar import timegm
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

_USUAL: Final = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)
_MONTHS: Final = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}


@lru_cache(maxsize=64)  # the files of one folder are often of one moment
def seconds_of(text: str | None) -> float | None:
    """Unix seconds of an HTTP date in any of its forms; None for what is none."""
    match = _USUAL.fullmatch(text or "")
    try:
        if match and match[2] in _MONTHS:  # ten times quicker than the general way
            day, _, *rest = match.groups()
            year, hour, minute, second = map(int, rest)
            return float(timegm((year, _MONTHS[match[2]], int(day), hour, minute, second)))
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
