"""One-time codes, and the patience for wrong ones."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Final

Clock = Callable[[], float]

OUTSTANDING: Final = 32
"""So many codes may be open at a time; the oldest one gives way."""


def digest(secret: str) -> bytes:
    """What we keep of a secret that we only need to recognise."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Codes:
    """Codes of 128 random bits that work once, for `lifetime` seconds of a steady clock."""

    def __init__(self, lifetime: float, clock: Clock = time.monotonic) -> None:
        self.lifetime = lifetime
        self._clock = clock
        self._open: dict[bytes, float] = {}

    def issue(self) -> str:
        """A fresh code."""
        self._forget_old()
        while len(self._open) >= OUTSTANDING:
            del self._open[next(iter(self._open))]
        code = secrets.token_urlsafe(16)
        self._open[digest(code)] = self._clock() + self.lifetime
        return code

    def redeem(self, code: str) -> bool:
        """Whether the code was good; it is spent by asking."""
        self._forget_old()
        return self._open.pop(digest(code), None) is not None

    def _forget_old(self) -> None:
        now = self._clock()
        self._open = {code: end for code, end in self._open.items() if end > now}


class Guesses:
    """Counts wrong secrets, so that guessing becomes slow: `limit` of them in `window` seconds are answered calmly."""

    def __init__(
        self, limit: int = 10, window: float = 60.0, clock: Clock = time.monotonic
    ) -> None:
        self._limit = limit
        self._window = window
        self._clock = clock
        self._times: deque[float] = deque(maxlen=limit)

    def wrong(self) -> None:
        """Somebody came with a wrong secret."""
        self._times.append(self._clock())

    @property
    def wait(self) -> float:
        """Seconds until the next wrong one is answered calmly; 0 now."""
        if len(self._times) < self._limit:
            return 0.0
        return max(0.0, self._times[0] + self._window - self._clock())
