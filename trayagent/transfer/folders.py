"""What we know of the folders that files go to: they exist, have room, and how quick their disk is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from trayagent.model.disk import Disk
from trayagent.model.errors import DownloadError
from trayagent.transfer.disk import IN_THE_WAY, check_room, explained
from trayagent.transfer.executor import Stop, in_executor

T = TypeVar("T")

FRESH: Final = 1.0
"""Seconds for which a look at a folder holds."""
AWAKE: Final = 10.0
"""Seconds without a look after which a disk may have fallen asleep, or a network be gone."""
MOST: Final = 256


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    device: int


class Folders:
    """Looks at each folder at most once a second, however many files go there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[Path, _Look] = {}
        self._disks: dict[int, Disk] = {}

    async def check(self, folder: Path, needed: int, keep_free: int) -> None:
        """Make the folder; raise DownloadError unless `needed` more bytes fit into it."""
        if needed < 2**20 and self._age(folder) < FRESH:
            return

        def look() -> int:
            with explained():
                try:
                    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
                except FileExistsError:
                    raise DownloadError("permission_denied", IN_THE_WAY) from None
                device = folder.stat().st_dev
            check_room(folder, needed, keep_free)
            return device

        device = await self.do(folder, look)
        if len(self._looks) > MOST:
            self._looks.clear()
        self._looks[folder] = _Look(self._clock(), device)
        self._disks.setdefault(device, Disk(time.perf_counter))

    async def do(
        self, folder: Path, act: Callable[[], T], *, small: bool = True, stop: Stop | None = None
    ) -> T:
        """Do blocking work in this folder: at once if it is small and the disk quick, else in the executor.

        A cancellation sets `stop`, and takes effect once the work is over.
        """
        if small and self._age(folder) < AWAKE:
            disk = self._disks[self._looks[folder].device]
            if disk.quick:
                return disk.timed(act)
        return await in_executor(act, stop)

    def _age(self, folder: Path) -> float:
        """Seconds since the last look."""
        look = self._looks.get(folder)
        return math.inf if look is None else self._clock() - look.at

    def __repr__(self) -> str:
        return f"<Folders {len(self._looks)} looked at, {list(self._disks.values())}>"
