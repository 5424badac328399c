"""The check of saved files against their checksums: start it, look how far it is, stop it."""

from __future__ import annotations

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.library import VerifyReport

routes = Routes()


@routes.add(
    "POST",
    "/api/v1/verify",
    who="owner",
    body=schemas.VerifyWish,
    is_body_optional=True,
    answers={202: VerifyReport},
)
async def start_verify(request: HookRequest) -> Reply:
    """Hash again what was saved."""
    repair = request.json(schemas.VerifyWish).repair
    return Reply(202, await request.agent.library.verify(repair=repair))


@routes.add("GET", "/api/v1/verify", who="owner", answers={200: VerifyReport})
async def get_verify_report(request: HookRequest) -> Reply:
    """What the last check found."""
    return Reply(200, request.agent.library.verify_report)


@routes.add("DELETE", "/api/v1/verify", who="owner", answers={200: VerifyReport})
async def stop_verify(request: HookRequest) -> Reply:
    """Stop the check that runs."""
    request.agent.library.cancel_verify()  # changes nothing when no check runs
    return Reply(200, request.agent.library.verify_report)
