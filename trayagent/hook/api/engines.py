"""Engines elsewhere: which there are, and whether they answer."""

from __future__ import annotations

from trayagent.agent.queue.elsewhere import EngineInfo
from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes

routes = Routes()


@routes.add("GET", "/api/v1/engines", who="owner", answers={200: schemas.Engines})
async def list_engines(request: HookRequest) -> Reply:
    """All engines of the settings, as they were at the last look."""
    return Reply(200, schemas.Engines(tuple(request.agent.elsewhere.engines())))


@routes.add("POST", "/api/v1/engines/{name}/test", who="owner", answers={200: EngineInfo})
async def test_engine(request: HookRequest) -> Reply:
    """Ask one engine now, with its secret."""
    return Reply(200, await request.agent.elsewhere.test(request.params["name"]))
