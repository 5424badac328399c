"""The settings: read them, change them; comments in the file are kept."""

from __future__ import annotations

from typing import Any

from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.settings import Config
from trayagent.settings import visible_values
from trayagent.settings.rules import check_folders

routes = Routes()


@routes.add("GET", "/api/v1/config", who="owner", answers={200: Config})
async def get_config(request: HookRequest) -> Reply:
    """The settings in force."""
    return Reply(200, visible_values(request.agent.live_settings.config))


@routes.add("PATCH", "/api/v1/config", who="owner", body=dict[str, Any], answers={200: Config})
async def change_config(request: HookRequest) -> Reply:
    """Change settings: the keys to change, nested as in the file.

    One error names all problems; nothing is changed then.
    """
    changes = request.json(dict[str, dict[str, Any] | list[Any]])
    check_folders(changes, visible_values(request.agent.live_settings.config))
    return Reply(200, visible_values(await request.agent.live_settings.change(changes)))
