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
    limits = Limits(connections_per_host=config.downloads.connections_per_host)
    async with Client(config.network, limits) as client:
        yield Transfer(client, config.downloads)
