"""A watch on a body's speed: a server that drips is given up on, a pause of our own is not held against it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

from trayagent.model.errors import DownloadError

_PARTS: Final = 4


class Watch:
    """An async context manager around receiving: raises DownloadError `stalled` when it gets too slow.

    `window` is in seconds, `slowest` in bytes a second over the whole window.
    """

    def __init__(self, window: float, slowest: int) -> None:
        self._step = window / _PARTS
        self._least = window * slowest
        self._counts: deque[int] = deque([0], maxlen=_PARTS)
        self._held = False
        self._timeout = asyncio.timeout(None)

    def count(self, received: int) -> None:
        """So many bytes arrived."""
        self._counts[-1] += received

    def hold(self) -> None:
        """We do not read for a while ourselves: the part of the window now running proves nothing."""
        self._held = True

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(self._step, self._tick)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise DownloadError("stalled") from late

    def _tick(self) -> None:
        if self._held:
            self._counts.clear()
            self._held = False
        elif len(self._counts) == _PARTS and sum(self._counts) < self._least:
            self._timeout.reschedule(self._loop.time())
            return
        self._counts.append(0)
        self._handle = self._loop.call_later(self._step, self._tick)
