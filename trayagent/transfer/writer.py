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

    `tell` wakes the file's own thread, which then calls `drain`; `check_stopped` is asked before
    each write of that, and raises what ends it.
    """

    def __init__(
        self, part: Part, tell: Callable[[], None], check_stopped: Callable[[], None]
    ) -> None:
        self.part = part
        self._tell = tell
        self._check_stopped = check_stopped
        self.is_slow = False
        """Whether the file's own thread writes."""
        self._queue: deque[tuple[int, bytes | memoryview]] = deque()
        self._put = self._written = 0
        """Bytes: each is counted by one thread only, for no thread may miss what another counts."""
        self._refused = False

    def takes(self, count: int) -> bool:
        """Whether so many bytes may come now; if not, `drain` says when they may."""
        queued = self._put - self._written
        if not queued or queued + count <= MOST_QUEUED:
            return True
        self._refused = True
        self._tell()  # the last of the queue may have been written just before
        return False

    def write(self, data: bytes | memoryview, at: int) -> None:
        """Write bytes and see how long that takes, or queue them for the file's own thread. Raises OSError."""
        if self.is_slow:
            self._queue.append((at, data))
            self._put += len(data)
            self._tell()
            return
        began = time.monotonic()
        self.part.write(data, at)
        if time.monotonic() - began > SLOW:
            self.is_slow = True

    def drain(self) -> bool:
        """Write what is queued; returns whether somebody waits to hear of the room.

        Raises OSError, and what `check_stopped` raises: the rest stays queued then.
        """
        while self._queue:
            self._check_stopped()
            at, data = self._queue[0]
            self.part.write(data, at)
            self._queue.popleft()
            self._written += len(data)
        refused, self._refused = self._refused, False
        return refused

    def drop(self) -> list[tuple[int, int]]:
        """Forget what is queued, once nobody brings more; returns the stretches that were not written."""
        lost = [(at, at + len(data)) for at, data in self._queue]
        self._queue.clear()
        self._written = self._put
        return lost

    def __repr__(self) -> str:
        return f"<Writer of {self.part!r}, {'queued' if self.is_slow else 'direct'}>"
