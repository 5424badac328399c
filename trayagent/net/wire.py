"""Connections and what goes over them: one request, one answer, no redirects."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import StreamReader
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from trayagent.model import urls
from trayagent.net import socks
from trayagent.net.connect import CheckedResolver, Policy
from trayagent.net.handler import handled
from trayagent.net.hop import Hop

MOST_ORIGINS: Final = 1000
"""Remembered; beyond that all are forgotten, which costs a little time and no connection."""

_BREAKS: Final = re.compile(r"[\r\n\0]")


class Answer(Struct):
    """What came back, its body still to come."""

    status: int
    headers: CIMultiDictProxy[str]
    content: StreamReader
    connection: Connection

    def close(self) -> None:
        """Give the connection back: for reuse when the body was read to its end, else closed."""
        if self.content.is_eof() and self.status != 101:  # after that, it is no longer HTTP
            self.connection.release()
        else:
            self.connection.close()


class Wire:
    """Keeps connections open for the next request; an async context manager.

    Of aiohttp it uses connections, their pool and the parser. Requests are written and answers taken
    here, because the session, request and response objects around them are half of the time that a
    small file takes, and we use nothing of what they add.

    `tls` replaces the system's trust, `resolver` its name service. `connect` is in seconds.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        connect: float,
        tls: ssl.SSLContext | None,
        resolver: AbstractResolver | None,
    ) -> None:
        self._policy = policy
        self._proxy = policy.network.proxy
        self._http_proxy = URL(self._proxy) if self._proxy.startswith("http") else None
        self._tls = tls
        self._resolver = resolver
        self._patience = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._open = AsyncExitStack()
        self._origins: dict[tuple[str, str], aiohttp.ClientRequest] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._connector = handled(self._new_connector())
        self._open.push_async_callback(self._connector.close)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def ask(
        self, method: str, hop: Hop, headers: CIMultiDict[str], body: bytes | None
    ) -> Answer:
        """The answer with its headers read. Raises what aiohttp raises, and DownloadError."""
        origin = self._origins.get((hop.scheme, hop.netloc)) or await self._origin(hop)
        try:
            return await self._exchange(origin, method, hop, headers, body)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # An idle connection may have been closed while we were about to use it (RFC 9112 §9.3.1).
            if method not in ("GET", "HEAD"):
                raise
            return await self._exchange(origin, method, hop, headers, body)

    async def _origin(self, hop: Hop) -> aiohttp.ClientRequest:
        """What the connector is asked with for any address there: it looks at no more than the origin."""
        secure = "https" in (hop.scheme, self._proxy[:5])
        request = aiohttp.ClientRequest(
            "GET",
            URL(f"{hop.scheme}://{hop.netloc}/", encoded=True),
            loop=self._loop,
            ssl=await self._trust() if secure else True,
            proxy=self._http_proxy,
        )
        if len(self._origins) >= MOST_ORIGINS:
            self._origins.clear()
        self._origins[hop.scheme, hop.netloc] = request
        return request

    async def _exchange(
        self,
        origin: aiohttp.ClientRequest,
        method: str,
        hop: Hop,
        headers: CIMultiDict[str],
        body: bytes | None,
    ) -> Answer:
        connection = await self._connect(origin)
        try:
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None
            assert transport is not None
            protocol.set_response_params(
                skip_payload=method == "HEAD", read_until_eof=True, auto_decompress=False
            )
            transport.write(self._words(origin, method, hop, headers, body))
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:  # interim (RFC 9110 §15.2)
                message, content = await protocol.read()
        except BaseException:
            connection.close()
            raise
        return Answer(message.code, message.headers, content, connection)

    async def _connect(self, origin: aiohttp.ClientRequest) -> Connection:
        """A connection on which nothing was said that nobody asked for: it would pass for our answer."""
        while True:
            connection = await self._connector.connect(origin, [], self._patience)
            protocol, transport = connection.protocol, connection.transport
            if (
                protocol is not None
                and transport is not None
                and not (transport.is_closing() or protocol.should_close)
            ):
                return connection
            connection.close()

    def _words(
        self,
        origin: aiohttp.ClientRequest,
        method: str,
        hop: Hop,
        headers: CIMultiDict[str],
        body: bytes | None,
    ) -> bytes:
        """The request as it goes over the wire; raises ValueError for what would break its lines."""
        target = hop.target
        lines = [f"Host: {hop.netloc}", *(f"{name}: {value}" for name, value in headers.items())]
        if self._http_proxy is not None and hop.scheme == "http":  # RFC 9112 §3.2.2
            target = f"http://{hop.netloc}{hop.target}"
            if (word := origin.headers.get("Proxy-Authorization")) is not None:
                lines.append(f"Proxy-Authorization: {word}")
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        if _BREAKS.search("".join(lines)):
            raise ValueError("a header holds a control character")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
        return head.encode("utf-8", "surrogateescape") + (body or b"")

    async def _trust(self) -> ssl.SSLContext:
        """The system's certificates, loaded when they are first needed: that takes a while."""
        if self._tls is None:
            self._tls = await self._loop.run_in_executor(None, _system_trust)
        return self._tls

    def _new_connector(self) -> aiohttp.BaseConnector:
        if self._proxy.startswith("socks"):
            return socks.connector(self._proxy)
        proxy = urls.origin(self._proxy)[1:] if self._proxy else None
        inner = self._resolver or aiohttp.DefaultResolver()
        self._open.push_async_callback(inner.close)
        resolver = CheckedResolver(inner, self._policy, proxy)
        return aiohttp.TCPConnector(limit=0, resolver=resolver, keepalive_timeout=30)


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context
