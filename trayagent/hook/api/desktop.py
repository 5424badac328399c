"""This computer, as far as the dashboard may change it: our folders, a first file, the start with the session."""

from __future__ import annotations

import asyncio
from pathlib import Path

from trayagent.agent.first_download import first_download
from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.downloads import Receipt
from trayagent.model.folder_rules import full_path

routes = Routes()


@routes.add(
    "POST",
    "/api/v1/desktop/folder",
    who="owner",
    body=schemas.Folder,
    answers={200: schemas.Done},
)
async def open_own_folder(request: HookRequest) -> Reply:
    """Open one of our folders on this computer's desktop."""
    # By name, not by path: whoever speaks for the page cannot have any other folder opened.
    config = request.agent.live_settings.config
    folder = {
        "downloads": config.downloads.folder,
        "drop": config.drop.folder,
        "library": config.library.folder,
    }[request.json(schemas.Folder).folder]

    def show() -> None:
        path = Path(folder).expanduser()
        path.mkdir(parents=True, exist_ok=True)  # nothing may have been saved yet
        request.context.desktop.open_folder(path)

    await asyncio.to_thread(show)
    return Reply(200, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/desktop/choose-folder",
    who="owner",
    body=schemas.FolderStart,
    answers={200: schemas.ChosenFolder},
)
async def choose_folder(request: HookRequest) -> Reply:
    """Let the person at this computer choose a folder; answers when the dialog is closed."""
    downloads = Path(request.agent.live_settings.config.downloads.folder)
    start = request.json(schemas.FolderStart).start

    def choose() -> Path | None:
        # A relative start is below the downloads; an absolute one stays as it is.
        return request.context.desktop.choose_folder(downloads / full_path(start))

    chosen = await asyncio.to_thread(choose)
    return Reply(200, schemas.ChosenFolder(None if chosen is None else str(chosen)))


@routes.add("GET", "/api/v1/desktop/autostart", who="owner", answers={200: schemas.SessionStart})
async def get_autostart(request: HookRequest) -> Reply:
    """Whether the session starts trayagent."""
    is_on = await asyncio.to_thread(request.context.desktop.starts_with_session)
    return Reply(200, schemas.SessionStart(is_on))


@routes.add(
    "POST",
    "/api/v1/desktop/autostart",
    who="owner",
    body=schemas.SessionStart,
    answers={200: schemas.SessionStart},
)
async def set_autostart(request: HookRequest) -> Reply:
    """Let the session start trayagent, or not."""
    # Asked again afterwards: what the session really does counts, not what it was told.
    desktop = request.context.desktop
    await asyncio.to_thread(desktop.start_with_session, request.json(schemas.SessionStart).on)
    return Reply(200, schemas.SessionStart(await asyncio.to_thread(desktop.starts_with_session)))


@routes.add(
    "POST",
    "/api/v1/desktop/first",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={202: Receipt},
)
async def add_first_download(request: HookRequest) -> Reply:
    """Download a small text of our own, which needs no network."""
    request.json(schemas.Empty)
    entered = await request.agent.intake.enter([first_download()], via="page")
    return Reply(202, entered.receipt)
