"""How far one download is: what transfer reports, at most four events a second."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model.events import DownloadProgress

PERIOD: Final = 0.25
"""Seconds between two events of one download."""


class Reporter:
    """Transfer's `Progress` for one download."""

    def __init__(
        self, id: str, bus: Bus, reserve: Callable[[Path, int | None], Awaitable[None]]
    ) -> None:
        self.total = 0
        """Bytes of the file that are here."""
        self._id = id
        self._bus = bus
        self._reserve = reserve
        self._told = 0.0
        self._before = 0
        self._speed = 0.0

    async def reserved(self, path: Path, size: int | None) -> None:
        """Make the name durable."""
        await self._reserve(path, size)

    def received(self, total: int, size: int | None) -> None:
        """Note it; tell of it when it is time."""
        self.total = total
        now = time.monotonic()
        if not self._told:
            self._told, self._before = now, total
        if now - self._told < PERIOD:
            return
        rate = max(0, total - self._before) / (now - self._told)
        self._speed = rate if not self._speed else 0.6 * self._speed + 0.4 * rate
        self._told, self._before = now, total
        self._bus.publish(DownloadProgress(self._id, total, size, round(self._speed)))
