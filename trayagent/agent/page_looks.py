"""Looking at a page before anything of it is downloaded: what it offers, for a person to choose from."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from trayagent.model import addresses, urls
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.model.validation import validate
from trayagent.sites.protocol import PageSeen

AT_ONCE: Final = 2
"""Looks; each is a process of its own."""
LOOK_SECONDS: Final = 60.0
"""A person waits for it."""


class LookingEngine(Protocol):
    """The page engine, as far as it is needed here."""

    async def look(self, request: Request) -> PageSeen:
        """What a page offers. Raises DownloadError."""


class PageLooks:
    """Asks the page engine, a few pages at a time."""

    def __init__(self, engine: LookingEngine) -> None:
        self._engine = engine
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def look(self, url: str) -> PageSeen:
        """What the page offers. Raises DownloadError; `timeout` after a minute, also of waiting for others."""
        address = validate(Item(url)).url
        host = urls.authority(address)
        # The address is the person's own word, as for a download.
        named = {host} if addresses.names_private(host.rpartition(":")[0]) else ()
        try:
            async with asyncio.timeout(LOOK_SECONDS), self._slots:
                return await self._engine.look(Request(address, named=frozenset(named)))
        except TimeoutError as error:
            raise DownloadError("timeout") from error

    def __repr__(self) -> str:
        return f"<PageLooks of {self._engine!r}>"
