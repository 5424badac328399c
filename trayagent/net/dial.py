"""Plain connections to where the policy lets us, directly or through the configured proxy."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

from aiohttp.abc import AbstractResolver

from trayagent.net import socks
from trayagent.net.connect import Policy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LIMIT = 64 * 1024
"""Bytes that a stream's buffer holds."""


class Dialer:
    """Opens connections for others; every one is checked by name, and by address where we resolve."""

    def __init__(
        self, policy: Policy, resolver: AbstractResolver, *, patience: float = 20.0
    ) -> None:
        self._policy = policy
        self._proxy = policy.network.proxy
        self._resolver = resolver
        self._patience = patience

    @property
    def forwards(self) -> str | None:
        """The Proxy-Authorization for plain requests sent whole to an HTTP proxy ("" for none); None: no such proxy."""
        return _credentials(self._proxy) if self._proxy.startswith("http") else None

    async def connect(
        self, host: str, port: int, named: Collection[str], *, tunnel: bool
    ) -> Streams:
        """Streams to a canonical host; without `tunnel`, those to an HTTP proxy if there is one.

        Raises DownloadError `blocked_address` before anything is sent, OSError and TimeoutError.
        """
        self._policy.check(host, port, named)
        async with asyncio.timeout(self._patience):
            if self._proxy.startswith("socks"):
                made = await socks.connect(self._proxy, host, port)
                return await asyncio.open_connection(sock=made, limit=LIMIT)
            if self._proxy:
                return await self._through_http(host, port, tunnel=tunnel)
            return await self._directly(host, port)

    async def _directly(self, host: str, port: int) -> Streams:
        results = await self._resolver.resolve(host, port)
        addresses = [result["host"] for result in results]
        self._policy.admit(host, port, addresses)
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                return await asyncio.open_connection(address, port, limit=LIMIT)
            except OSError as error:
                failure = error
        raise failure

    async def _through_http(self, host: str, port: int, *, tunnel: bool) -> Streams:
        parts = urlsplit(self._proxy)
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            parts.hostname, parts.port, limit=LIMIT, ssl=tls
        )
        if not tunnel:
            return reader, writer
        pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        credentials = _credentials(self._proxy)
        extra = f"Proxy-Authorization: {credentials}\r\n" if credentials else ""
        writer.write(f"CONNECT {pair} HTTP/1.1\r\nHost: {pair}\r\n{extra}\r\n".encode())
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split(b" ", 2)[1:2] != [b"200"]:
                raise ConnectionRefusedError("the proxy refused")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            writer.close()
            raise ConnectionRefusedError("the proxy refused") from error
        return reader, writer


def _credentials(proxy: str) -> str:
    parts = urlsplit(proxy)
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
