"""The client for services that speak JSON: listings, sign-ins, webhooks, engines elsewhere.

It stands on aiohttp's public `ClientSession`, and keeps to the rules that downloads keep to: the
same address policy, redirects followed here, secrets for the first origin only, cookies of one
request for that request only. Whole files are not its business: those are `net/transport`'s.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL

from trayagent.model import retry, urls
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.model.transfer import Request
from trayagent.net.address_policy import AddressPolicy, Resolve, addresses_of
from trayagent.net.cookies import Jar
from trayagent.net.gateway import Gateway
from trayagent.net.host_limits import Cooldown
from trayagent.net.redirects import REDIRECTS, Redirects
from trayagent.net.refusals import (
    CLOSED,
    CLOSED_EARLY,
    NOT_HTTP,
    PROXY_UNUSABLE,
    TLS_FAILED,
    errno_of,
    refuse_connection,
)

_LONGEST_FIELD: Final = 256 * 1024
"""Bytes of one header line; services send far more than aiohttp's 8 KiB."""
_MOST_FIELDS: Final = 1000


@dataclass(frozen=True, slots=True)
class ApiPatience:
    """How long a service may take, in seconds."""

    connect: float = 20.0
    """Name, connection and TLS."""
    silence: float = 60.0
    """Between two pieces of an answer."""
    whole: float = 600.0
    """From the request to the last byte of its answer, redirects included."""


class ApiResponse:
    """An answer with its headers read; its body is read on request."""

    def __init__(self, raw: aiohttp.ClientResponse, url: str, host: str) -> None:
        self.status: int = raw.status
        self.headers: CIMultiDictProxy[str] = raw.headers
        self.url = url
        """The address that answered, after redirects; may hold a query: never to be shown."""
        self.host = host
        self._raw = raw

    async def read(self, limit: int) -> bytes:
        """The whole body, decoded; raises DownloadError, `too_large` beyond `limit` bytes."""
        body = bytearray()
        with explain_failures():
            async for piece in self._raw.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise DownloadError(
                        "too_large",
                        "its answer",
                        action="Ask for less at a time: smaller pages, say.",
                    )
        return bytes(body)

    def close(self) -> None:
        """Give the connection back: for reuse when the body was read to its end, else closed."""
        self._raw.release()

    def __repr__(self) -> str:
        return f"<ApiResponse {self.status} from {self.host}>"


class ApiClient:
    """An async context manager; every request goes through `open`. Nothing is loaded before the first.

    `own_ports` are the ports of our own hook; `tls` replaces the system's trust and `resolve` its
    name service in tests. `cooldown` is shared with whoever else asks the same hosts.
    """

    def __init__(
        self,
        network: NetworkSettings | None = None,
        patience: ApiPatience | None = None,
        *,
        own_ports: Collection[int] = (),
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = addresses_of,
        cooldown: Cooldown | None = None,
    ) -> None:
        self._network = network or NetworkSettings()
        self._patience = patience or ApiPatience()
        self._policy = AddressPolicy(self._network, own_ports)
        self._tls = tls
        self._resolve = resolve
        self._cooldown = cooldown or Cooldown()
        self._stack = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._proxy: URL | None = None
        self._named: set[str] = set()
        """What our gateway may reach: the names of all requests so far, each checked by itself before."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __repr__(self) -> str:
        return f"<ApiClient{', in use' if self._session else ''}>"

    @asynccontextmanager
    async def open(
        self,
        request: Request,
        extra: Mapping[str, str] | None = None,
        *,
        jar: Jar | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> AsyncIterator[ApiResponse]:
        """Ask, follow redirects, and give the answer for as long as the block lasts.

        `extra` goes to every address, secrets to the first origin only. Statuses are the caller's to
        judge. Raises DownloadError: `bad_url`, `blocked_address`, `network`, `timeout`, `tls`,
        `server_error`, `too_many_redirects`, and `server_busy` while the host is left alone.
        """
        response = await self._follow(Redirects(request, extra, jar, method, body), request.named)
        try:
            yield response
        finally:
            response.close()

    def busy(self, response: ApiResponse) -> DownloadError:
        """Note a 429 or 503 for the whole host; returns the error that says how long."""
        asked = retry.parse_retry_after(response.headers.get("Retry-After"), time.time())
        wait = self._cooldown.note(response.host, asked)
        return DownloadError("server_busy", f"HTTP {response.status}", retry_after=wait)

    async def _follow(self, redirects: Redirects, named: Collection[str]) -> ApiResponse:
        ends = time.monotonic() + self._patience.whole
        while True:
            response = await self._ask(redirects, named, ends - time.monotonic())
            if response.status not in REDIRECTS:
                return response
            response.close()
            redirects.follow(response.status, response.headers)

    async def _ask(self, redirects: Redirects, named: Collection[str], left: float) -> ApiResponse:
        endpoint = redirects.endpoint
        # By name before every request: a connection that is used again asks no resolver, and
        # neither does a literal address. By address in _CheckingResolver, or in the gateway.
        origin = endpoint.origin
        self._policy.check(origin.host, origin.port, named)
        if wait := self._cooldown.remaining(origin.authority):
            raise DownloadError("server_busy", origin.host, retry_after=wait, spent=False)
        self._named.update(named)
        is_secure = origin.scheme == "https" or self._network.proxy.startswith("https:")
        with explain_failures():
            session = await self._start()
            raw = await session.request(
                redirects.method,
                URL(
                    endpoint.url, encoded=True
                ),  # as it is: signatures and raw names break otherwise
                headers=redirects.headers(),
                data=redirects.body,
                allow_redirects=False,
                proxy=self._proxy,
                ssl=await self._trust() if is_secure else True,
                timeout=aiohttp.ClientTimeout(
                    total=max(left, 0.001),
                    connect=self._patience.connect,
                    sock_read=self._patience.silence,
                ),
            )
        if self._network.proxy.startswith("socks") and "Proxy-Status" in raw.headers:
            raw.close()  # our own gateway's words, not the server's
            raise DownloadError("network", PROXY_UNUSABLE)
        return ApiResponse(raw, endpoint.url, origin.authority)

    async def _start(self) -> aiohttp.ClientSession:
        async with self._starting:
            if self._session is None:
                self._proxy = await self._choose_proxy()
                self._session = await self._stack.enter_async_context(self._new_session())
            return self._session

    async def _choose_proxy(self) -> URL | None:
        proxy = self._network.proxy
        if proxy.startswith("socks"):  # which aiohttp does not speak; the gateway does
            gateway = Gateway(self._network, own_ports=self._policy.own_ports)
            await self._stack.enter_async_context(gateway)
            proxy = self._stack.enter_context(gateway.admit(self._named)).url
        return URL(proxy) if proxy else None

    def _new_session(self) -> aiohttp.ClientSession:
        proxy = urls.origin(str(self._proxy))[1:] if self._proxy else None
        resolver = _CheckingResolver(self._resolve, self._policy, proxy)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=resolver, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_LONGEST_FIELD,
            max_field_size=_LONGEST_FIELD,
            max_headers=_MOST_FIELDS,
        )

    async def _trust(self) -> ssl.SSLContext:
        """The system's certificates, loaded when they are first needed, in a thread: it takes a while."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


class _CheckingResolver(AbstractResolver):
    """Resolves names and refuses them when an address is not admitted.

    The connector connects to exactly the addresses returned here, so a name that answers
    differently the second time gains nothing. The proxy's own name is the user's word.
    """

    def __init__(
        self, resolve: Resolve, policy: AddressPolicy, proxy: tuple[str, int] | None
    ) -> None:
        self._resolve = resolve
        self._policy = policy
        self._proxy = proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError, and DownloadError `blocked_address`."""
        del family
        addresses = await self._resolve(host, port)
        if (host, port) != self._proxy:
            for address in addresses:
                self._policy.admit(host, port, address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def explain_failures() -> Iterator[None]:
    """Raise DownloadError for whatever aiohttp or the network raises inside."""
    try:
        yield
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, ValueError) as error:
        raise explain_failure(error) from error


def was_sent(error: DownloadError) -> bool:
    """Whether anything of a request can have reached its server, by the error that it ended with."""
    # A reused connection that breaks is no ClientConnectorError: the request may have arrived by then.
    return not isinstance(error.__cause__, aiohttp.ClientConnectorError)


def explain_failure(error: BaseException) -> DownloadError:
    """The DownloadError for an exception of aiohttp or the socket layer; never repeats a URL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return DownloadError("tls", _certificate_reason(error.certificate_error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadError("tls", _certificate_reason(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return DownloadError("network", f"no address was found for {error.host}")
    for kinds, code, detail in _WORDS:
        if isinstance(error, kinds):
            return DownloadError(code, detail)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return refuse_connection(errno_of(cause) if isinstance(cause, OSError) else 0)


_WORDS: Final[tuple[tuple[tuple[type[BaseException], ...], str, str], ...]] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", TLS_FAILED),
    ((aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError), "network", PROXY_UNUSABLE),
    ((TimeoutError,), "timeout", ""),
    ((aiohttp.InvalidURL,), "bad_url", ""),
    ((aiohttp.ClientPayloadError,), "truncated", CLOSED_EARLY),
    ((aiohttp.ServerDisconnectedError,), "network", CLOSED),
    (
        (aiohttp.ClientResponseError, aiohttp.http.HttpProcessingError),
        "server_error",
        NOT_HTTP,
    ),
)
"""Exceptions and what they mean; the first that fits counts."""


def _certificate_reason(error: BaseException) -> str:
    """OpenSSL's own words, "certificate has expired", which name hosts but no paths."""
    return str(getattr(error, "verify_message", "") or "").rstrip(".").lower()
