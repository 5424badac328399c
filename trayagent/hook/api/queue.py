"""The whole queue: its status, its pause, its events; and the program itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

from aiohttp import web

from trayagent.hook import words
from trayagent.hook.call import Call, Reply, decode
from trayagent.hook.connections import WRITE, Phase, connection_of
from trayagent.hook.openapi import document
from trayagent.hook.routes import Route
from trayagent.model.status import Status


async def health(_: Call) -> Reply:
    """We are here; it says nothing else."""
    return Reply(200, words.Health())


async def status(call: Call) -> Reply:
    """What is going on."""
    return Reply(200, call.agent.queries.status())


async def pause(call: Call) -> Reply:
    """Start nothing more, for so many minutes or until resumed."""
    await call.agent.queue.pause_all(decode(call.body or b"{}", words.Pause).minutes)
    return Reply(200, call.agent.queries.status())


async def resume(call: Call) -> Reply:
    """Go on."""
    decode(call.body or b"{}", words.Empty)
    await call.agent.queue.resume_all()
    return Reply(200, call.agent.queries.status())


async def clear(call: Call) -> Reply:
    """Forget what is finished, or what failed; files stay."""
    asked = decode(call.body or b"{}", words.Clear)
    return Reply(200, words.Removed(await call.agent.queue.clear(failed=asked.failed)))


async def events(call: Call) -> web.StreamResponse:
    """The stream of events, until either side ends it."""
    last_id = call.request.headers.get("Last-Event-ID")
    response = web.StreamResponse(
        headers={**call.headers, "Content-Type": "text/event-stream; charset=utf-8"}
    )
    response.force_close()
    connection = connection_of(call.request)
    connection.enter(Phase.STREAM)
    await response.prepare(call.request)
    async with aclosing(call.house.ring.follow(last_id, call.still_welcome)) as pieces:
        async for piece in pieces:
            try:
                async with asyncio.timeout(WRITE):
                    await response.write(piece)
            except TimeoutError:
                connection.cut()
                raise ConnectionResetError("the listener does not read") from None
    await response.write_eof()
    return response


async def openapi(call: Call) -> Reply:
    """This interface, as OpenAPI 3.1."""
    return Reply(200, document(call.house.routes, call.agent.version))


async def quit(call: Call) -> Reply:
    """End the program; downloads go on at the next start."""
    decode(call.body or b"{}", words.Empty)
    call.house.quit()
    return Reply(202, words.Done())


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/health",
        health,
        "anyone",
        "Whether trayagent is here.",
        gives={200: words.Health},
    ),
    Route("GET", "/api/v1/status", status, "owner", "Counts, speed, pause.", gives={200: Status}),
    Route(
        "GET",
        "/api/v1/events",
        events,
        "owner",
        "Server-sent events; `Last-Event-ID` goes on where you were, or answers `reset`.",
    ),
    Route(
        "POST",
        "/api/v1/pause",
        pause,
        "owner",
        "Pause the whole queue.",
        takes=words.Pause,
        bare=True,
        gives={200: Status},
    ),
    Route(
        "POST",
        "/api/v1/resume",
        resume,
        "owner",
        "Resume the whole queue.",
        takes=words.Empty,
        bare=True,
        gives={200: Status},
    ),
    Route(
        "POST",
        "/api/v1/clear",
        clear,
        "owner",
        "Forget finished downloads, or those that failed; files stay.",
        takes=words.Clear,
        bare=True,
        gives={200: words.Removed},
    ),
    Route("GET", "/api/v1/openapi.json", openapi, "owner", "This document."),
    Route(
        "POST",
        "/api/v1/quit",
        quit,
        "owner",
        "End trayagent.",
        takes=words.Empty,
        bare=True,
        gives={202: words.Done},
    ),
)
