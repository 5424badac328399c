"""What the proxies of the tests share: every name is on this machine, and they can fail in every way."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable
from contextlib import suppress
from urllib.parse import quote

from tests.servers.listening import Listening

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay(Listening):
    """Hears where a connection is to lead (that is the subclass's protocol), then carries bytes."""

    scheme = ""

    def __init__(
        self, *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls=tls)
        self._user, self._password = user, password
        self.leads: dict[str, str] = {}
        """Where a `host:port` is; else it is that port of this machine."""
        self.mute = False
        """It hangs up in place of an answer."""
        self.cut: list[int] = []
        """After how many bytes for the client each connection, in turn, is dropped."""
        self.lives = 0
        """It is gone altogether after so many cuts; 0: never."""

    @property
    def url(self) -> str:
        """What the settings say, with user and password."""
        return self.url_of(self._user, self._password)

    def url_of(self, user: str, password: str) -> str:
        """The same with other words to get in."""
        pair = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
        return f"{self.scheme}://{pair}{self.authority}"

    async def reach(self, host: str, port: int) -> Streams:
        """A connection to where a name or address leads."""
        place = self.leads.get(f"{host}:{port}", f"127.0.0.1:{port}")
        near, _, number = place.rpartition(":")
        return await asyncio.open_connection(near, int(number))

    async def carry(self, up: Awaitable[None], far: Streams, writer: asyncio.StreamWriter) -> None:
        """Both ways until one end goes; `up` takes what the client says."""
        try:
            async with asyncio.TaskGroup() as group:
                upwards = group.create_task(_until_gone(up), name="relay, up")
                down = group.create_task(self._bring(far[0], writer), name="relay, down")
                await asyncio.wait((upwards, down), return_when=asyncio.FIRST_COMPLETED)
                upwards.cancel()
                down.cancel()
        finally:
            far[1].transport.abort()

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.cut.pop(0) if self.cut else None
        with suppress(ConnectionError):
            while piece := await reader.read(16384):
                writer.write(piece[:left])
                await writer.drain()
                if left is not None:
                    left -= len(piece)
                    if left <= 0:
                        self._fail(writer)
                        return

    def _fail(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self.lives -= 1
        if self.lives == 0:
            self._server.close()


async def _until_gone(work: Awaitable[None]) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await work


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until the source ends."""
    while piece := await reader.read(16384):
        writer.write(piece)
        await writer.drain()
