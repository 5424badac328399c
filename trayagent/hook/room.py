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

from trayagent.hook.connections import GRACE, LINGER, Connection
from trayagent.net import peer_user

log = logging.getLogger(__name__)

PLACES: Final = 64
"""So many connections may wait for longer than a moment."""
RUSH: Final = 1024
"""So many may wait for a moment."""
TURNED_AWAY: Final = 32
"""So many are told why they are turned away at a time; the others are just cut off."""
_NOT_YOURS_BODY: Final = (
    b'{"error":{"code":"other_user","message":"Only programs of this user are served."}}'
)
_NOT_YOURS: Final = (
    b"HTTP/1.1 403 Forbidden\r\nServer: trayagent\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
) % (len(_NOT_YOURS_BODY), _NOT_YOURS_BODY)
_FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Room:
    """Lets connections in, and keeps the waiting ones in the order they began to wait."""

    def __init__(
        self,
        make: Callable[[Room, socket.socket], Connection],
        rush: int | None = None,
        *,
        is_another_users: Callable[[socket.socket], bool] = peer_user.is_another_users,
    ) -> None:
        self._make = make
        self._is_another_users = is_another_users
        self._turned_away = 0
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
                if sock is None:
                    continue
                if self._is_another_users(sock):
                    group.create_task(self._turn_away(loop, sock), name="turn away")
                else:
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

    async def _turn_away(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Say why, and drop what is sent meanwhile: a reset would overtake the answer."""
        if self._turned_away >= TURNED_AWAY:
            sock.close()
            return
        self._turned_away += 1
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(LINGER):
                    await loop.sock_sendall(sock, _NOT_YOURS)
                    sock.shutdown(socket.SHUT_WR)
                    while await loop.sock_recv(sock, 4096):
                        pass
        finally:
            self._turned_away -= 1
            sock.close()

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
