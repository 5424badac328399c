"""Connections and what goes over them: one request, one answer, no redirects."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from trayagent.model import urls
from trayagent.model.errors import ConfigError
from trayagent.net.connect import CheckedResolver, Policy


class Wire:
    """Keeps connections open for the next request; an async context manager.

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

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._connector = self._new_connector()
        self._session = await self._open.enter_async_context(
            aiohttp.ClientSession(connector=self._connector, cookie_jar=aiohttp.DummyCookieJar())
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def ask(
        self, method: str, url: str, headers: CIMultiDict[str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        """The answer with its headers read. Raises what aiohttp raises, and DownloadError.

        This is `ClientSession.request` less its redirects, cookies, timers and tracing, which are a
        third of its time for a small file, and of which we use none.
        """
        secure = url.startswith("https") or self._proxy.startswith("https")
        request = aiohttp.ClientRequest(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body,
            loop=self._loop,
            session=self._session,
            ssl=await self._trust() if secure else True,
            proxy=self._http_proxy,
        )
        try:
            return await self._exchange(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # An idle connection may have been closed while we were about to use it (RFC 9112 §9.3.1).
            if method not in ("GET", "HEAD"):
                raise
            return await self._exchange(request)

    async def _exchange(self, request: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        connection = await self._connector.connect(request, [], self._patience)
        try:
            protocol = connection.protocol
            assert protocol is not None
            protocol.set_response_params(
                skip_payload=request.method == "HEAD", read_until_eof=True, auto_decompress=False
            )
            answer = await request.send(connection)
            try:
                return await answer.start(connection)
            except BaseException:
                answer.close()
                raise
        except BaseException:
            connection.close()
            raise

    async def _trust(self) -> ssl.SSLContext:
        """The system's certificates, loaded when they are first needed: that takes a while."""
        if self._tls is None:
            self._tls = await self._loop.run_in_executor(None, _system_trust)
        return self._tls

    def _new_connector(self) -> aiohttp.BaseConnector:
        if self._proxy.startswith("socks"):
            return _socks_connector(self._proxy)
        proxy = urls.origin(self._proxy)[1:] if self._proxy else None
        inner = self._resolver or aiohttp.DefaultResolver()
        self._open.push_async_callback(inner.close)
        resolver = CheckedResolver(inner, self._policy, proxy)
        return aiohttp.TCPConnector(limit=0, resolver=resolver, keepalive_timeout=30)


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(("http/1.1",))
    return context


def _socks_connector(proxy: str) -> aiohttp.BaseConnector:
    try:
        socks = importlib.import_module("aiohttp_socks")
    except ImportError as error:
        advice = "install what a SOCKS proxy needs with: pip install 'trayagent[socks]'"
        raise ConfigError([f"network.proxy: {advice}"]) from error
    connector: aiohttp.BaseConnector = socks.ProxyConnector.from_url(proxy, limit=0)
    return connector
