"""What happens when all downloads are done; asked each time, never remembered."""

from __future__ import annotations

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.status import WhenDone

routes = Routes()


@routes.add("GET", "/api/v1/when-done", who="owner", answers={200: WhenDone})
async def get_when_done(request: HookRequest) -> Reply:
    """The plan for the end of all downloads, and its countdown."""
    return Reply(200, request.agent.when_done.when_done)


@routes.add(
    "POST", "/api/v1/when-done", who="owner", body=schemas.WhenDoneWish, answers={200: WhenDone}
)
async def choose_when_done(request: HookRequest) -> Reply:
    """Tell, sleep or shut down when all is done, this once; `nothing` stops the countdown, too."""
    return Reply(200, request.agent.when_done.choose(request.json(schemas.WhenDoneWish).plan))
