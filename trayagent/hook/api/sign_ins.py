"""Signing in to a source with the browser: an extension asks what is wanted, and hands it over.

A person has said yes to the cookies by name, in the extension. What comes is looked at once more by the
source, which keeps its own session's cookies and drops the rest.
"""

from __future__ import annotations

import msgspec

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.library import Account
from trayagent.sources.build import cookie_wish

routes = Routes()


@routes.add("GET", "/api/v1/sign-ins", who="caller", answers={200: schemas.SignIns})
async def list_sign_ins(request: HookRequest) -> Reply:
    """Which cookies sign which source in, and whether it is signed in."""
    sources = {source.name: source for source in request.agent.live_settings.config.sources}
    found = []
    for info in await request.agent.library.sources():
        wish = cookie_wish(sources[info.name]) if info.name in sources else None
        if wish is not None:
            found.append(schemas.SignIn(wish.source, wish.site, wish.cookies, info.signed_in))
    return Reply(200, schemas.SignIns(tuple(found)))


@routes.add(
    "POST",
    "/api/v1/sign-ins/{name}",
    who="caller",
    body=schemas.HandedOver,
    answers={200: Account},
)
async def sign_in_with_cookies(request: HookRequest) -> Reply:
    """Sign a source in with a browser's cookies."""
    body = request.json(schemas.HandedOver)
    # As a browser's export of cookies, which every source that wants cookies can read.
    text = msgspec.json.encode(body.cookies).decode()
    return Reply(200, await request.agent.library.sign_in(request.params["name"], text))
