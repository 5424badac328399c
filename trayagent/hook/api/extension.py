"""The browser extension, on its way from the program into the browser."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.errors import TrayagentError

routes = Routes()


@routes.add(
    "POST",
    "/api/v1/extension",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: schemas.Extension},
)
async def unpack_extension(request: HookRequest) -> Reply:
    """Unpack the browser extension and open its folder, as `trayagent extension` does."""
    request.json(schemas.Empty)
    desktop = request.context.desktop
    files = await asyncio.to_thread(desktop.unpack_extension)
    # The page shows where the folder is; a desktop that cannot open it is no reason to fail.
    with suppress(TrayagentError):
        await asyncio.to_thread(desktop.open_folder, files.folder)
    return Reply(
        200,
        schemas.Extension(
            str(files.folder), str(files.chromium), str(files.zip), str(files.xpi), files.version
        ),
    )
