"""Speed limits: bytes are paid for after they arrive, and the debt is waited out before the next read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from trayagent.net.exchange import BUFFER

_CREDIT: Final = 0.1
"""Seconds of unused time that may be caught up on."""


_PIECES: Final = 8
_SMALLEST_PIECE: Final = 1024
"""Bytes; libcurl takes no smaller buffer."""


def buckets_of(everything: Bucket, speed_limit: int) -> list[Bucket]:
    """What the bytes of one file are paid from: the limit they share and, if there is one, its own."""
    return [everything, *([Bucket(speed_limit)] if speed_limit else [])]


def piece_of(buckets: Sequence[Bucket]) -> int:
    """How many bytes to take at a time: an eighth of a second's, so that a slow limit flows evenly."""
    piece = BUFFER
    for bucket in buckets:
        if bucket.rate:
            piece = min(piece, bucket.rate // _PIECES)
    return max(_SMALLEST_PIECE, piece)


def is_limited(buckets: Sequence[Bucket]) -> bool:
    """Whether any of them limits anything now."""
    for bucket in buckets:  # noqa: SIM110  asked for every small file: `any` would be three calls more
        if bucket.rate:
            return True
    return False


def spend(buckets: Sequence[Bucket], count: int) -> float:
    """Account for `count` bytes in each; returns the seconds to wait before taking more."""
    wait = 0.0
    for bucket in buckets:
        if bucket.rate:
            wait = max(wait, bucket.spend(count))
    return wait


class Bucket:
    """A limit in bytes a second, exact over time for one byte as for gigabytes; 0 is no limit.

    It keeps the moment until which its bytes are paid for, so nothing drifts and nothing ticks.
    """

    def __init__(self, rate: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._paid_until = 0.0
        self._lock = Lock()

    def spend(self, count: int) -> float:
        """Account for `count` bytes; returns the seconds to wait before taking more."""
        if not self.rate:
            return 0.0
        with self._lock:  # the engine pays, and so does the gateway of the page engine
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _CREDIT) + count / self.rate
            return max(0.0, self._paid_until - now)

    def __repr__(self) -> str:
        return f"<Bucket {self.rate or 'without limit'}{' bytes/s' if self.rate else ''}>"
