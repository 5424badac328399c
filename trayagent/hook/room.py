"""The room inside the door: whoever only waits makes place for whoever has something to say.

Of the connections that wait (idle, or with half a request) 64 are kept. When one more comes, the
oldest of them that has been silent for a moment leaves. A full request is never refused for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from trayagent.hook.connections import GRACE, Connection

PLACES: Final = 64
"""So many connections may wait at a time."""
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Room:
    """Lets connections in, and keeps the waiting ones in the order they began to wait."""

    def __init__(self, make: Callable[[Room, socket.socket], Connection]) -> None:
        self._make = make
        self._waiting: dict[Connection, None] = {}
        self._place = asyncio.Event()

    def waits(self, connection: Connection) -> None:
        """It is the youngest of those that wait."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def left(self, connection: Connection) -> None:
        """It waits no longer."""
        self._waiting.pop(connection, None)
        self._place.set()

    async def admit(self, listening: socket.socket) -> None:
        """Accept clients for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._make_room(loop.time())
                await asyncio.sleep(GRACE / 4)
                continue
            await self._welcome(loop, sock)

    async def _welcome(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        try:
            while len(self._waiting) >= PLACES and not self._make_room(loop.time()):
                self._place.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GRACE / 4):
                        await self._place.wait()
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(lambda: self._make(self, sock), sock)
        except BaseException:
            sock.close()
            raise

    def _make_room(self, now: float) -> bool:
        """Send the oldest that only waits away; False when nobody has waited in silence long enough."""
        for connection in self._waiting:
            if connection.may_leave(now):
                connection.leave()
                return True
        return False

    def __repr__(self) -> str:
        return f"<Room with {len(self._waiting)} of {PLACES} waiting>"
