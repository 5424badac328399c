"""Where the bytes of one file meet the disk."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from trayagent.transfer.part_file import Part

SLOW: Final = 0.05
"""Seconds for a write; nobody who stops a download waits for several of that kind."""
MOST_QUEUED: Final = 8 * 1024 * 1024
"""Bytes of one file that wait for its disk; beyond that its connections are paused."""


class Writer:
    """Bytes of one file on their way: the engine puts them here, whoever drives the file writes them.

    On a quick disk both are the engine's thread, one after the other; see `driver`. `tell` wakes who
    drives the file, and that calls `drain`; `check_stopped` is asked after each write that lasted, and
    raises what ends it: what a quick disk can still take is worth more than a quick end.
    """

    def __init__(
        self, part: Part, tell: Callable[[], None], check_stopped: Callable[[], None]
    ) -> None:
        self.part = part
        self._tell = tell
        self._check_stopped = check_stopped
        self._queue: deque[tuple[int, int, Sequence[bytes | memoryview]]] = deque()
        """Where, how many bytes, and the bytes."""
        self._put = self._written = 0
        """Bytes: each is counted by one thread only, for no thread may miss what another counts."""
        self._refused = False
        self._turn = Lock()
        """Of the two that may write: who saves the file aside, and who drives it meanwhile."""

    def takes(self, count: int) -> bool:
        """Whether so many bytes may come now; if not, `drain` says when they may."""
        queued = self._put - self._written
        if not queued or queued + count <= MOST_QUEUED:
            return True
        self._refused = True
        self._tell()  # the last of the queue may have been written just before
        return False

    def put(self, pieces: Sequence[bytes | memoryview], count: int, at: int) -> None:
        """Queue pieces of `count` bytes for a place."""
        self._queue.append((at, count, pieces))
        self._put += count

    def announce(self) -> None:
        """Wake who drives the file: something was put."""
        self._tell()

    def drain(self, *, waits: bool = True) -> bool:
        """Write what is queued; returns whether somebody waits to hear of the room.

        Raises OSError, and what `check_stopped` raises: the rest stays queued then. While another thread
        is at it, this one waits for that, or (`waits` is false) leaves all to it.
        """
        # Asked again after each turn: what was put at its end was left to whoever had the turn.
        while self._queue:
            if not self._turn.acquire(blocking=waits):
                return False
            try:
                self._write_queued()
            finally:
                self._turn.release()
        # Nothing is stored unless it was set: `takes` may set it at this very moment.
        if not self._refused:
            return False
        self._refused = False
        return True

    def _write_queued(self) -> None:
        while self._queue:
            at, count, pieces = self._queue[0]
            began = time.monotonic()
            self.part.write(pieces, at)
            # Only now: what a failed write has not taken stays in the queue, and so is known to be missing.
            self._queue.popleft()
            self._written += count
            if time.monotonic() - began > SLOW:
                self._check_stopped()

    def drop(self) -> list[tuple[int, int]]:
        """Forget what is queued, once nobody brings more; returns the stretches that were not written."""
        lost = [(at, at + count) for at, count, _ in self._queue]
        self._queue.clear()
        self._written = self._put
        return lost

    def __repr__(self) -> str:
        return f"<Writer of {self.part!r}, {self._put - self._written} bytes queued>"
