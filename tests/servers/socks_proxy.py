"""A small SOCKS proxy: version 5 (RFC 1928, RFC 1929) and version 4 with names (4a)."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Literal, NamedTuple

from tests.servers.relay import Relay, pump


class SocksRequest(NamedTuple):
    """Where a client wanted to go, and who was to resolve that."""

    kind: Literal["name", "address"]
    host: str
    port: int


class SocksProxy(Relay):
    """An async context manager; `asked` remembers every request to it."""

    scheme = "socks5"

    def __init__(self, *, user: str = "", password: str = "") -> None:
        super().__init__(user=user, password=password)
        self.asked: list[SocksRequest] = []
        self.refusal = 0
        """The reply code with which it refuses everything."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, then carry."""
        version = (await reader.readexactly(1))[0]
        asked = await (self._fifth(reader, writer) if version == 5 else self._fourth(reader))
        if asked is None or self.mute:
            return
        self.asked.append(asked)
        if version == 5:
            writer.write(bytes([5, self.refusal, 0, 1]) + bytes(6))
        else:
            writer.write(bytes([0, 91 if self.refusal else 90]) + bytes(6))
        if not self.refusal:
            far = await self.reach(asked.host, asked.port)
            await self.carry(pump(reader, far[1]), far, writer)

    async def _fifth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> SocksRequest | None:
        methods = await _counted(reader)
        method = 2 if self._user else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            return None
        writer.write(bytes([5, method]))
        if method == 2:
            await reader.readexactly(1)
            pair = (await _counted(reader)).decode(), (await _counted(reader)).decode()
            known = pair == (self._user, self._password)
            writer.write(b"\x01\x00" if known else b"\x01\x01")
            if not known:
                return None
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await _counted(reader)).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        return SocksRequest("name" if kind == 3 else "address", host, await _port(reader))

    async def _fourth(self, reader: asyncio.StreamReader) -> SocksRequest:
        await reader.readexactly(1)
        port = await _port(reader)
        address = await reader.readexactly(4)
        await reader.readuntil(b"\0")
        if address[:3] == b"\0\0\0" and address[3]:
            return SocksRequest("name", (await reader.readuntil(b"\0"))[:-1].decode(), port)
        return SocksRequest("address", str(ipaddress.ip_address(address)), port)


async def _counted(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])


async def _port(reader: asyncio.StreamReader) -> int:
    return int.from_bytes(await reader.readexactly(2), "big")
