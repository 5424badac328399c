"""The room inside the door: whoever only waits makes place for whoever has something to say.

Of the connections that wait (idle, or with half a request) 64 are kept. When there are more, the
oldest that has been silent for a moment leaves. A rush of clients that come at once is let in
whole, up to what the process can hold; a full request is never refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import Callable
from typing import Final

from trayagent.hook.connections import GRACE, Connection

log = logging.getLogger(__name__)

PLACES: Final = 64
"""So many connections may wait for longer than a moment."""
RUSH: Final = 1024
"""So many may wait for a moment."""
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Room:
    """Lets connections in, and keeps the waiting ones in the order they began to wait."""

    def __init__(
        self, make: Callable[[Room, socket.socket], Connection], rush: int | None = None
    ) -> None:
        self._make = make
        self._rush = rush or _rush()
        self._places = min(PLACES, self._rush)
        self._waiting: dict[Connection, None] = {}
        self._place = asyncio.Event()
        self._arriving = 0
        self._trimming: asyncio.TimerHandle | None = None

    def waits(self, connection: Connection) -> None:
        """It is the youngest of those that wait."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None
        if len(self._waiting) > self._places and self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(GRACE, self._trim)

    def left(self, connection: Connection) -> None:
        """It waits no longer."""
        self._waiting.pop(connection, None)
        self._place.set()

    def close(self) -> None:
        """Nobody comes any more."""
        if self._trimming is not None:
            self._trimming.cancel()

    async def admit(self, listening: socket.socket) -> None:
        """Accept clients for ever."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                sock = await self._accepted(loop, listening)
                if sock is not None:
                    await self._find_place(loop, sock)
                    self._arriving += 1
                    group.create_task(self._welcome(loop, sock), name="welcome")

    async def _accepted(
        self, loop: asyncio.AbstractEventLoop, listening: socket.socket
    ) -> socket.socket | None:
        try:
            sock, _ = await loop.sock_accept(listening)
        except ConnectionError:
            return None
        except OSError as error:
            if listening.fileno() < 0:
                raise
            if (
                error.errno not in _FULL
            ):  # the client's trouble (accept(2) lists some); ours is to go on
                log.warning("A client could not be let in: %s", error)
                await asyncio.sleep(GRACE)
                return None
            await asyncio.sleep(0 if self._make_room(loop.time()) else GRACE / 20)
            return None
        return sock

    async def _find_place(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        try:
            while (here := len(self._waiting) + self._arriving) >= self._places:
                if self._make_room(loop.time()) or here < self._rush:
                    return
                self._place.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GRACE / 20):
                        await self._place.wait()
        except BaseException:
            sock.close()
            raise

    async def _welcome(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(lambda: self._make(self, sock), sock)
        except OSError:
            sock.close()
        finally:
            self._arriving -= 1

    def _make_room(self, now: float) -> bool:
        """Send the oldest that only waits away; False when nobody has waited in silence long enough."""
        for connection in self._waiting:
            if connection.may_leave(now):
                connection.leave()
                return True
        return False

    def _trim(self) -> None:
        """Send the oldest away until there are places again."""
        loop = asyncio.get_running_loop()
        self._trimming = None
        now = loop.time()
        silent = [connection for connection in self._waiting if connection.may_leave(now)]
        for connection in silent[: len(self._waiting) - self._places]:
            connection.leave()
        if len(self._waiting) > self._places:
            self._trimming = loop.call_later(GRACE / 4, self._trim)

    def __repr__(self) -> str:
        return f"<Room with {len(self._waiting)} waiting>"


def _rush() -> int:
    """Half of the files this process may open; the rest is for downloads."""
    if sys.platform == "win32":
        return RUSH
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return RUSH if soft == resource.RLIM_INFINITY else max(8, min(RUSH, soft // 2))
