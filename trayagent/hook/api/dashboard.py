"""What a list of downloads needs beside one download: counts, many at once, the desktop, the parts of a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.downloads import Download
from trayagent.model.errors import TrayagentError, WrongStateError
from trayagent.store.queue_order import Move

_MOVES = ("top", "up", "down", "bottom", "before")

routes = Routes()


@routes.add("GET", "/api/v1/downloads/counts", who="owner", answers={200: schemas.Counts})
async def count_downloads(request: HookRequest) -> Reply:
    """How many downloads there are in each state, and of each type of file."""
    states, types = await request.agent.listings.tally()
    return Reply(200, schemas.Counts(states, types))


@routes.add(
    "POST",
    "/api/v1/downloads/actions",
    who="owner",
    body=schemas.ManyActions,
    answers={200: schemas.ActionResults},
)
async def act_on_downloads(request: HookRequest) -> Reply:
    """Pause, resume, cancel, retry, remove or move many downloads at once; one answer each."""
    asked = request.json(schemas.ManyActions)
    if asked.action in _MOVES:
        return Reply(200, await _move(request, asked))
    queue = request.agent.queue
    commands: dict[str, Callable[[str], Awaitable[Download]]] = {
        "pause": queue.pause,
        "resume": queue.resume,
        "cancel": queue.cancel,
        "retry": queue.retry,
        "remove": queue.remove,
    }
    results = [await _act(commands[asked.action], id) for id in dict.fromkeys(asked.ids)]
    return Reply(200, schemas.ActionResults(tuple(results)))


@routes.add(
    "POST",
    "/api/v1/downloads/{id}/open",
    who="owner",
    body=schemas.Showing,
    is_body_optional=True,
    answers={200: schemas.Done},
)
async def open_download(request: HookRequest) -> Reply:
    """Open the file, or its folder, on this computer's desktop."""
    what = request.json(schemas.Showing).what
    download = await request.agent.queries.download(request.params["id"])
    if download.path is None:
        raise WrongStateError(f"Download {download.id} has no file yet.")
    desktop = request.context.desktop
    show = desktop.open_file if what == "file" else desktop.open_folder
    await asyncio.to_thread(show, Path(download.path))
    return Reply(200, schemas.Done())


@routes.add("GET", "/api/v1/downloads/{id}/parts", who="owner", answers={200: schemas.FileParts})
async def get_parts(request: HookRequest) -> Reply:
    """Which stretches of a file are here."""
    queries = request.agent.queries
    download = await queries.download(request.params["id"])
    parts = await queries.parts(download.id)
    found = tuple(schemas.FilePart(start, end) for start, end in parts)
    return Reply(200, schemas.FileParts(found, download.size))


async def _act(command: Callable[[str], Awaitable[Download]], id: str) -> schemas.ActionResult:
    try:
        await command(id)
    except TrayagentError as error:
        return schemas.ActionResult(id, schemas.Fault(error.code, error.message, error.action))
    return schemas.ActionResult(id)


async def _move(request: HookRequest, asked: schemas.ManyActions) -> schemas.ActionResults:
    moved = set(await request.agent.queue.move(asked.ids, cast(Move, asked.action), asked.before))
    stays = schemas.Fault("wrong_state", "Only a download that waits has a place in the queue.")
    return schemas.ActionResults(
        tuple(schemas.ActionResult(id, None if id in moved else stays) for id in asked.ids)
    )
