"""The engine without an agent, for `trayagent get`: apart from `app`, so that only it is loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trayagent.model.config import Config
from trayagent.net.client import Client, Limits
from trayagent.transfer.fetch import Transfer


@asynccontextmanager
async def transfer(config: Config) -> AsyncIterator[Transfer]:
    """Transfer over a client of its own, by these settings."""
    # Nobody shares this loop, so it may read more at a time than the agent does.
    limits = Limits(connections_per_host=config.downloads.connections_per_host, buffer=1024 * 1024)
    async with Client(config.network, limits) as client:
        yield Transfer(client, config.downloads)
