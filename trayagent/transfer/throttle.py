"""Speed limits: bytes are paid for after they arrive, and the debt is waited out before the next read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_CREDIT: Final = 0.1
"""Seconds of unused time that may be caught up on."""
_PIECES: Final = 8
"""Reads a second, at least, so that a slow limit still flows evenly."""


def buckets_of(everything: Bucket, speed_limit: int) -> list[Bucket]:
    """What the bytes of one file are paid from: the limit they share and, if there is one, its own."""
    return [everything, *([Bucket(speed_limit)] if speed_limit else [])]


class Bucket:
    """A limit in bytes a second, exact over time for one byte as for gigabytes; 0 is no limit.

    It keeps the moment until which its bytes are paid for, so nothing drifts and nothing ticks.
    """

    def __init__(self, rate: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._paid_until = 0.0

    def spend(self, count: int) -> float:
        """Account for `count` bytes; returns the seconds to wait before taking more."""
        if not self.rate:
            return 0.0
        now = self._clock()
        self._paid_until = max(self._paid_until, now - _CREDIT) + count / self.rate
        return max(0.0, self._paid_until - now)

    def piece(self, most: int) -> int:
        """How many bytes to take at a time, `most` at most."""
        return min(most, max(1, self.rate // _PIECES)) if self.rate else most

    def __repr__(self) -> str:
        return f"<Bucket {self.rate or 'without limit'}{' bytes/s' if self.rate else ''}>"
