"""Our HTTP client: one request, its redirects followed by us, and the response it leads to."""

from __future__ import annotations

import asyncio
import importlib
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from trayagent import __version__
from trayagent.model import backoff, urls
from trayagent.model.config import Network
from trayagent.model.errors import ConfigError, DownloadError
from trayagent.model.transfer import Request
from trayagent.net.connect import CheckedResolver, Policy, nothing
from trayagent.net.cookies import Jar
from trayagent.net.cooldown import Cooldown
from trayagent.net.failures import translated
from trayagent.net.response import Response
from trayagent.net.slots import Slots

MOST_HOPS: Final = 10
USER_AGENT: Final = f"Mozilla/5.0 (compatible; trayagent/{__version__})"

_REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})
_OURS: Final = frozenset(
    "host connection keep-alive proxy-connection proxy-authorization te trailer transfer-encoding upgrade "
    "content-length accept-encoding range if-range expect".split()
)
"""Request headers that only we may set; custom ones of these names are left out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience, in seconds, bytes and counts."""

    connect: float = 20.0
    headers: float = 30.0
    """From the request to the end of the response's headers, connecting included, on each hop."""
    stall: float = 60.0
    """The window in which at least `stall` x `slowest` bytes must arrive."""
    slowest: int = 1024
    """Bytes a second; a slower server is given up on, to be tried again later."""
    connections_per_host: int = 16
    buffer: int = 256 * 1024
    """Bytes read in one go on the fast path: what one turn of the loop may handle."""


@dataclass(frozen=True, slots=True)
class _Hop:
    """One address on the way, taken apart once."""

    url: str
    host: str
    origin: tuple[str, str, int]


class Client:
    """The only HTTP client. An async context manager; every request goes through `open`.

    `own_ports` are the ports of our own hook, `tls` replaces the system's trust in tests,
    `resolver` the system's name service.
    """

    def __init__(
        self,
        network: Network | None = None,
        limits: Limits | None = None,
        *,
        own_ports: Callable[[], Collection[int]] = nothing,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
        cooldown: Cooldown | None = None,
    ) -> None:
        network = network or Network()
        self.limits = limits = limits or Limits()
        self.cooldown = cooldown or Cooldown()
        self.slots = Slots(limits.connections_per_host)
        self._policy = Policy(network, own_ports)
        self._proxy = network.proxy
        self._tls = tls
        self._inner_resolver = resolver
        self._buffer = memoryview(bytearray(limits.buffer))
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._patience = aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect)
        self._http_proxy = URL(self._proxy) if self._proxy.startswith("http") else None
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

    async def open(
        self,
        request: Request,
        extra: Mapping[str, str] | None = None,
        *,
        jar: Jar | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Response:
        """Ask, follow redirects, and return the response with its headers read; close it after use.

        `extra` goes to every hop (Range, If-Range, Accept); `request.headers`, its referer and the
        user and password of its URL go to the first origin only, `body` to the first address only.
        Statuses are the caller's to judge. Raises DownloadError: `bad_url`, `blocked_address`,
        `network`, `timeout`, `tls`, `server_error`, `too_many_redirects`, and `server_busy` while
        the host is left alone.
        """
        jar = Jar(request.cookies) if jar is None else jar
        url, user, password = urls.split_userinfo(request.url)
        secret = dict(request.headers)
        if user is not None:
            secret["Authorization"] = aiohttp.encode_basic_auth(user, password or "")
        hop, first = _hop(url), True
        for _ in range(MOST_HOPS + 1):
            headers = self._headers(
                request, extra, secret if first else {}, jar.header(hop.url), first
            )
            response = await self._ask(hop, request.named, headers, method, body)
            if response.status not in _REDIRECTS:
                return response
            with response:
                jar.take(hop.url, response.headers.getall("Set-Cookie", ()))
                following = _next(hop, response)
            if (
                hop.origin[0] == "https"
                and following.origin[0] == "http"
                and (secret or request.cookies)
            ):
                raise DownloadError(
                    "tls", "it redirects from https to plain http, which would expose your sign-in"
                )
            first = first and following.origin == hop.origin
            if response.status not in (307, 308) or not first:
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
            hop = following
        raise DownloadError("too_many_redirects")

    def busy(self, response: Response) -> DownloadError:
        """Note a 429 or 503 for the whole host; returns the error that says how long."""
        asked = backoff.parse_retry_after(response.headers.get("Retry-After"), time.time())
        wait = self.cooldown.note(response.host, asked)
        return DownloadError("server_busy", f"HTTP {response.status}", retry_after=wait)

    async def _ask(
        self,
        hop: _Hop,
        named: Collection[str],
        headers: CIMultiDict[str],
        method: str,
        body: bytes | None,
    ) -> Response:
        self._policy.check(hop.host, hop.origin[2], named)
        if wait := self.cooldown.remaining(hop.host):
            raise DownloadError("server_busy", hop.host, retry_after=wait)
        secure = hop.origin[0] == "https" or self._proxy.startswith("https")
        tls = await self._trust() if secure else True
        await self.slots.take(hop.host)
        began = time.monotonic()
        try:
            with translated():
                async with asyncio.timeout(self.limits.headers):
                    answer = await self._exchange(method, hop.url, headers, body, tls)
            response = Response(
                answer, hop.url, hop.host, self._buffer, self.limits, self.slots.give
            )
            response.waited = time.monotonic() - began
        except BaseException:
            self.slots.give(hop.host)
            raise
        return response

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: CIMultiDict[str],
        body: bytes | None,
        tls: ssl.SSLContext | bool,
    ) -> aiohttp.ClientResponse:
        """What `ClientSession.request` does, less its redirects, cookies, timers and tracing.

        Those are a third of its time for a small file, and we use none of them.
        """
        for again in (True, False):
            request = aiohttp.ClientRequest(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                loop=self._loop,
                session=self._session,
                ssl=tls,
                proxy=self._http_proxy,
            )
            connection = await self._connector.connect(request, [], self._patience)
            try:
                protocol = connection.protocol
                assert protocol is not None
                protocol.set_response_params(
                    skip_payload=method == "HEAD", read_until_eof=True, auto_decompress=False
                )
                answer = await request.send(connection)
                try:
                    return await answer.start(connection)
                except BaseException:
                    answer.close()
                    raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # An idle connection may have been closed while we were about to use it (RFC 9112 §9.3.1).
                connection.close()
                if not again or method not in ("GET", "HEAD"):
                    raise
            except BaseException:
                connection.close()
                raise
        raise AssertionError

    async def _trust(self) -> ssl.SSLContext:
        """The system's certificates, loaded when they are first needed: that takes a while."""
        if self._tls is None:
            loop = asyncio.get_running_loop()
            self._tls = await loop.run_in_executor(None, _system_trust)
        return self._tls

    def _headers(
        self,
        request: Request,
        extra: Mapping[str, str] | None,
        secret: Mapping[str, str],
        cookies: str,
        first: bool,
    ) -> CIMultiDict[str]:
        headers = CIMultiDict(
            {
                "User-Agent": request.user_agent or USER_AGENT,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            }
        )
        if first and request.referer:
            headers["Referer"] = request.referer
        for name, value in secret.items():
            if name.lower() not in _OURS:
                headers[name] = value
        if cookies:
            raw = headers.get("Cookie")
            headers["Cookie"] = f"{raw}; {cookies}" if raw else cookies
        headers.update(extra or {})
        return headers

    def _new_connector(self) -> aiohttp.BaseConnector:
        if self._proxy.startswith("socks"):
            return _socks_connector(self._proxy)
        proxy = urls.origin(self._proxy)[1:] if self._proxy else None
        inner = self._inner_resolver or aiohttp.DefaultResolver()
        self._open.push_async_callback(inner.close)
        return aiohttp.TCPConnector(
            limit=0,
            resolver=CheckedResolver(inner, self._policy, proxy),
            keepalive_timeout=30,
        )


def _hop(url: str) -> _Hop:
    url = urls.check(url.partition("#")[0])
    scheme, netloc, *_ = urlsplit(url)
    origin = _origin(scheme, netloc)
    return _Hop(url, origin[1], origin)


@lru_cache(maxsize=1024)
def _origin(scheme: str, netloc: str) -> tuple[str, str, int]:
    return urls.origin(f"{scheme}://{netloc}")


def _next(hop: _Hop, response: Response) -> _Hop:
    location = response.headers.get("Location")
    if location is None:
        raise DownloadError("server_error", f"HTTP {response.status} without a place to go")
    following = urls.resolve(hop.url, location)
    bare, user, _ = urls.split_userinfo(following)
    if user is not None:
        # Credentials in a redirect are the server's invention, not the user's.
        following = bare
    return _hop(following)


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
