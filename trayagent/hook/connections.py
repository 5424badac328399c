"""Connections: how long each may take, and which one is closed when there are too many.

aiohttp's server keeps half a head, half a body or a silent connection for minutes, and as many as
come. `HttpConnection` gives each phase a deadline; `Acceptor` accepts clients and keeps only 64 that
wait for longer than a moment. A rush of clients that come at once is accepted whole, up to what the
process can hold; a complete request is never refused.

    phase      until                              waits   ends by
    IDLE       the first byte of a head           yes     15 s
    HEAD       the empty line                     yes     10 s, answered 408
    BODY       the last byte of the body          yes     10 s, answered 408 (`server.read_body`)
    BUSY       the answer has been sent           no      its handler
    STREAM     the stream of events has ended     no      either side
    LINGERING  the client has read the answer     yes     1 s

After BUSY comes IDLE, or BUSY again when the next request is there already; LINGERING comes instead
where bytes of the client were left unread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import socket
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from aiohttp import http_exceptions, web

from trayagent.net import peer_user

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 1.0
"""A connection that has been silent for less is not closed to make room."""
HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 15.0
WRITE_SECONDS: Final = 10.0
"""A client may take so long to read an answer, or a piece of the stream of events."""
LINGER_SECONDS: Final = 1.0
"""We read on so long after an answer that leaves bytes unread: a reset would overtake the answer."""
MOST_WAITING: Final = 64
"""So many connections may wait for longer than the grace."""
MOST_IN_RUSH: Final = 1024
"""So many may wait within the grace."""
MOST_TURNED_AWAY: Final = 32
"""So many are told at a time why they are turned away; the others are just closed."""

Refuse = Callable[[int, str, str], web.Response]
"""Makes an answer of a status, a code and a sentence."""


class ConnectionPhase(Enum):
    """The table above says what ends each phase."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    BUSY = "busy"
    STREAM = "stream"
    LINGERING = "lingering"


_WAITING: Final = frozenset(
    {
        ConnectionPhase.IDLE,
        ConnectionPhase.HEAD,
        ConnectionPhase.BODY,
        ConnectionPhase.LINGERING,
    }
)
# The other phases have theirs elsewhere: a body in `server.read_body`, an answer in `server`.
_DEADLINES: Final = {ConnectionPhase.IDLE: IDLE_SECONDS, ConnectionPhase.HEAD: HEAD_SECONDS}
_SPACED_HOST: Final = re.compile(rb"\r\nhost:[^\r\n]*[ \t]\r\n", re.IGNORECASE)
_SENTENCES: Final = {
    400: ("bad_request", "This is not a request we understand."),
    414: ("too_long", "The address is too long."),
    415: ("not_json", "Send the body as application/json."),
    421: ("wrong_host", "This address does not belong to trayagent."),
    431: ("too_long", "The headers are too long."),
    500: ("internal", "Something went wrong inside trayagent."),
}
"""The answers to bytes that do not become a request, and to a request whose answer failed."""


def _raw_refusal(status: bytes, code: bytes, message: bytes) -> bytes:
    """An answer for a client of which aiohttp has no request."""
    body = b'{"error":{"code":"%b","message":"%b"}}' % (code, message)
    return (
        b"HTTP/1.1 %b\r\nServer: trayagent\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
    ) % (status, len(body), body)


_TOO_SLOW: Final = _raw_refusal(b"408 Request Timeout", b"too_slow", b"The request took too long.")
_OTHER_USER: Final = _raw_refusal(
    b"403 Forbidden", b"other_user", b"Only programs of this user are served."
)


class HttpConnection(web.RequestHandler):
    """aiohttp's connection with our own deadlines, and without a word about the bad input it got.

    aiohttp has no public way to set these deadlines, so this class overrides asyncio's callbacks and
    reads `_messages` (requests that are parsed and not yet answered). tests/hook/test_connections.py
    notices when a release of aiohttp changes that.
    """

    __slots__ = (
        "_acceptor",
        "_body",
        "_client_ended",
        "_has_long_line",
        "_leaves_bytes_unread",
        "_refuse",
        "_sock",
        "_timer",
        "has_spaced_host",
        "phase",
        "since",
    )

    def __init__(
        self, server: web.Server, acceptor: Acceptor, sock: socket.socket, refuse: Refuse
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=24 * 3600.0,  # our own deadlines are shorter
            access_log=None,  # type: ignore[arg-type]
            lingering_time=0.0,  # see finish_response
            auto_decompress=False,
        )
        self._acceptor = acceptor
        self._sock = sock
        self._refuse = refuse
        self._timer: asyncio.TimerHandle | None = None
        self._client_ended = asyncio.Event()
        self._leaves_bytes_unread = False
        self._body: Any = None
        self._has_long_line = False
        self.phase = ConnectionPhase.IDLE
        self.since = 0.0
        """When the phase began, by the loop's clock."""
        self.has_spaced_host = False
        """The parser trims white space after Host; the gate wants to know about it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the client is connected and has said nothing yet."""
        super().connection_made(transport)
        self.enter(ConnectionPhase.IDLE)

    def connection_lost(self, exc: BaseException | None) -> None:
        """asyncio: the client is gone."""
        self._stop_timer()
        self._client_ended.set()
        self._acceptor.remove_waiting(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes of a head, or of a body."""
        if self.phase is ConnectionPhase.IDLE:
            self.enter(ConnectionPhase.HEAD)
            self._body = None
            # Where the parser complains of a long line, this tells a long address from long headers.
            self._has_long_line = b"\n" not in data[: self.max_line_size]
            end = data.find(b"\r\n\r\n") + 2
            self.has_spaced_host = _SPACED_HOST.search(data, 0, end) is not None
        super().data_received(data)
        # The body of the last request whose head is complete; None while there is only half a head.
        if self._messages:
            self._body = self._messages[-1][1]
        if self._body is not None and self.phase in (ConnectionPhase.HEAD, ConnectionPhase.BODY):
            self.enter_request(self._body)

    def eof_received(self) -> bool:  # type: ignore[override]
        """asyncio: the client will send no more. True keeps the connection: a whole request is answered."""
        self._client_ended.set()
        return self.phase in (ConnectionPhase.BODY, ConnectionPhase.BUSY) and self._body.is_eof()

    def enter(self, phase: ConnectionPhase) -> None:
        """Go on to a phase; its deadline starts."""
        # A client may send the next request without waiting for the answer (pipelining).
        if phase is ConnectionPhase.IDLE and self._messages:
            phase = ConnectionPhase.BUSY
        self._stop_timer()
        self.phase = phase
        self.since = self._loop.time()
        if self.transport is None:
            return
        if phase in _WAITING:
            self._acceptor.add_waiting(self)
        else:
            self._acceptor.remove_waiting(self)
        # The client said long ago that it will send no more, and now it has all its answers.
        if phase is ConnectionPhase.IDLE and self._client_ended.is_set():
            self.close()
        elif phase in _DEADLINES:
            self._timer = self._loop.call_later(_DEADLINES[phase], self._end_late)

    def enter_request(self, body: Any) -> None:
        """Go on with a request. A whole one waits no longer, however much later its turn comes."""
        if body.is_eof():
            self.enter(ConnectionPhase.BUSY)
        elif self.phase is not ConnectionPhase.BODY:  # more of the same body gets no new deadline
            self.enter(ConnectionPhase.BODY)

    def linger_after_answer(self) -> None:
        """Make the answer to come the last one: the client may still be sending bytes that nobody reads."""
        self._leaves_bytes_unread = True

    def can_make_room(self, now: float) -> bool:
        """Whether it has been silent for longer than the grace, with nothing unread on its socket."""
        if now - self.since < GRACE_SECONDS:
            return False
        # A busy loop may not have read yet what has come long ago: that client is not silent.
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except OSError:  # nothing to read yet, or the socket is closed
            return True

    def close_silently(self) -> None:
        """Close at once, without an answer."""
        self._acceptor.remove_waiting(self)
        self.force_close()

    def abort(self) -> None:
        """Close at once, and drop what the client has not read."""
        transport = self.transport
        self.close_silently()
        if transport is not None:
            transport.abort()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """aiohttp: send the answer; then linger where bytes were left unread.

        Closing a socket with unread bytes sends a reset, and the client may lose the answer.
        """
        result = await super().finish_response(request, resp, start_time)
        if self._leaves_bytes_unread and self.transport is not None:
            self.close()
            self.enter(ConnectionPhase.LINGERING)
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                self.transport.write_eof()
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._client_ended.wait()
        return result

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's shape
    ) -> web.StreamResponse:
        """aiohttp: answer what is not HTTP or breaks its limits, without repeating any of it."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client is gone: there is nobody to answer
        if status >= 500:
            log.error("A request failed", exc_info=exc)
        else:
            log.debug("Not a request: %s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer has already begun")
        if exc is not None and status == 400:
            # What the parser refuses before the gate can, gets the status that the gate would give.
            if isinstance(exc, http_exceptions.LineTooLong):
                status = 414 if self._has_long_line else 431
            elif "'Host' header" in str(exc):
                status = 421
            elif "'Content-Type' header" in str(exc):
                status = 415
        response = self._refuse(status, *_SENTENCES.get(status, _SENTENCES[400]))
        response.force_close()
        self.linger_after_answer()
        return response

    def _end_late(self) -> None:
        if self.phase is ConnectionPhase.HEAD and self.transport is not None:
            # Half a head can still be answered; a connection that has said nothing expects nothing.
            self.transport.write(_TOO_SLOW)
        self.close_silently()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def connection_of(request: web.BaseRequest) -> HttpConnection:
    """The connection that a request came on."""
    connection: Any = request.protocol
    assert isinstance(connection, HttpConnection)
    return connection


class Acceptor:
    """Accepts clients, and keeps the connections that wait in the order in which they began to wait.

    Before a client is accepted there are four cases:

    1. It is another user's program: it is told so, and read no further.
    2. Few connections wait: it is accepted.
    3. Many wait, and one of them has been silent for longer than the grace: the oldest of those is
       closed, and the client is accepted.
    4. Many wait, all only for a moment: up to the limit of a rush the client is accepted and the
       surplus closed after the grace; beyond that limit it stays in the kernel's queue.
    """

    def __init__(
        self,
        make: Callable[[Acceptor, socket.socket], HttpConnection],
        *,
        is_another_users: Callable[[socket.socket], bool] = peer_user.is_another_users,
    ) -> None:
        self._make = make
        self._is_another_users = is_another_users
        self._turning_away = 0
        # A process that may open few files keeps fewer connections.
        self._most_in_rush = most_in_rush()
        self._most_waiting = min(MOST_WAITING, self._most_in_rush)
        self._waiting: dict[HttpConnection, None] = {}
        self._somebody_left = asyncio.Event()
        self._arriving = 0
        self._thinning: asyncio.TimerHandle | None = None

    def add_waiting(self, connection: HttpConnection) -> None:
        """Count a connection as the one that began to wait last."""
        # Taken out and put in again: a dict keeps the order, so the first is the one that waits
        # longest.
        self._waiting.pop(connection, None)
        self._waiting[connection] = None
        if len(self._waiting) > self._most_waiting and self._thinning is None:
            self._thinning = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._thin_out)

    def remove_waiting(self, connection: HttpConnection) -> None:
        """Count a connection no longer: it is busy, or closed."""
        self._waiting.pop(connection, None)
        self._somebody_left.set()

    def close(self) -> None:
        """Stop closing connections; whoever runs `accept_clients` cancels it."""
        if self._thinning is not None:
            self._thinning.cancel()

    async def accept_clients(self, listening: socket.socket) -> None:
        """Accept clients of one listening socket for ever."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    sock, _ = await loop.sock_accept(listening)
                except ConnectionError:
                    continue
                except OSError as error:
                    if listening.fileno() < 0:  # we are stopping
                        raise
                    await self._wait_out(loop, error)
                    continue
                if self._is_another_users(sock):
                    group.create_task(self._turn_away(loop, sock), name="turn away")
                else:
                    await self._wait_for_room(loop, sock)
                    # Until its connection is made it waits nowhere, and still has to be counted.
                    self._arriving += 1
                    group.create_task(self._connect(loop, sock), name="connect")

    async def _wait_out(self, loop: asyncio.AbstractEventLoop, error: OSError) -> None:
        """Wait until it makes sense to accept again: accepting at once would fail in a busy loop."""
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            # The client stays in the kernel's queue; closing a waiting connection frees a file for it.
            await asyncio.sleep(0 if self._close_oldest(loop.time()) else GRACE_SECONDS / 20)
        else:
            # The network's trouble (accept(2) lists some): it costs this client only.
            log.warning("A client could not be accepted: %s", error)
            await asyncio.sleep(GRACE_SECONDS)

    async def _wait_for_room(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Cases 2 to 4."""
        try:
            while (here := len(self._waiting) + self._arriving) >= self._most_waiting:
                if self._close_oldest(loop.time()) or here < self._most_in_rush:
                    return
                self._somebody_left.clear()
                with contextlib.suppress(TimeoutError):
                    # Nothing tells when a connection outlasts the grace: look again soon.
                    async with asyncio.timeout(GRACE_SECONDS / 20):
                        await self._somebody_left.wait()
        except BaseException:
            sock.close()
            raise

    async def _connect(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        try:
            await loop.connect_accepted_socket(lambda: self._make(self, sock), sock)
        except OSError:
            sock.close()
        finally:
            self._arriving -= 1

    async def _turn_away(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Say why, and drop what is sent meanwhile: a reset would overtake the answer."""
        if self._turning_away >= MOST_TURNED_AWAY:
            sock.close()
            return
        self._turning_away += 1
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await loop.sock_sendall(sock, _OTHER_USER)
                    sock.shutdown(socket.SHUT_WR)
                    while await loop.sock_recv(sock, 4096):
                        pass
        finally:
            self._turning_away -= 1
            sock.close()

    def _close_oldest(self, now: float) -> bool:
        """Close the oldest connection that only waits; False when none has been silent long enough."""
        for connection in self._waiting:
            if connection.can_make_room(now):
                connection.close_silently()
                return True
        return False

    def _thin_out(self) -> None:
        """Close the oldest connections that only wait, until there are few enough."""
        loop = asyncio.get_running_loop()
        self._thinning = None
        now = loop.time()
        silent = [connection for connection in self._waiting if connection.can_make_room(now)]
        for connection in silent[: len(self._waiting) - self._most_waiting]:
            connection.close_silently()
        if len(self._waiting) > self._most_waiting:
            self._thinning = loop.call_later(GRACE_SECONDS / 4, self._thin_out)

    def __repr__(self) -> str:
        return f"<Acceptor: {len(self._waiting)} waiting>"


def most_in_rush() -> int:
    """Half of the files this process may open; the rest is for downloads."""
    if sys.platform == "win32":
        return MOST_IN_RUSH
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Eight at least: with fewer, one dashboard would lock out the command line.
    return MOST_IN_RUSH if soft == resource.RLIM_INFINITY else max(8, min(MOST_IN_RUSH, soft // 2))
