"""What we know of the folders that files go to: they exist, have room, and how quick their disk is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from trayagent.model.disk import Disk
from trayagent.transfer.disk import check_room, explained
from trayagent.transfer.executor import Stop, in_executor

T = TypeVar("T")

FRESH: Final = 1.0
"""Seconds for which a look at a folder holds."""
MOST: Final = 256


class Folders:
    """Looks at each folder at most once a second, however many files go there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked: dict[Path, float] = {}
        self._devices: dict[Path, int] = {}
        self._disks: dict[int, Disk] = {}

    def check(self, folder: Path, needed: int, keep_free: int) -> None:
        """Make the folder; raise DownloadError unless `needed` more bytes fit into it."""
        now = self._clock()
        if needed < 2**20 and now - self._looked.get(folder, -FRESH) < FRESH:
            return
        with explained():
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            device = folder.stat().st_dev
        check_room(folder, needed, keep_free)
        if len(self._looked) > MOST:
            self._looked.clear()
            self._devices.clear()
        self._looked[folder], self._devices[folder] = now, device
        self._disks.setdefault(device, Disk(time.perf_counter))

    async def do(self, folder: Path, act: Callable[[], T], *, small: bool, stop: Stop) -> T:
        """Do blocking work in this folder: at once if it is small and the disk quick, else in the executor.

        A cancellation sets `stop`, and takes effect once the work is over.
        """
        disk = self._disks.get(self._devices.get(folder, -1))
        if disk is None or not small or not disk.quick:
            return await in_executor(act, stop)
        return disk.timed(act)

    def __repr__(self) -> str:
        return f"<Folders {len(self._looked)} looked at, {list(self._disks.values())}>"
