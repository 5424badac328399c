"""A connection and its deadlines.

aiohttp's server keeps half a head, half a body or a silent connection for minutes. Here a head has
10 s from its first byte, a body 10 s, and silence 15 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from aiohttp import http_exceptions, web

if TYPE_CHECKING:
    from trayagent.hook.room import Room

log = logging.getLogger(__name__)

GRACE: Final = 1.0
"""Seconds of silence before a waiting connection has to make room."""
HEAD: Final = 10.0
BODY: Final = 10.0
IDLE: Final = 15.0
WRITE: Final = 10.0
"""Seconds a client may take to read an answer."""
LINGER: Final = 1.0
"""Seconds we read on after an answer that leaves bytes unread, so that a reset does not overtake it."""

Refuse = Callable[[int, str, str], web.Response]


class Phase(Enum):
    """What a connection is doing. LAST: it got its last answer and may still be sending."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    LAST = "last"
    BUSY = "busy"
    STREAM = "stream"


WAITING: Final = frozenset({Phase.IDLE, Phase.HEAD, Phase.BODY, Phase.LAST})
_DEADLINES: Final = {Phase.IDLE: IDLE, Phase.HEAD: HEAD}


class Connection(web.RequestHandler):
    """aiohttp's connection, with deadlines of our own and silent about bad input."""

    __slots__ = (
        "_body",
        "_ended",
        "_long_line",
        "_refuse",
        "_room",
        "_sock",
        "_timer",
        "_unread",
        "odd_host",
        "phase",
        "since",
    )

    def __init__(self, server: web.Server, room: Room, sock: socket.socket, refuse: Refuse) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=24 * 3600.0,  # our own deadlines are shorter
            access_log=None,  # type: ignore[arg-type]
            lingering_time=0.0,  # see finish_response
            auto_decompress=False,
        )
        self._room = room
        self._sock = sock
        self._refuse = refuse
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._unread = False
        self._body: Any = None
        self._long_line = False
        self.phase = Phase.IDLE
        self.since = 0.0
        self.odd_host = False
        """The parser trims white space after Host; we want to know about it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here and has said nothing yet."""
        super().connection_made(transport)
        self.enter(Phase.IDLE)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._stop_timer()
        self._ended.set()
        self._room.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head, or of a body."""
        if self.phase is Phase.IDLE:
            self.enter(Phase.HEAD)
            self._body = None
            self._long_line = b"\n" not in data[: self.max_line_size]
            self.odd_host = _ODD_HOST.search(data, 0, data.find(b"\r\n\r\n") + 2) is not None
        super().data_received(data)
        if self._messages:
            self._body = self._messages[-1][1]
        if self._body is not None and self.phase in (Phase.HEAD, Phase.BODY):
            self.enter_with(self._body)

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client will say no more: a request that is complete still gets its answer."""
        self._ended.set()
        return self.phase in (Phase.BODY, Phase.BUSY) and self._body.is_eof()

    def enter(self, phase: Phase) -> None:
        """Go on to the next phase; its clock starts."""
        if phase is Phase.IDLE and self._messages:
            phase = Phase.BUSY  # the next request came meanwhile
        self._stop_timer()
        self.phase = phase
        self.since = self._loop.time()
        if self.transport is None:
            return
        if phase in WAITING:
            self._room.waits(self)
        else:
            self._room.left(self)
        if phase is Phase.IDLE and self._ended.is_set():
            self.close()
        elif phase in _DEADLINES:
            self._timer = self._loop.call_later(_DEADLINES[phase], self._late)

    def enter_with(self, body: Any) -> None:
        """Go on with a request: a whole one waits no longer, though its turn may come much later."""
        if body.is_eof():
            self.enter(Phase.BUSY)
        elif self.phase is not Phase.BODY:
            self.enter(Phase.BODY)

    def leave_unread(self) -> None:
        """The answer to come is the last one; the client may still be sending."""
        self._unread = True

    def may_leave(self, now: float) -> bool:
        """Whether it waits in silence for longer than the grace, with nothing unread on its socket."""
        return now - self.since >= GRACE and not self._speaks()

    def leave(self) -> None:
        """Close at once, without an answer."""
        self._room.left(self)
        self.force_close()

    def cut(self) -> None:
        """Close at once, and forget what the client would not read."""
        transport = self.transport
        self.leave()
        if transport is not None:
            transport.abort()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; read on for a moment where bytes were left unread."""
        result = await super().finish_response(request, resp, start_time)
        if self._unread and self.transport is not None:
            self.close()
            self.enter(Phase.LAST)
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                self.transport.write_eof()
                async with asyncio.timeout(LINGER):
                    await self._ended.wait()
        return result

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's shape
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or breaks our limits, without repeating any of it."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client is gone: there is nobody to answer
        if status >= 500:
            log.error("A request failed", exc_info=exc)
        else:
            log.debug("Not a request: %s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer has already begun")
        if exc is not None and status == 400:
            status = _status_of(exc, 414 if self._long_line else 431)
        response = self._refuse(status, *_WORDS.get(status, _WORDS[400]))
        response.force_close()
        self.leave_unread()
        return response

    def _speaks(self) -> bool:
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _late(self) -> None:
        if self.phase is Phase.HEAD and self.transport is not None:
            self.transport.write(_LATE)
        self.leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _status_of(error: BaseException, too_long: int) -> int:
    """What the parser refuses before the gate can: still with the status that the gate would give."""
    if isinstance(error, http_exceptions.LineTooLong):
        return too_long
    if "'Host' header" in str(error):
        return 421
    return 415 if "'Content-Type' header" in str(error) else 400


_ODD_HOST: Final = re.compile(rb"\r\nhost:[^\r\n]*[ \t]\r\n", re.IGNORECASE)
_WORDS: Final = {
    400: ("bad_request", "This is not a request we understand."),
    414: ("too_long", "The address is too long."),
    415: ("not_json", "Send the body as application/json."),
    421: ("wrong_host", "This address does not belong to trayagent."),
    431: ("too_long", "The headers are too long."),
    500: ("internal", "Something went wrong inside trayagent."),
}
_LATE_BODY: Final = b'{"error":{"code":"too_slow","message":"The request took too long."}}'
_LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nServer: trayagent\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
) % (len(_LATE_BODY), _LATE_BODY)


def connection_of(request: web.BaseRequest) -> Connection:
    """The connection that a request came on."""
    connection: Any = request.protocol
    assert isinstance(connection, Connection)
    return connection
