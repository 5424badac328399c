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
from trayagent.model.errors import NotFoundError, TrayagentError, WrongStateError
from trayagent.model.folder_rules import full_path
from trayagent.settings.rules import is_forbidden_folder
from trayagent.sites.protocol import PageSeen
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
    body = request.json(schemas.ManyActions)
    queue = request.agent.queue
    ids = list(dict.fromkeys(body.ids))  # an id that is named twice is one download
    if body.action in _MOVES:
        # All at once, for they keep their order among each other.
        moved = set(await queue.move(ids, cast(Move, body.action), body.before))
        results = [
            schemas.ActionResult(id, None if id in moved else await _why_it_stays(request, id))
            for id in ids
        ]
        return Reply(200, schemas.ActionResults(tuple(results)))
    commands: dict[str, Callable[[str], Awaitable[Download]]] = {
        "pause": queue.pause,
        "resume": queue.resume,
        "cancel": queue.cancel,
        "retry": queue.retry,
        "remove": queue.remove,
    }
    # Each for itself: one that cannot be paused any more does not keep the others from it.
    results = []
    for id in ids:
        try:
            await commands[body.action](id)
        except TrayagentError as error:
            fault = schemas.Fault(error.code, error.message, error.action)
            results.append(schemas.ActionResult(id, fault))
        else:
            results.append(schemas.ActionResult(id))
    return Reply(200, schemas.ActionResults(tuple(results)))


async def _why_it_stays(request: HookRequest, id: str) -> schemas.Fault:
    try:
        await request.agent.queries.download(id)
    except NotFoundError as error:
        return schemas.Fault(error.code, error.message, error.action)
    return schemas.Fault("wrong_state", "Only a download that waits has a place in the queue.")


@routes.add(
    "POST",
    "/api/v1/downloads/seen",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: schemas.Done},
)
async def mark_failures_seen(request: HookRequest) -> Reply:
    """A person has looked at what failed: the tray's icon is calm again."""
    request.json(schemas.Empty)
    request.agent.queue.mark_failures_seen()
    return Reply(200, schemas.Done())


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
    if download.path is None and download.remote_path is not None:
        raise WrongStateError(f"The file is not on this machine, but at {download.remote_path}.")
    if download.path is None:
        raise WrongStateError(f"Download {download.id} has no file yet.")
    desktop = request.context.desktop
    show = desktop.open_file if what == "file" else desktop.open_folder
    # A desktop may need seconds to find the program, or the disk to wake up.
    await asyncio.to_thread(show, Path(download.path))
    return Reply(200, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/downloads/{id}/move",
    who="owner",
    body=schemas.FolderWish,
    answers={202: Download},
)
async def move_download(request: HookRequest) -> Reply:
    """Move a finished file to another folder; its new place comes as an event. Nothing is replaced there."""
    wish = request.json(schemas.FolderWish).folder
    downloads = Path(request.agent.live_settings.config.downloads.folder)

    def check_folder() -> Path:
        folder = downloads / full_path(wish)
        if wish.startswith("~") and not full_path(wish).is_absolute():
            raise TrayagentError("bad_folder", f"{wish.split('/')[0]} is no user of this computer.")
        # As for a folder in the settings: a page shall not put files where programs look for theirs.
        if is_forbidden_folder(str(folder)):
            raise TrayagentError(
                "bad_folder",
                f"{folder} is a hidden folder, or the system's.",
                "Choose another one.",
            )
        return folder

    folder = await asyncio.to_thread(check_folder)
    return Reply(202, await request.agent.mover.move(request.params["id"], folder))


@routes.add("GET", "/api/v1/downloads/{id}/thumbnail", who="owner")
async def get_preview(request: HookRequest) -> Reply:
    """A JPEG of at most 256 pixels of a downloaded picture or, where there is ffmpeg, video."""
    picture = await request.agent.previews.preview(request.params["id"])
    return Reply(200, picture, "image/jpeg", {"Cache-Control": "private, max-age=86400"})


@routes.add("GET", "/api/v1/downloads/{id}/parts", who="owner", answers={200: schemas.FileParts})
async def get_parts(request: HookRequest) -> Reply:
    """Which stretches of a file are here."""
    queries = request.agent.queries
    download = await queries.download(request.params["id"])
    parts = await queries.parts(download.id)
    found = tuple(schemas.FilePart(start, end) for start, end in parts)
    return Reply(200, schemas.FileParts(found, download.size))


@routes.add(
    "POST",
    "/api/v1/pages/look",
    who="owner",
    body=schemas.PageAddress,
    answers={200: PageSeen},
)
async def look_at_page(request: HookRequest) -> Reply:
    """What a page offers before anything of it is downloaded: title, picture, forms, subtitles, entries."""
    return Reply(200, await request.agent.page_looks.look(request.json(schemas.PageAddress).url))
