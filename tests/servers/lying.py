"""A raw HTTP server that can lie in every way: each path has a behaviour that owns the socket.

Honest answers come from `Served`, whose knobs are lies; everything else is a function that writes what it likes.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

from tests.servers.listening import Listening

Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the socket to answer on."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    close: bool = False

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def names(self) -> set[str]:
        """All header names, in lower case."""
        return {name.lower() for name, _ in self.headers}

    async def raw(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: str, **headers: str | int | None) -> None:
        """Send a status line and headers; `_` in a name is `-`, None leaves it out."""
        lines = [f"HTTP/1.1 {status}"]
        lines += [
            f"{name.replace('_', '-')}: {value}"
            for name, value in headers.items()
            if value is not None
        ]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def reply(self, status: str, body: bytes = b"", **headers: str | int | None) -> None:
        """Send a whole, honest answer."""
        await self.head(status, **{"Content_Length": len(body), **headers})
        await self.raw(body)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        at_once = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        transport: Any = self.writer.transport
        if sys.platform == "win32" and (raw := getattr(transport, "_sock", None)):
            # asyncio would shut it down before it closes it: that is an orderly end.
            transport._sock = SimpleNamespace(fileno=raw.fileno, close=raw.close)
        transport.abort()


class Lying(Listening):
    """An async context manager; `at` gives a path its behaviour, `requests` remembers every one."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        super().__init__(tls=tls, host=host)
        self._behaviours: dict[str, Behaviour] = {}
        self.requests: list[Exchange] = []

    def at(self, path: str, behaviour: Behaviour) -> str:
        """Give a path its behaviour; returns its URL."""
        self._behaviours[path] = behaviour
        return self.url(path)

    def url(self, path: str) -> str:
        """The URL of a path here."""
        return f"{'https' if self._tls else 'http'}://{self.authority}{path}"

    def asked(self, path: str) -> list[Exchange]:
        """The requests for a path, without its query."""
        return [request for request in self.requests if request.path.partition("?")[0] == path]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        while await self._answer(reader, writer):
            pass

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = [
            (name, value.strip())
            for name, _, value in (line.partition(":") for line in lines[1:-2])
        ]
        length = next(
            (int(value) for name, value in headers if name.lower() == "content-length"), 0
        )
        body = await reader.readexactly(length)
        exchange = Exchange(method, path, headers, body, reader, writer)
        self.requests.append(exchange)
        behaviour = self._behaviours.get(path.partition("?")[0])
        if behaviour is None:
            await exchange.reply("404 Not Found", b"no such path")
            return True
        await behaviour(exchange)
        return not exchange.close and not writer.is_closing()


@dataclass
class Served:
    """A file served by the book, and the ways to depart from it."""

    body: bytes
    etag: str | None = '"v1"'
    modified: float | None = 1_700_000_000.0
    kind: str = "application/octet-stream"
    ranges: bool = True
    if_range: bool = True
    """Whether If-Range is honoured."""
    cut: list[int] = field(default_factory=list)
    """After how many bytes of the body each answer, in turn, closes the connection."""
    reset: bool = False
    """Cuts are TCP resets."""
    framing: str = "length"
    """`length`, `chunked` or `close`."""
    rate: int = 0
    """Bytes a second for each connection; 0: as fast as it goes."""
    content_range: str | None = None
    """What a 206 says instead of the truth."""
    status: str | None = None
    extra: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    """Bytes beyond `gate_at` wait for it."""
    gate_at: int = 0

    async def __call__(self, exchange: Exchange) -> None:
        start, end = self._range(exchange)
        partial = start is not None
        first, last = (start or 0, len(self.body) if end is None else end)
        data = self.body[first:last]
        headers: dict[str, str | int | None] = {
            "ETag": self.etag,
            "Last_Modified": None
            if self.modified is None
            else formatdate(self.modified, usegmt=True),
            "Date": formatdate(usegmt=True),
            "Content_Type": self.kind,
            "Accept_Ranges": "bytes" if self.ranges else "none",
            **self.extra,
        }
        if partial:
            headers["Content_Range"] = (
                self.content_range or f"bytes {first}-{last - 1}/{len(self.body)}"
            )
        match self.framing:
            case "length":
                headers["Content_Length"] = len(data)
            case "chunked":
                headers["Transfer_Encoding"] = "chunked"
            case _:
                headers["Connection"] = "close"
        await exchange.head(
            self.status or ("206 Partial Content" if partial else "200 OK"), **headers
        )
        await self._send(exchange, data, first)

    def _range(self, exchange: Exchange) -> tuple[int | None, int | None]:
        asked = exchange.header("Range")
        if not asked or not self.ranges:
            return None, None
        condition = exchange.header("If-Range")
        current = self.etag or (formatdate(self.modified, usegmt=True) if self.modified else None)
        if condition and self.if_range and condition != current:
            return None, None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1 if last else len(self.body)

    async def _send(self, exchange: Exchange, data: bytes, first: int) -> None:
        cut = self.cut.pop(0) if self.cut else None
        data = data if cut is None else data[:cut]
        piece = max(1, self.rate // 20) if self.rate else 65536
        at = 0
        while at < len(data):
            stop = at + piece
            if self.gate is not None and not self.gate.is_set():
                if first + at >= self.gate_at:
                    await self.gate.wait()
                else:
                    stop = min(stop, self.gate_at - first)
            part = data[at:stop]
            at = stop
            await exchange.raw(
                b"%x\r\n%b\r\n" % (len(part), part) if self.framing == "chunked" else part
            )
            if self.rate:
                await asyncio.sleep(len(part) / self.rate)
        if cut is not None:
            exchange.close = True
            if self.reset:
                exchange.reset()
        elif self.framing == "chunked":
            await exchange.raw(b"0\r\n\r\n")
        elif self.framing == "close":
            exchange.close = True


def saying(data: bytes) -> Behaviour:
    """Send exactly these bytes and close."""

    async def behave(exchange: Exchange) -> None:
        await exchange.raw(data)
        exchange.close = True

    return behave


def replying(status: str, body: bytes = b"", **headers: str | int | None) -> Behaviour:
    """Always the same honest answer."""

    async def behave(exchange: Exchange) -> None:
        await exchange.reply(status, body, **headers)

    return behave


def afar(behaviour: Behaviour) -> Behaviour:
    """As if a network lay between: no answer is here at once."""

    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(0.05)
        await behaviour(exchange)

    return behave


def redirecting(location: str, status: str = "302 Found", **headers: str | int | None) -> Behaviour:
    """A redirect."""
    return replying(status, b"<html>moved</html>", Location=location, **headers)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour after the other; the last one stays."""
    queue = list(behaviours)

    async def behave(exchange: Exchange) -> None:
        await (queue.pop(0) if len(queue) > 1 else queue[0])(exchange)

    return behave
