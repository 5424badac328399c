"""When a dropped file has arrived: a pure rule on what is seen, by our own clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

QUIET: Final = 2.0
"""Seconds without a change after which a file is whole."""


@dataclass(frozen=True, slots=True)
class Look:
    """What of a file changes while somebody writes it."""

    inode: int
    size: int
    mtime_ns: int


class Arrivals:
    """Remembers since when each file has looked as it does. Clocks of other machines play no part."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[Look, float]] = {}

    def look(self, seen: Mapping[str, Look], now: float) -> tuple[list[str], float | None]:
        """The names that have arrived, and in how many seconds the next one may have; None: nobody waits.

        `now` is a monotonic clock in seconds.
        """
        self._since = {
            name: before if (before := self._since.get(name)) and before[0] == look else (look, now)
            for name, look in seen.items()
        }
        due = {name: since + QUIET - now for name, (_, since) in self._since.items()}
        arrived = [name for name, seconds in due.items() if seconds <= 0]
        waiting = [seconds for seconds in due.values() if seconds > 0]
        return arrived, min(waiting, default=None)

    def __repr__(self) -> str:
        return f"<Arrivals: {len(self._since)} files watched>"
