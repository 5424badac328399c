"""The server: the gate judges every request, its body is read, its route answers."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from trayagent.agent.access import BadCodeError
from trayagent.hook import pages
from trayagent.hook.api import API
from trayagent.hook.connections import (
    BODY_SECONDS,
    WRITE_SECONDS,
    Acceptor,
    ConnectionPhase,
    HttpConnection,
    connection_of,
)
from trayagent.hook.events import EventRing
from trayagent.hook.foreign import FOREIGN
from trayagent.hook.foreign.sockets import RpcSockets
from trayagent.hook.gate import Refusal, RequestFacts, judge, too_large
from trayagent.hook.listener import Listener
from trayagent.hook.pages import Nonces, missing_page
from trayagent.hook.request import Desktop, HookContext, HookRequest, MalformedError, Reply
from trayagent.hook.routing import MOST_BODY_BYTES, Route, RouteTable
from trayagent.model.errors import (
    NotFoundError,
    StoreUnavailableError,
    TrayagentError,
    WrongStateError,
)
from trayagent.net import peer_user
from trayagent.store.admission import KeyReusedError
from trayagent.store.database import REQUEST_SECONDS, waiting_at_most

if TYPE_CHECKING:
    from trayagent.agent import Agent

log = logging.getLogger(__name__)

ROUTES: Final[tuple[Route, ...]] = (*API, *FOREIGN, *pages.routes)
STOP_SECONDS: Final = 1.0
"""Requests under way may take so long when we stop."""
STATUS: Final[dict[type[TrayagentError], int]] = {
    MalformedError: 400,
    BadCodeError: 403,
    NotFoundError: 404,
    WrongStateError: 409,
    KeyReusedError: 409,
    StoreUnavailableError: 503,
}
"""Every other error of ours is 422: understood, but not possible as asked."""
_HEADERS: Final = {
    "Server": "trayagent",
    # The history is nobody's business but its owner's: no copy of it in a browser's cache.
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # No other site's page can load an answer as a picture or a script, and look at its size or time.
    "Cross-Origin-Resource-Policy": "same-origin",
    # For JSON; pages bring a policy of their own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Who may read an answer depends on who asks (`_cors_headers`).
    "Vary": "Origin",
}


class HookServer:
    """Serves the agent on a listener. `quit` ends the program; it must return at once."""

    def __init__(
        self,
        agent: Agent,
        quit: Callable[[], None],
        *,
        desktop: Desktop,
        events: EventRing | None = None,
        is_another_users: Callable[[socket.socket], bool] = peer_user.is_another_users,
    ) -> None:
        self._is_another_users = is_another_users
        self._agent = agent
        self._quit = quit
        self._desktop = desktop
        self._table = RouteTable(ROUTES)
        self._events = events or EventRing()
        self._sockets = RpcSockets(agent.clients)
        self._host_names: frozenset[str] = frozenset()
        self._context: HookContext | None = None

    async def serve(self, listener: Listener) -> None:
        """Accept clients until cancelled; then end streams and requests within a second."""
        self._host_names = listener.host_names
        self._context = HookContext(
            self._agent,
            listener.port,
            self._events,
            self._sockets,
            Nonces(),
            self._quit,
            self._desktop,
            ROUTES,
        )
        server = web.Server(self._handle)
        acceptor = Acceptor(
            lambda acceptor, sock: HttpConnection(
                server,
                acceptor,
                sock,
                lambda status, code, message: response_of_refusal(Refusal(status, code, message)),
            ),
            is_another_users=self._is_another_users,
        )
        try:
            with (
                self._agent.bus.subscribe(self._events.add),
                self._agent.bus.subscribe(self._sockets.hear),
            ):
                async with asyncio.TaskGroup() as group:
                    for sock in listener.sockets:
                        group.create_task(
                            acceptor.accept_clients(sock), name=f"hook {sock.getsockname()[0]}"
                        )
        finally:
            # Nobody comes any more, and streams end by themselves; then requests under way have
            # their second, and what is left is cut off.
            listener.close()
            acceptor.close()
            self._events.close()
            self._sockets.close()
            server.pre_shutdown()
            await server.shutdown(STOP_SECONDS)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, from its head to the last byte of its answer.

        1. The gate judges the head. What it refuses is answered without reading the body.
        2. The body is read, within its limits.
        3. The route's handler answers.
        4. The answer is sent, unless the handler has sent it (the stream of events).
        """
        connection = connection_of(request)
        connection.enter_request(request.content)
        facts = RequestFacts.of(
            request,
            host_names=self._host_names,
            routes=self._table,
            clients=self._agent.clients,
            listed_origins=frozenset(self._agent.live_settings.config.hook.aria2_origins),
        )
        body: bytes | Refusal | None = judge(facts)
        if body is None:
            most = facts.route.most_bytes if facts.route is not None else MOST_BODY_BYTES
            body = await read_body(request, limit=most)
            connection.enter(ConnectionPhase.BUSY)
        response: web.StreamResponse
        if isinstance(body, Refusal):
            if body.status in (401, 429) and facts.token is not None:
                self._agent.clients.guesses.note_wrong()
            # Nothing that the client sent goes into the log, but a method, cut: the path may hold a
            # secret, and any text may be made to look like lines of ours.
            if body.status >= 400:
                where = facts.route.path if facts.route else "an unknown address"
                log.info("Refused %s %s: %s", facts.method[:16], where, body.code)
            if body.status == 404 and _is_person(request):
                response = response_of(await missing_page())
            else:
                response = response_of_refusal(body)
        else:
            response = await self._answer(request, facts, body)
        if not response.prepared:
            response.headers.update(_cors_headers(facts))
        # Bytes of a body that nobody reads would be taken for the next request. What comes after
        # an `Upgrade` that we do not know is no HTTP at all, and after a coding that we do not read
        # nobody knows where the next request begins.
        is_clear = request.content.is_eof() and facts.has_known_framing
        if not is_clear or request.headers.get("Upgrade"):
            response.force_close()
            connection.linger_after_answer()
        if not response.prepared:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.prepare(request)
                    await response.write_eof()
            except TimeoutError:
                connection.abort()
                raise ConnectionResetError("the client does not read its answer") from None
        connection.enter(ConnectionPhase.IDLE)
        return response

    async def _answer(
        self, request: web.BaseRequest, facts: RequestFacts, body: bytes
    ) -> web.StreamResponse:
        """Let the route's handler answer; an error of it becomes the answer."""
        assert self._context is not None  # `serve` has set it
        assert facts.route is not None  # the gate refuses a request without one
        headers = {**_HEADERS, **_cors_headers(facts)}
        try:
            if facts.caller is not None:
                await self._context.note_seen(facts.caller)
            with waiting_at_most(REQUEST_SECONDS):
                reply = await facts.route.handler(
                    HookRequest(self._context, facts, facts.route, request, body, headers)
                )
        except ConnectionError:
            raise  # the client is gone: there is nobody to answer
        except Exception as error:  # the one boundary: a fault costs one request, not the server
            refusal = refusal_of_error(error)
            if refusal.status == 500:
                log.exception("%s %s failed", facts.method, facts.route.path)
            return response_of_refusal(refusal)
        return reply if isinstance(reply, web.StreamResponse) else response_of(reply)


async def read_body(
    request: web.BaseRequest, *, limit: int = MOST_BODY_BYTES, seconds: float = BODY_SECONDS
) -> bytes | Refusal:
    """The whole body; refused at the byte that is too much, or when time is up.

    Raises ConnectionError when the client is gone.
    """
    if not request.can_read_body:
        return b""
    pieces = bytearray()
    try:
        async with asyncio.timeout(seconds):
            # aiohttp would answer this before the gate has spoken, so we do it here.
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # else aiohttp takes it for the answer's beginning
            while piece := await request.content.readany():
                pieces += piece
                if len(pieces) > limit:
                    return too_large(limit)
    except TimeoutError:
        return Refusal(408, "too_slow", "The body took too long.")
    except web.RequestPayloadError:
        return Refusal(400, "bad_request", "The body is not framed as HTTP asks.")
    return bytes(pieces)


def _is_person(request: web.BaseRequest) -> bool:
    """Whether a browser shows the answer to a person: JSON would say little to them."""
    wants_page = "text/html" in request.headers.get("Accept", "")
    return request.method == "GET" and wants_page and not request.path.startswith("/api/")


def refusal_of_error(error: Exception) -> Refusal:
    """The answer to an error. A fault of ours tells no details: they are in the log."""
    if not isinstance(error, TrayagentError):
        return Refusal(
            500, "internal", "Something went wrong inside trayagent; see: trayagent logs"
        )
    # By class, the nearest first: a new kind of error needs no entry where its parent's status
    # fits.
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 422)
    return Refusal(status, error.code, error.message, action=error.action)


def response_of(reply: Reply) -> web.Response:
    """A reply with the headers that every answer has."""
    content = reply.content
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    headers = {**_HEADERS, "Content-Type": reply.type, **reply.headers}
    return web.Response(status=reply.status, body=body, headers=headers)


def response_of_refusal(refusal: Refusal) -> web.Response:
    """A refusal as JSON; one without a code (a preflight's yes) has no body."""
    if not refusal.code:
        return web.Response(status=refusal.status, headers={**_HEADERS, **refusal.headers})
    error = {"code": refusal.code, "message": refusal.message}
    if refusal.action:
        error["action"] = refusal.action
    return response_of(Reply(refusal.status, {"error": error}, headers=refusal.headers))


def _cors_headers(facts: RequestFacts) -> dict[str, str]:
    """Who may read the answer is told so; nobody else is told anything."""
    # Two Hosts: the request is refused, and which of the two was meant is not for us to guess.
    if facts.origin is None or not facts.may_read or len(facts.hosts) != 1:
        return {}
    return {"Access-Control-Allow-Origin": facts.origin}
