"""How quick a disk is with small work, judged from experience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

QUICK: Final = 0.0006
"""Seconds; a disk that needs no longer for small work is not worth a change of threads."""
HANGS: Final = 0.1
"""Seconds; once is enough."""
AGAIN: Final = 60.0
"""Seconds after which a disk that was slow may prove itself once more."""


class Disk:
    """How quick one disk is, from experience on the loop itself.

    In another thread it cannot be measured: there the wait for the interpreter is most of the time.
    When half of the last pieces of work were slow, the next ones are for another thread for a
    minute; a few are slow on any busy machine. `clock` gives seconds, to the microsecond.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._usual = 0.0
        self._slow_until = 0.0

    @property
    def quick(self) -> bool:
        """Whether small work may be done at once: a memory disk, or one with a fast cache."""
        return self._clock() >= self._slow_until

    def timed(self, act: Callable[[], T]) -> T:
        """Do small work, and note how long it took."""
        began = self._clock()
        try:
            return act()
        finally:
            self.note(self._clock() - began)

    def note(self, seconds: float) -> None:
        """So long it took this time."""
        self._usual += (min(seconds, 2 * QUICK) - self._usual) / 8
        if self._usual > QUICK or seconds > HANGS:
            self._usual, self._slow_until = QUICK / 2, self._clock() + AGAIN

    def __repr__(self) -> str:
        return f"<Disk {'quick' if self.quick else 'slow'}>"
