"""A server on a free port of loopback, in the test's own loop, that leaves nothing open behind it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self


class Listening:
    """An async context manager; a subclass says in `talk` what becomes of a connection."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._tls = tls
        self._host = host
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._is_dead = False
        self.connections = 0
        self.open = 0
        self.most_open = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; it is closed afterwards."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        # Who does not say goodbye in turn is dropped: the TLS of Wine never does.
        patience = None if self._tls is None else 0.3
        self._server = await asyncio.start_server(
            self._accept, self._host, 0, ssl=self._tls, ssl_shutdown_timeout=patience
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.die()
        await self._server.wait_closed()
        if self._serving:  # they end by themselves now
            await asyncio.wait(self._serving)

    @property
    def authority(self) -> str:
        """host:port, for the `named` rule."""
        return f"{self._host}:{self.port}"

    def shut(self) -> None:
        """Take no more connections; those that are open go on."""
        self._server.close()

    def die(self) -> None:
        """Take no more connections and drop those that are open."""
        self._is_dead = True
        self.shut()
        for writer in list(self._writers):
            # asyncio's answer to an abort of TLS whose connection was lost a moment ago.
            with suppress(AttributeError):
                writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_dead:  # a handshake that was not over when the server was
            writer.transport.abort()
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._serve(reader, writer), name=f"serve {self.connections}")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.talk(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self.open -= 1
            writer.close()
            with suppress(OSError):  # what was reset by us is no ConnectionError on Windows
                await writer.wait_closed()
            self._writers.discard(writer)


class Answering(Listening):
    """Says the same to everybody who says anything; nothing: is silent until they go."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__()
        self._answer = answer

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear the first words, and answer."""
        await reader.read(1000)
        writer.write(self._answer)
        if not self._answer:
            await reader.read()
