"""The whole queue: its status, its pause, its events; and the program itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from aiohttp import web

from trayagent.hook import schemas
from trayagent.hook.connections import WRITE_SECONDS, ConnectionPhase, connection_of
from trayagent.hook.openapi import document
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.status import Status

routes = Routes()


@routes.add("GET", "/api/v1/health", who="anyone", answers={200: schemas.Health})
async def get_health(_: HookRequest) -> Reply:
    """Whether trayagent is here."""
    # Nobody needs a token for this, so it says nothing else: no version, no name, no state.
    return Reply(200, schemas.Health())


@routes.add("GET", "/api/v1/status", who="owner", answers={200: Status})
async def get_status(request: HookRequest) -> Reply:
    """Counts, speed, pause."""
    return Reply(200, request.agent.queries.status())


@routes.add("GET", "/api/v1/events", who="owner")
async def stream_events(request: HookRequest) -> web.StreamResponse:
    """Server-sent events; `Last-Event-ID` goes on where you were, or answers `reset`.

    Either side may end the stream. It is the one answer that is sent piece by piece, so it has its
    own deadline: a listener that does not read is cut off, since its socket would fill our memory.
    """
    last_id = request.http.headers.get("Last-Event-ID")
    response = web.StreamResponse(
        headers={**request.headers, "Content-Type": "text/event-stream; charset=utf-8"}
    )
    # The connection carries nothing after the stream: it ends when the stream does.
    response.force_close()
    # A stream may be silent for long, and is not one of the connections that make room for others.
    connection = connection_of(request.http)
    connection.enter(ConnectionPhase.STREAM)
    await response.prepare(request.http)
    async with aclosing(request.context.events.follow(last_id, request.is_still_allowed)) as pieces:
        async for piece in pieces:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await response.write(piece)
            except TimeoutError:
                connection.abort()
                raise ConnectionResetError("the listener does not read") from None
    await response.write_eof()
    return response


@routes.add(
    "POST",
    "/api/v1/pause",
    who="owner",
    body=schemas.Pause,
    is_body_optional=True,
    answers={200: Status},
)
async def pause_queue(request: HookRequest) -> Reply:
    """Pause the whole queue."""
    await request.agent.queue.pause_all(request.json(schemas.Pause).minutes)
    return Reply(200, request.agent.queries.status())


@routes.add(
    "POST",
    "/api/v1/resume",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: Status},
)
async def resume_queue(request: HookRequest) -> Reply:
    """Resume the whole queue."""
    request.json(schemas.Empty)
    await request.agent.queue.resume_all()
    return Reply(200, request.agent.queries.status())


@routes.add(
    "POST",
    "/api/v1/clear",
    who="owner",
    body=schemas.Clear,
    is_body_optional=True,
    answers={200: schemas.Removed},
)
async def clear_queue(request: HookRequest) -> Reply:
    """Forget finished downloads, or those that failed; files stay."""
    failed = request.json(schemas.Clear).failed
    return Reply(200, schemas.Removed(await request.agent.queue.clear(failed=failed)))


@routes.add("GET", "/api/v1/openapi.json", who="owner")
async def get_openapi(request: HookRequest) -> Reply:
    """This document."""
    return Reply(200, document(request.context.routes, request.agent.version))


@routes.add(
    "POST",
    "/api/v1/quit",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={202: schemas.Done},
)
async def quit(request: HookRequest) -> Reply:
    """End trayagent."""
    request.json(schemas.Empty)
    request.context.quit()  # returns at once; downloads go on at the next start
    return Reply(202, schemas.Done())
