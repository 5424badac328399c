"""A small HTTP proxy: absolute-form for http (RFC 9112 §3.2.2), CONNECT for https (RFC 9110 §9.3.6)."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.servers.relay import Relay, pump


@dataclass(frozen=True)
class ProxyRequest:
    """A request as the proxy got it."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""

    @classmethod
    def heard(cls, head: bytes) -> ProxyRequest:
        """From its bytes, with the empty line."""
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        return cls(method, target, {name.lower(): value.strip() for name, _, value in pairs})

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(f"//{self.target}" if self.method == "CONNECT" else self.target)
        return parts.hostname or "", parts.port or 80

    @property
    def forwarded(self) -> bytes:
        """As the server gets it: all but what is the proxy's own."""
        path = re.sub(r"^http://[^/?]*", "", self.target) or "/"
        lines = [f"{self.method} {path} HTTP/1.1"]
        lines += [f"{k}: {v}" for k, v in self.headers.items() if k != "proxy-authorization"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class HttpProxy(Relay):
    """An async context manager; `asked` remembers every request to it."""

    def __init__(
        self, *, user: str = "", password: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(user=user, password=password, tls=tls)
        self.scheme = "https" if tls else "http"
        self.asked: list[ProxyRequest] = []
        self.refusal = ""
        """The status line with which it refuses everything."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection leads to one server, whichever its first request names."""
        asked = await self._hear(reader)
        refusal = self.refusal or self._stranger(asked)
        if self.mute or refusal:
            if refusal:
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        far = await self.reach(*asked.place)
        if asked.method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self.carry(pump(reader, far[1]), far, writer)
        else:
            far[1].write(asked.forwarded)
            await self.carry(self._forward(reader, far[1]), far, writer)

    async def _forward(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        """More requests on the same connection; those of the tests have no body."""
        while True:
            asked = await self._hear(reader)
            if self._stranger(asked):
                return
            far.write(asked.forwarded)

    async def _hear(self, reader: asyncio.StreamReader) -> ProxyRequest:
        asked = ProxyRequest.heard(await reader.readuntil(b"\r\n\r\n"))
        self.asked.append(asked)
        return asked

    def _stranger(self, asked: ProxyRequest) -> str:
        pair = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        known = not self._user or asked.headers.get("proxy-authorization") == f"Basic {pair}"
        return "" if known else "407 Proxy Authentication Required"
