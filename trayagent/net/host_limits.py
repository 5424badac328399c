"""The shared cool-down: a host that said "slow down" once is left alone by every download."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

from trayagent.model import retry

MOST_HOSTS: Final = 1000
"""Remembered; the oldest is forgotten first."""


class Cooldown:
    """Until when nothing is asked of a `host:port`, and how often in a row it was busy. Thread-safe."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, rand: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._rand = rand
        self._until: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def remaining(self, host: str) -> float:
        """Seconds to go, 0 when the host may be asked."""
        if not self._until:
            return 0.0
        return max(0.0, self._until.get(host, (0.0, 0))[0] - self._clock())

    def note(self, host: str, retry_after: float | None) -> float:
        """The host was busy (429, 503); returns the seconds it is left alone now.

        A later and shorter wish shortens nothing: answers overtake each other.
        """
        with self._lock:
            until, strikes = self._until.pop(host, (0.0, 0))
            wait = retry.delay(strikes + 1, retry_after=retry_after, rand=self._rand())
            self._until[host] = (max(until, self._clock() + wait), strikes + 1)
            if len(self._until) > MOST_HOSTS:
                del self._until[next(iter(self._until))]
        return self.remaining(host)

    def clear(self, host: str) -> None:
        """The host answered well."""
        if self._until:
            with self._lock:
                self._until.pop(host, None)

    def __repr__(self) -> str:
        return f"<Cooldown of {sum(self.remaining(host) > 0 for host in list(self._until))} hosts>"
