"""The files of a library's items: looking at one, showing it on the desktop, putting some into the trash."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from trayagent.files import open_regular
from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.errors import NotFoundError, TrayagentError

MOST_SHOWN_BYTES: Final = 96 << 20
"""A larger file is for a program of the desktop: the page holds a file as a whole."""
_MEDIA_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
}
"""What a browser draws without running anything in it: no SVG, no HTML."""

routes = Routes()


@routes.add("GET", "/api/v1/sources/{name}/items/{id}/file", who="owner")
async def get_item_file(request: HookRequest) -> Reply:
    """The picture or video itself, up to 96 MiB."""
    path = await request.agent.album_files.file_of(request.params["name"], request.params["id"])
    kind = _MEDIA_TYPES.get(path.suffix.lower())
    if kind is None:
        raise TrayagentError("not_shown", "A browser cannot show this kind of file.", "Open it.")
    content = await asyncio.to_thread(_read, path)
    return Reply(200, content, kind, {"Cache-Control": "private, max-age=3600"})


@routes.add(
    "POST",
    "/api/v1/sources/{name}/items/{id}/open",
    who="owner",
    body=schemas.Showing,
    is_body_optional=True,
    answers={200: schemas.Done},
)
async def open_item(request: HookRequest) -> Reply:
    """Open an item's file, or its folder, on this computer's desktop."""
    what = request.json(schemas.Showing).what
    path = await request.agent.album_files.file_of(request.params["name"], request.params["id"])
    desktop = request.context.desktop
    show = desktop.open_file if what == "file" else desktop.open_folder
    await asyncio.to_thread(show, path)  # a desktop may need seconds to find the program
    return Reply(200, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/sources/{name}/trash",
    who="owner",
    body=schemas.ItemNames,
    answers={200: schemas.Trashed},
)
async def put_items_in_trash(request: HookRequest) -> Reply:
    """Put the files of items into the trash; no sync fetches them again by itself."""
    names = request.json(schemas.ItemNames).names
    done = await request.agent.album_files.put_in_trash(request.params["name"], names)
    return Reply(200, schemas.Trashed(done))


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            # One byte more than may be shown is enough to see that a file is too large.
            content = file.read(MOST_SHOWN_BYTES + 1)
    except OSError as error:
        raise NotFoundError(
            "not_found", "The file is not where it was saved.", "Sync again to fetch it."
        ) from error
    if len(content) > MOST_SHOWN_BYTES:
        raise TrayagentError("too_large", "The file is too large to be shown here.", "Open it.")
    return content
