"""Where the bytes of one file meet the disk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from trayagent.transfer.part_file import Part

SLOW: Final = 0.05
"""Seconds; a write that takes longer would hold up the other transfers."""
MOST_QUEUED: Final = 8 * 1024 * 1024
"""Bytes of one file that wait for a slow disk; beyond that its connections are paused."""


class Writer:
    """Writes for one file, as its disk allows.

        state    who writes                                          until
        -------  --------------------------------------------------  --------------------------
        direct   whoever has the bytes: the engine's thread, mostly  one write was slow
        queued   the file's own thread, from a queue of ours         the end: a disk that stood
                                                                     still once may do it again

    `tell` wakes the file's own thread, which then calls `drain`.
    """

    def __init__(self, part: Part, tell: Callable[[], None]) -> None:
        self.part = part
        self._tell = tell
        self.is_slow = False
        """Whether the file's own thread writes."""
        self._queue: deque[tuple[int, bytes | memoryview]] = deque()
        self._queued = 0
        self._refused = False

    def takes(self, count: int) -> bool:
        """Whether so many bytes may come now; if not, `drain` says when they may."""
        if self.is_slow and self._queued and self._queued + count > MOST_QUEUED:
            self._refused = True
            return False
        return True

    def write(self, data: bytes | memoryview, at: int) -> None:
        """Write bytes, or queue them for the file's own thread. Raises OSError."""
        if not self.is_slow:
            self.write_here(data, at)
            return
        self._queue.append((at, data))
        self._queued += len(data)
        self._tell()

    def write_here(self, data: bytes | memoryview, at: int) -> None:
        """Write bytes in this thread, whichever it is, and see how long that takes. Raises OSError."""
        began = time.monotonic()
        self.part.write(data, at)
        if time.monotonic() - began > SLOW:
            self.is_slow = True

    def drain(self) -> bool:
        """Write what is queued; returns whether somebody waits to hear of the room. Raises OSError."""
        while self._queue:
            at, data = self._queue.popleft()
            self.part.write(data, at)
            self._queued -= len(data)
        refused, self._refused = self._refused, False
        return refused

    def __repr__(self) -> str:
        return f"<Writer of {self.part!r}, {'queued' if self.is_slow else 'direct'}>"
