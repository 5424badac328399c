"""Connections per host: all segments of all downloads from one host share one allowance."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A counted allowance per host; waiters are served in order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def spare(self, host: str) -> int:
        """How many more connections the host may get at once."""
        return self._limit - self._used.get(host, 0)

    async def take(self, host: str) -> None:
        """Take one, waiting for it if need be."""
        used = self._used.get(host, 0)
        if used < self._limit:
            self._used[host] = used + 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(host, deque())
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(host)
            elif turn in queue:  # else `give` has passed over it already
                queue.remove(turn)
            raise

    def give(self, host: str) -> None:
        """Give one back; the next in line has it at once."""
        queue = self._waiting.get(host)
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._waiting.pop(host, None)
        self._used[host] -= 1
        if not self._used[host]:
            del self._used[host]
