"""How fast everything together may be: full, slow, or by the clock."""

from __future__ import annotations

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.status import Speed

routes = Routes()


@routes.add("GET", "/api/v1/speed", who="owner", answers={200: Speed})
async def get_speed(request: HookRequest) -> Reply:
    """The speed now, and why."""
    return Reply(200, request.agent.speed_control.speed)


@routes.add("POST", "/api/v1/speed", who="owner", body=schemas.SpeedWish, answers={200: Speed})
async def choose_speed(request: HookRequest) -> Reply:
    """Full, slow, or by the clock of the settings."""
    mode = request.json(schemas.SpeedWish).mode
    return Reply(200, await request.agent.speed_control.choose(mode))
