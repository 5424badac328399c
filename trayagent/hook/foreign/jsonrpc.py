"""`/jsonrpc`: aria2's interface, by POST and over a WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from aiohttp import web

from trayagent.hook.connections import ConnectionPhase, connection_of
from trayagent.hook.foreign import rpc
from trayagent.hook.foreign.methods import METHODS
from trayagent.hook.foreign.sockets import PING_SECONDS, RpcSocket
from trayagent.hook.request import HookRequest, MalformedError, Reply
from trayagent.hook.routing import Routes
from trayagent.model.access import Caller
from trayagent.model.errors import NotFoundError, StoreUnavailableError
from trayagent.store.downloads import number
from trayagent.store.tasks import gid_of

routes = Routes()


@routes.add("POST", "/jsonrpc", who="foreign", most_bytes=rpc.MOST_MESSAGE_BYTES)
async def answer_post(request: HookRequest) -> Reply:
    """aria2's JSON-RPC: one call, or a batch."""
    seen: dict[str, Caller] = {}
    answer = await _answer(request, request.body, lambda caller: seen.update({caller.id: caller}))
    for caller in seen.values():
        await request.context.note_seen(caller)
    content = msgspec.json.encode(answer.content)
    return Reply(answer.status, content, "application/json-rpc")


@routes.add("GET", "/jsonrpc", who="foreign", is_socket=True)
async def open_socket(request: HookRequest) -> web.StreamResponse:
    """The same over a WebSocket, with notifications."""
    # No compression: a small message could unfold into a large one.
    response = web.WebSocketResponse(
        compress=False, max_msg_size=rpc.MOST_MESSAGE_BYTES, heartbeat=PING_SECONDS, timeout=1.0
    )
    # Asked before, since a handshake that is none would pass for a fault of ours.
    if not response.can_prepare(request.http):
        raise MalformedError("bad_handshake", "This is not a handshake of WebSocket version 13.")
    # It may be silent for long, and is not one of the connections that make room for others.
    connection_of(request.http).enter(ConnectionPhase.STREAM)
    await response.prepare(request.http)

    async def find_gid(id: str) -> str:
        with suppress(NotFoundError, StoreUnavailableError):
            return (await request.agent.queries.task_of(id)).gid
        return gid_of(number(id))  # it was removed meanwhile

    socket = RpcSocket(request.http, response, find_gid)

    async def answer(message: str) -> Any:
        seen: dict[str, Caller] = {}

        def welcome(caller: Caller) -> None:
            seen[caller.id] = caller
            socket.welcome(caller)

        told = await _answer(request, message, welcome)
        for caller in seen.values():
            await request.context.note_seen(caller)
        return told.content

    with request.context.sockets.keeping(socket):
        await socket.serve(answer)
    return response


async def _answer(
    request: HookRequest, message: bytes | str, welcome: Callable[[Caller], None]
) -> rpc.RpcAnswer:
    facts = request.facts
    session = rpc.RpcSession(
        request.agent,
        request.context.sockets.run_id,
        # A program sends no Origin, or (a library for sockets does) ours.
        is_from_browser=facts.origin not in (None, facts.own_origin),
        welcome=welcome,
    )
    return await rpc.answer(message, session, METHODS)
