"""The settings: read them, change them; comments in the file are kept."""

from __future__ import annotations

from typing import Any, Final

from trayagent.hook.call import Call, Reply
from trayagent.hook.routes import Route
from trayagent.model.config import Config
from trayagent.settings import shown
from trayagent.settings.places import check_folders


async def read(call: Call) -> Reply:
    """The settings in force."""
    return Reply(200, shown(call.agent.preferences.config))


async def change(call: Call) -> Reply:
    """Write changes to config.toml; all problems are told at once and nothing is changed then."""
    changes = call.json(dict[str, dict[str, Any] | list[Any]])
    check_folders(changes, shown(call.agent.preferences.config))
    return Reply(200, shown(await call.agent.preferences.change(changes)))


ROUTES: Final = (
    Route("GET", "/api/v1/config", read, "owner", "The settings in force.", gives={200: Config}),
    Route(
        "PATCH",
        "/api/v1/config",
        change,
        "owner",
        "Change settings: the keys to change, nested as in the file.",
        takes=dict[str, Any],
        gives={200: Config},
    ),
)
