"""The JSON interface: one file a resource, each handler below the declaration of its route.

To add a resource, write a file with `routes = Routes()` and its handlers, and name it here; to add
a route, see trayagent/hook/__init__.py. The order is that of docs/http.md.
"""

from __future__ import annotations

from typing import Final

from trayagent.hook.api import (
    batches,
    clients,
    dashboard,
    desktop,
    downloads,
    engines,
    extension,
    items,
    queue,
    settings,
    sign_ins,
    sources,
    speed,
    verify,
    webhook,
    when_done,
)
from trayagent.hook.routing import Route

API: Final[tuple[Route, ...]] = (
    *queue.routes,
    *speed.routes,
    *when_done.routes,
    *downloads.routes,
    *dashboard.routes,
    *batches.routes,
    *sources.routes,
    *items.routes,
    *sign_ins.routes,
    *verify.routes,
    *engines.routes,
    *webhook.routes,
    *settings.routes,
    *clients.routes,
    *extension.routes,
    *desktop.routes,
)
