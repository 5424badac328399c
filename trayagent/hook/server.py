"""The hook: every request is judged by the gate, read, answered by its route, and nothing else."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from trayagent.hook.api import API
from trayagent.hook.body import read_body
from trayagent.hook.call import Call, House, Reply, bearer_token
from trayagent.hook.connections import WRITE, Connection, Phase, connection_of
from trayagent.hook.door import Door
from trayagent.hook.events import Ring
from trayagent.hook.faults import refusal_of
from trayagent.hook.gate import judge
from trayagent.hook.knock import Knock, Refusal
from trayagent.hook.nonce import Nonces
from trayagent.hook.pages import PAGES
from trayagent.hook.room import Room
from trayagent.hook.routes import Route, Table
from trayagent.model.client import Caller
from trayagent.model.errors import StoreUnavailableError
from trayagent.net import peer_user
from trayagent.store.database import REQUEST_SECONDS, waiting_at_most

if TYPE_CHECKING:
    from trayagent.agent import Agent

log = logging.getLogger(__name__)

ROUTES: Final[tuple[Route, ...]] = (*API, *PAGES)
NOTE_SECONDS: Final = 0.2
"""What a request waits for the note that its client was here."""
STOP: Final = 1.0
"""Seconds that requests under way get when we stop."""
_HEADERS: Final = {
    "Server": "trayagent",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Vary": "Origin",
}


class Hook:
    """Serves the agent on a door. `quit` ends the program; it must return at once."""

    def __init__(
        self,
        agent: Agent,
        quit: Callable[[], None],
        *,
        ring: Ring | None = None,
        is_another_users: Callable[[socket.socket], bool] = peer_user.is_another_users,
    ) -> None:
        self._is_another_users = is_another_users
        self._agent = agent
        self._quit = quit
        self._table = Table(ROUTES)
        self._ring = ring or Ring()
        self._names: frozenset[str] = frozenset()
        self._house: House | None = None

    async def serve(self, door: Door) -> None:
        """Let clients in until cancelled; then end streams and requests within a second."""
        self._names = door.names
        self._house = House(self._agent, door.port, self._ring, Nonces(), self._quit, ROUTES)
        server = web.Server(self._handle)

        def connection(room: Room, sock: socket.socket) -> Connection:
            return Connection(server, room, sock, _early_refusal)

        room = Room(connection, is_another_users=self._is_another_users)
        try:
            with self._agent.bus.subscribe(self._ring.hear):
                async with asyncio.TaskGroup() as group:
                    for sock in door.sockets:
                        group.create_task(room.admit(sock), name=f"hook {sock.getsockname()[0]}")
        finally:
            door.close()
            room.close()
            self._ring.close()
            server.pre_shutdown()
            await server.shutdown(STOP)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        connection.enter_with(request.content)
        knock, params = self._knock(request)
        refusal = judge(knock)
        if refusal is None:
            body = await read_body(request)
            connection.enter(Phase.BUSY)
            response = await self._answer(request, knock, params, body)
        else:
            self._note(knock, refusal)
            response = refused(refusal)
        if not response.prepared:
            response.headers.update(_cors(knock))
        if not request.content.is_eof() or request.headers.get("Upgrade"):
            response.force_close()
            connection.leave_unread()
        return await _send(request, response, connection)

    async def _answer(
        self, request: web.BaseRequest, knock: Knock, params: dict[str, str], body: bytes | Refusal
    ) -> web.StreamResponse:
        if isinstance(body, Refusal):
            self._note(knock, body)
            return refused(body)
        assert self._house is not None
        assert knock.route is not None
        headers = {**_HEADERS, **_cors(knock)}
        call = Call(
            self._house, knock.route, knock.caller, knock.origin, params, request, body, headers
        )
        try:
            if knock.caller is not None:
                # When it was seen last is no reason to refuse it.
                with suppress(StoreUnavailableError), waiting_at_most(NOTE_SECONDS):
                    await self._agent.clients.seen(knock.caller)
            with waiting_at_most(REQUEST_SECONDS):
                reply = await knock.route.handler(call)
        except ConnectionError:
            raise
        except Exception as error:  # the one boundary: a fault costs one request, not the door
            refusal = refusal_of(error)
            if refusal.status == 500:
                log.exception("%s %s failed", knock.method, knock.route.pattern)
            return refused(refusal)
        return reply if isinstance(reply, web.StreamResponse) else response_of(reply)

    def _knock(self, request: web.BaseRequest) -> tuple[Knock, dict[str, str]]:
        headers = request.headers
        odd = " " if connection_of(request).odd_host else ""
        path = request.raw_path.partition("?")[0]
        methods, params = self._table.find(path)
        asked = (
            headers.get("Access-Control-Request-Method", "")
            if request.method == "OPTIONS"
            else request.method
        )
        token = bearer_token(headers.getall("Authorization", []))
        peer = request.transport.get_extra_info("peername") if request.transport else None
        knock = Knock(
            peer=peer[0] if peer else "0.0.0.0",  # noqa: S104 - nobody: the gate refuses it
            names=self._names,
            method=request.method,
            path=path,
            route=methods.get(asked),
            allowed=tuple(methods),
            hosts=tuple(host + odd for host in headers.getall("Host", [])),
            origins=tuple(headers.getall("Origin", [])),
            fetch_site=",".join(headers.getall("Sec-Fetch-Site", [])),
            fetch_mode=headers.get("Sec-Fetch-Mode", ""),
            fetch_dest=headers.get("Sec-Fetch-Dest", ""),
            paired=self._agent.clients.origins,
            token=token,
            caller=self._recognise(token),
            wait=self._agent.clients.guesses.wait,
            content_types=tuple(headers.getall("Content-Type", [])),
            encodings=tuple(headers.getall("Content-Encoding", [])),
            length=request.content_length,
            chunked="Transfer-Encoding" in headers,
            expects=headers.get("Expect", ""),
        )
        return knock, params

    def _recognise(self, token: str | None) -> Caller | None:
        return self._agent.clients.recognise(token) if token is not None else None

    def _note(self, knock: Knock, refusal: Refusal) -> None:
        if refusal.status in (401, 429) and knock.token is not None:
            self._agent.clients.guesses.wrong()
        if refusal.status >= 400:
            where = knock.route.pattern if knock.route else "an unknown address"
            log.info("Refused %s %s: %s", knock.method[:16], where, refusal.code)


def response_of(reply: Reply) -> web.Response:
    """A reply with the headers that every answer has."""
    content = reply.content
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    headers = {**_HEADERS, "Content-Type": reply.type, **reply.headers}
    return web.Response(status=reply.status, body=body, headers=headers)


def refused(refusal: Refusal) -> web.Response:
    """A refusal as JSON; one without a code (a preflight's yes) has no body."""
    if not refusal.code:
        return web.Response(status=refusal.status, headers={**_HEADERS, **refusal.headers})
    error = {"code": refusal.code, "message": refusal.message}
    if refusal.action:
        error["action"] = refusal.action
    return response_of(Reply(refusal.status, {"error": error}, headers=refusal.headers))


def _early_refusal(status: int, code: str, message: str) -> web.Response:
    return refused(Refusal(status, code, message))


def _cors(knock: Knock) -> dict[str, str]:
    """A paired extension may read the answer; nobody else is told anything."""
    if knock.origin is None or knock.origin not in knock.paired or len(knock.hosts) != 1:
        return {}
    return {"Access-Control-Allow-Origin": knock.origin}


async def _send(
    request: web.BaseRequest, response: web.StreamResponse, connection: Connection
) -> web.StreamResponse:
    if not response.prepared:
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE):
                await response.prepare(request)
                await response.write_eof()
                connection.enter(Phase.IDLE)
                return response
        connection.cut()
        raise ConnectionResetError("the client does not read its answer")
    connection.enter(Phase.IDLE)
    return response
