"""The JSON interface, one file a noun; each ends with its routes."""

from __future__ import annotations

from typing import Final

from trayagent.hook.api import batches, clients, downloads, library, queue, settings
from trayagent.hook.routes import Route

API: Final[tuple[Route, ...]] = (
    *queue.ROUTES,
    *downloads.ROUTES,
    *batches.ROUTES,
    *library.ROUTES,
    *settings.ROUTES,
    *clients.ROUTES,
)
