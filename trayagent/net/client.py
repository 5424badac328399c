"""Our HTTP client: one request, its redirects followed by us, and the response it leads to."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Final, Self

from aiohttp.abc import AbstractResolver

from trayagent.model import backoff
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.connect import Policy, nothing
from trayagent.net.cookies import Jar
from trayagent.net.cooldown import Cooldown
from trayagent.net.failures import translated
from trayagent.net.journey import REDIRECTS, Journey
from trayagent.net.limits import Limits
from trayagent.net.response import Response
from trayagent.net.slots import Slots
from trayagent.net.wire import Wire

__all__ = ["Client", "Limits"]

MOST_HOPS: Final = 10


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
        self.limits = limits or Limits()
        self.cooldown = cooldown or Cooldown()
        self.slots = Slots(self.limits.connections_per_host)
        self._policy = Policy(network or Network(), own_ports)
        self._wire = Wire(self._policy, connect=self.limits.connect, tls=tls, resolver=resolver)
        self._buffer = memoryview(bytearray(self.limits.buffer))

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._wire.__aexit__(kind, error, trace)

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

        `extra` goes to every hop (Range, If-Range, Accept), secrets to the first origin only.
        Statuses are the caller's to judge. Raises DownloadError: `bad_url`, `blocked_address`,
        `network`, `timeout`, `tls`, `server_error`, `too_many_redirects`, and `server_busy` while
        the host is left alone.
        """
        journey = Journey(request, extra, jar, method, body)
        for _ in range(MOST_HOPS + 1):
            response = await self._ask(journey, request.named)
            if response.status not in REDIRECTS:
                return response
            with response:
                journey.follow(response.status, response.headers)
        raise DownloadError("too_many_redirects")

    def busy(self, response: Response) -> DownloadError:
        """Note a 429 or 503 for the whole host; returns the error that says how long."""
        asked = backoff.parse_retry_after(response.headers.get("Retry-After"), time.time())
        wait = self.cooldown.note(response.host, asked)
        return DownloadError("server_busy", f"HTTP {response.status}", retry_after=wait)

    async def _ask(self, journey: Journey, named: Collection[str]) -> Response:
        hop = journey.hop
        self._policy.check(hop.host, hop.port, named)
        if wait := self.cooldown.remaining(hop.host):
            raise DownloadError("server_busy", hop.host, retry_after=wait)
        await self.slots.take(hop.host)
        began = time.monotonic()
        try:
            with translated():
                async with asyncio.timeout(self.limits.headers):
                    answer = await self._wire.ask(
                        journey.method, hop, journey.headers(), journey.body
                    )
            response = Response(
                answer, hop.url, hop.host, self._buffer, self.limits, self.slots.give
            )
            response.waited = time.monotonic() - began
        except BaseException:
            self.slots.give(hop.host)
            raise
        return response
