"""A stretch of a file that one connection fills."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Progress
from trayagent.model.wording import show_size
from trayagent.net.exchange import EnoughError
from trayagent.transfer.speed_limit import Bucket, spend
from trayagent.transfer.writer import Writer

PATIENCE: Final = 0.15
"""Seconds without a byte after which an idle connection may take over the rest."""
ENDLESS: Final = 2**62
"""The end of a lane whose length nobody told."""


class Lane:
    """From `start` to before `end`, which may move meanwhile; the `Sink` of its exchange.

    The engine's thread fills it while whoever drives the file moves the ends of lanes, perhaps in a
    thread of its own: both hold the file's `lock` for that, and nobody writes meanwhile.
    """

    def __init__(
        self,
        writer: Writer,
        start: int,
        end: int,
        *,
        limit: int,
        buckets: Sequence[Bucket],
        progress: Progress,
        lock: Lock,
    ) -> None:
        self.start = start
        self.at = start
        self.end = end
        self.began = self.last = time.monotonic()
        """Seconds on the monotonic clock: when it was made, when it last got bytes."""
        self.patience = PATIENCE
        self.reach = 0
        """Where the answer ends that fills it; 0: there is none yet."""
        self.extend: Callable[[Lane], int] | None = None
        """Says once it is full where it ends now: its own end, or one closer to its `reach`."""
        self._writer = writer
        self._limit = limit
        self._buckets = buckets
        self._progress = progress
        self._lock = lock

    def take(self, pieces: Sequence[bytes], count: int) -> float | None:
        """As `Sink.take`; called by the engine's thread."""
        if not self._writer.takes(count):
            return None
        try:
            return self.take_all(pieces, count)
        finally:
            self._writer.announce()

    def take_all(self, pieces: Sequence[bytes], count: int) -> float:
        """Take bytes whether there is room for them or not; as `take`."""
        rest: Sequence[bytes | memoryview] = pieces
        left = count
        with self._lock:
            while left and (room := self._room()):
                taken = rest
                # Only what belongs to this lane: the rest is another's, or nobody's.
                if room < left:
                    joined = memoryview(b"".join(rest))
                    taken, rest = (joined[:room],), (joined[room:],)
                here = min(room, left)
                self._writer.put(taken, here, self.at)
                self.at += here
                self._progress.received += here
                left -= here
            self.last = time.monotonic()
            # Nobody waits for a piece that will not be wanted: the connection ends at once.
            is_enough = left > 0 or (self.at < self.reach and not self._room())
        if self.at > self._limit:
            raise DownloadError("too_large", f"the limit is {show_size(self._limit)}")
        if is_enough:
            raise EnoughError
        return spend(self._buckets, count)

    def _room(self) -> int:
        """How many bytes it takes next."""
        if self.at == self.end and self.extend is not None:
            self.end = self.extend(self)
            if self.at == self.end:
                self.extend = None  # whoever was told that there is no room does not come back
        return self.end - self.at

    def is_quiet(self, now: float) -> bool:
        """Whether it has waited for bytes longer than its patience."""
        return now - self.last > self.patience

    def seconds_left(self, now: float) -> float:
        """How long it needs for the rest at its own pace so far."""
        received = self.at - self.start
        return self.left * (now - self.began) / received if received else math.inf

    @property
    def left(self) -> int:
        """Bytes still missing."""
        return self.end - self.at

    def __repr__(self) -> str:
        return f"<Lane {self.start}-{self.end} at {self.at}>"
