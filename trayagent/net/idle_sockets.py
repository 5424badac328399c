"""The idle connections, and whether one of them brings what nobody asked for."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from trayagent.net.easy_handle import EasyHandle

_GIVEN_UP: Final = -1


class IdleSockets:
    """The sockets of idle HTTP/1 connections, by both their ends (address, address, port, port).

    What comes on one of them belongs to no request, and would be taken for the next one's answer:
    libcurl looks only at connections that were idle for a second.

        it came                            it is seen by
        ---------------------------------  --------------------------------------------------------
        with the answer, in one piece      libcurl, which closes the connection
        before the next request            `look`, for it waits on the socket
        the same, but over TLS, and        `first_read`: libcurl has it, and gives it out as soon as
        libcurl read it with the answer    it has sent the next request, before it waits for a word
    """

    MOST: Final = 1024

    def __init__(self) -> None:
        self._sockets: dict[tuple[object, ...], int] = {}
        self.first_read: list[EasyHandle] = []
        """Who sends a request over such a connection, behind TLS; of those that libcurl has looked for an
        answer for once, the ones that have any. That is no answer to this request."""
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

    def note_wait(self) -> None:
        """Libcurl begins to wait for a socket: it has looked for an answer of all that it sent."""
        self.first_read[:] = [handle for handle in self.first_read if handle.has_answer]

    def look(self, ends: tuple[object, ...]) -> Literal["new", "silent", "talks"]:
        """Whether something, or the end, has come on a connection that is about to be used."""
        fd = self._sockets.pop(ends, None)
        if fd is None:
            return "new"
        if fd == _GIVEN_UP:
            return "talks"
        if sys.platform == "win32":
            try:
                return "talks" if select.select([fd], [], [], 0)[0] else "silent"
            except OSError:
                return "talks"  # it is closed, and its number perhaps another's
        poll = self._polls.get(fd)
        if poll is None:
            poll = self._polls[fd] = select.poll()
            poll.register(fd, select.POLLIN)
        return "talks" if poll.poll(0) else "silent"
