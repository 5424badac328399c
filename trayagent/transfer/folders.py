"""What we know of the folders that files go to: they exist, have room, and how quick their disk is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from trayagent.transfer.disk import check_room, explained
from trayagent.transfer.executor import in_executor

T = TypeVar("T")

FRESH: Final = 1.0
"""Seconds for which a look at a folder holds."""
MOST: Final = 256
QUICK: Final = 0.0006
"""Seconds; a disk that needs no longer for a small file is not worth a change of threads."""
HANGS: Final = 0.05
"""Seconds; once is enough."""
AGAIN: Final = 60.0
"""Seconds after which a disk that was slow may prove itself once more."""


class Disk:
    """How quick one disk is with small files, from experience on the loop itself.

    In the executor it cannot be measured: there the wait for the interpreter is most of the time.
    When half of the last files were slow, the next ones are the executor's for a minute; a few are
    slow on any busy machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._usual = 0.0
        self._slow_until = 0.0

    @property
    def quick(self) -> bool:
        """Whether small work may be done at once: a memory disk, or one with a fast cache."""
        return self._clock() >= self._slow_until

    def note(self, seconds: float) -> None:
        """So long it took this time."""
        self._usual += (min(seconds, 2 * QUICK) - self._usual) / 8
        if self._usual > QUICK or seconds > HANGS:
            self._usual, self._slow_until = QUICK / 2, self._clock() + AGAIN

    def __repr__(self) -> str:
        return f"<Disk {'quick' if self.quick else 'slow'}>"


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
        self._disks.setdefault(device, Disk())

    async def do(self, folder: Path, act: Callable[[], T], *, small: bool) -> T:
        """Do blocking work in this folder: at once if it is small and the disk quick, else in the executor."""
        disk = self._disks.get(self._devices.get(folder, -1))
        if disk is None or not small or not disk.quick:
            return await in_executor(act)

        began = time.perf_counter()
        try:
            return act()
        finally:
            disk.note(time.perf_counter() - began)

    def __repr__(self) -> str:
        return f"<Folders {len(self._looked)} looked at, {list(self._disks.values())}>"
