"""The idle connections, and whether one of them brings what nobody asked for."""

from __future__ import annotations

import select
import socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trayagent.net.easy_handle import EasyHandle

_GIVEN_UP: Final = -1
"""In the place of a socket that nobody is to use again."""
_UNKNOWN: Final = -1
"""In the place of a number of bytes."""


class IdleSockets:
    """The sockets of idle HTTP/1 connections, by both their ends (address, address, port, port).

    What comes on one of them belongs to no request, and would be taken for the next one's answer:
    libcurl looks only at connections that were idle for a second.

        it came                            it is seen by
        ---------------------------------  --------------------------------------------------------
        with the answer, in one piece      libcurl, which closes the connection
        before the next request            `is_talking`, for it waits on the socket
        the same, but over TLS, and        `is_early`: libcurl has it, and gives it out as soon as
        libcurl read it with the answer    it has sent the next request, before it waits for a word
    """

    MOST: Final = 1024

    def __init__(self) -> None:
        self._sockets: dict[tuple[object, ...], int] = {}
        self.first_reads: dict[EasyHandle, tuple[int, int]] = {}
        """Who sends a request over such a connection, behind TLS: its socket, and the bytes it had brought
        before. Once libcurl has looked for an answer, only those that have any are left."""
        if sys.platform != "win32":  # which has none
            self._polls: dict[int, select.poll] = {}
            """By descriptor: it may be another's later, and is asked in the same way then."""

    def add(self, ends: tuple[object, ...], fd: int) -> None:
        """A request is over there; the connection may have been closed with it."""
        self._sockets.pop(ends, None)
        self._sockets[ends] = fd
        if len(self._sockets) > self.MOST:
            del self._sockets[next(iter(self._sockets))]

    def give_up(self, ends: tuple[object, ...]) -> None:
        """Nobody is to use this connection again, though libcurl may keep it."""
        self.add(ends, _GIVEN_UP)

    def is_talking(self, ends: tuple[object, ...], handle: EasyHandle, *, behind_tls: bool) -> bool:
        """Whether something, or the end, has come on the connection that `handle` is about to use."""
        fd = self._sockets.pop(ends, None)
        if fd is None:
            return False  # a new one
        if fd == _GIVEN_UP or self._has_more(fd):
            return True
        if behind_tls:
            self.first_reads[handle] = (fd, _bytes_received(fd))
        return False

    def note_wait(self) -> None:
        """Libcurl begins to wait for a socket: it has looked for an answer of all that it sent."""
        for handle in list(self.first_reads):
            if not handle.has_answer:
                del self.first_reads[handle]

    def is_early(self, handle: EasyHandle) -> bool:
        """Whether what is here as its answer, at once, was in libcurl's buffer before it asked. To be asked once.

        1. The socket has brought nothing since the request, or the system does not tell: it was.
        2. Something came: a server on the same machine is as quick as that when it is busy.
        """
        if handle not in self.first_reads or not handle.has_answer:
            return False
        fd, before = self.first_reads.pop(handle)
        return _bytes_received(fd) in (_UNKNOWN, before)

    def _has_more(self, fd: int) -> bool:
        if sys.platform == "win32":
            try:
                return bool(select.select([fd], [], [], 0)[0])
            except OSError:
                return True  # it is closed, and its number perhaps another's
        poll = self._polls.get(fd)
        if poll is None:
            poll = self._polls[fd] = select.poll()
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))


def _bytes_received(fd: int) -> int:
    """What a connection has brought so far, where the system tells (tcp(7), TCP_INFO of Linux 4.1)."""
    if sys.platform != "linux":
        return _UNKNOWN
    try:
        # Its kind need not be told right, only without a question to the system.
        borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=fd)
    except OSError:
        return _UNKNOWN  # it is closed
    try:
        said = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    except OSError:
        return _UNKNOWN
    finally:
        borrowed.detach()
    return int.from_bytes(said[128:136], sys.byteorder) if len(said) == 136 else _UNKNOWN
