"""Where received bytes go: one lane of a file, paid for from the buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.model.sizes import show_size
from trayagent.transfer.disk import explain
from trayagent.transfer.part import Part
from trayagent.transfer.throttle import Bucket

PATIENCE: Final = 0.15
"""Seconds without a byte after which an idle connection may take over the rest."""
ENDLESS: Final = 2**62
"""The end of a lane whose length nobody told."""


class Lane:
    """A stretch of the file that one connection fills, from `start` on; `end` may move meanwhile."""

    def __init__(
        self, part: Part, start: int, end: int, limit: int, buckets: Sequence[Bucket]
    ) -> None:
        self.start = start
        self.at = start
        self.end = end
        self.began = self.last = time.monotonic()
        """Seconds on the monotonic clock: when it was made, when it last got bytes."""
        self.patience = PATIENCE
        self.reach = 0
        """Where the answer ends that fills it; 0: there is none yet."""
        self.further: Callable[[Lane], int] | None = None
        """Says once it is full where it ends now: its own end, or one closer to its `reach`."""
        self._part = part
        self._limit = limit
        self._buckets = buckets

    def room(self) -> int:
        """How many bytes it takes next."""
        if self.at == self.end and self.further is not None:
            self.end = self.further(self)
            if self.at == self.end:
                self.further = None  # whoever was told that there is no room does not come back
        most = self.end - self.at
        for bucket in self._buckets:
            if bucket.rate:
                most = bucket.piece(most)
        return most

    def write(self, data: bytes | memoryview) -> float:
        """Write bytes, at most `room()`; returns the seconds to wait. Raises DownloadError."""
        try:
            self._part.write(data, self.at)
        except OSError as error:
            raise explain(error) from error
        self.at += len(data)
        self.last = time.monotonic()
        if self.at > self._limit:
            raise DownloadError("too_large", f"the limit is {show_size(self._limit)}")
        wait = 0.0
        for bucket in self._buckets:
            if bucket.rate:
                wait = max(wait, bucket.spend(len(data)))
        return wait

    def quiet(self, now: float) -> bool:
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
