"""The webhook: whether it takes what it is told, and a test message."""

from __future__ import annotations

from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.webhook import WebhookState

routes = Routes()


@routes.add("GET", "/api/v1/webhook", who="owner", answers={200: WebhookState})
async def get_webhook(request: HookRequest) -> Reply:
    """How its last messages went since trayagent was started."""
    return Reply(200, request.agent.webhooks.state)


@routes.add("POST", "/api/v1/webhook/test", who="owner", answers={200: WebhookState})
async def test_webhook(request: HookRequest) -> Reply:
    """Send a test message, and say how that went."""
    return Reply(200, await request.agent.webhooks.test())
