"""A proxy on loopback for programs that we start: it leads only where our own client may go.

It speaks HTTP/1.1 as RFC 9112 §3.2.2 and RFC 9110 §9.3.6 say: absolute-form for http, CONNECT for
the rest. Each program gets a pass of its own, a secret that ends with it; addresses are checked
when the connection is made, so a page cannot lead it into a private network.

A plain connection carries one request and its answer, and both ends are told so. A program that took
it for lasting would send its next request into a connection that is just being closed, and fail; or it
would send one that is meant for another host, with that host's cookies, to the one it asked before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from trayagent.model import urls
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.model.validation import CONNECTION_HEADERS
from trayagent.net import peer_user
from trayagent.net.address_policy import AddressPolicy, Resolve, addresses_of
from trayagent.net.dialer import LIMIT, Dialer, Streams

HEAD_PATIENCE: Final = 10.0
"""Seconds for a request's head."""
_PIECE: Final = 16 * 1024
"""Bytes; small enough that a slow limit still flows evenly, and nobody behind it takes it for a stall."""


def _is_for_us(line: bytes) -> bool:
    """Whether a header belongs to one connection, and so ends at a proxy."""
    name = line.partition(b":")[0].strip().lower().decode("latin-1")
    return name in CONNECTION_HEADERS or name.startswith("proxy-")


def _free(count: int) -> float:
    del count
    return 0.0


@dataclass(slots=True)
class Pass:
    """One program's leave to use the gateway."""

    url: str = field(repr=False)
    """The proxy's address with the secret in it."""
    credentials: bytes = field(repr=False)
    named: Collection[str]
    spend: Callable[[int], float]
    """Is told of bytes that came in; returns the seconds to wait before taking more."""
    received: int = 0
    """Bytes that came in."""
    refused: DownloadError | None = None
    """The last address it was not let to."""
    writers: set[asyncio.StreamWriter] = field(default_factory=set, repr=False)


class Gateway:
    """An async context manager; `admit` gives a pass for as long as a program runs."""

    def __init__(
        self,
        network: NetworkSettings | None = None,
        *,
        own_ports: Collection[int] = (),
        resolve: Resolve = addresses_of,
    ) -> None:
        self._dialer = Dialer(AddressPolicy(network or NetworkSettings(), own_ports), resolve)
        self._passes: list[Pass] = []
        self._serving: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for leave in list(self._passes):
            _end(leave)
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    def __repr__(self) -> str:
        return f"<Gateway for {len(self._passes)} programs>"

    @contextmanager
    def admit(
        self, named: Collection[str] = (), spend: Callable[[int], float] = _free
    ) -> Iterator[Pass]:
        """A pass; its connections are closed when it ends. `named` as in a request."""
        secret = secrets.token_urlsafe(32)
        basic = base64.b64encode(f"trayagent:{secret}".encode())
        url = f"http://trayagent:{secret}@127.0.0.1:{self._port}"
        leave = Pass(url, b"Basic " + basic, named, spend)
        self._passes.append(leave)
        try:
            yield leave
        finally:
            self._passes.remove(leave)
            _end(leave)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        leave: Pass | None = None
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # Another user of this machine may connect here, too: not even its secret is looked at.
            if peer_user.is_another_users(writer.get_extra_info("socket")):
                return
            async with asyncio.timeout(HEAD_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            leave = self._pass_of(head)
            if leave is None:
                await _refuse(writer, b"407 Proxy Authentication Required")
                return
            leave.writers.add(writer)
            await self._handle(leave, head, (reader, writer))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the program's connection has ended, or is of no use
        except asyncio.CancelledError:
            pass  # the gateway closes; asyncio's own streams stumble over a cancelled handler
        finally:
            self._serving.discard(task)
            if leave is not None:
                leave.writers.discard(writer)
            writer.close()

    def _pass_of(self, head: bytes) -> Pass | None:
        given = re.search(rb"(?im)^proxy-authorization:[ \t]*([^\r\n]*)", head)
        if given is None:
            return None
        # In constant time for each: how long it takes tells nothing of a secret.
        found = [p for p in self._passes if hmac.compare_digest(p.credentials, given[1].strip())]
        return found[0] if found else None

    async def _handle(self, leave: Pass, head: bytes, near: Streams) -> None:
        try:
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            tunnel = method == "CONNECT"
            scheme, host, port = urls.origin(f"https://{target}" if tunnel else target)
            if not tunnel and scheme != "http":
                raise ValueError(target)
            length = None if tunnel else _body_length(head)
        except (ValueError, DownloadError):
            await _refuse(near[1], b"400 Bad Request")
            return
        try:
            far = await self._dialer.connect(host, port, leave.named, tunnel=tunnel)
        except DownloadError as error:
            # Whoever started the program learns why, when it reports no more than a failure.
            leave.refused = error
            await _refuse(near[1], b"403 Forbidden")
            return
        except (OSError, TimeoutError):
            await _refuse(near[1], b"502 Bad Gateway")
            return
        leave.writers.add(far[1])
        try:
            if length is None:
                near[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _join(_pump(near[0], far[1]), _pump(far[0], near[1], leave))
            else:
                far[1].write(self._request_to_forward(head, method, target))
                await _join(_send_body(near[0], far[1], length), _answer(leave, far[0], near[1]))
        finally:
            leave.writers.discard(far[1])
            far[1].close()

    def _request_to_forward(self, head: bytes, method: str, target: str) -> bytes:
        """The request as the server, or the next proxy, gets it; one request a connection."""
        lines = head[:-4].split(b"\r\n")[1:]
        kept = [line for line in lines if not _is_for_us(line)]
        _, host, path = _split_target(target)
        via = self._dialer.forwards
        if via:
            kept.append(b"Proxy-Authorization: " + via.encode())
        asked = path if via is None else target
        first = f"{method} {asked} HTTP/1.1\r\nHost: {host}\r\nConnection: close".encode()
        return b"\r\n".join([first, *kept]) + b"\r\n\r\n"


def _split_target(target: str) -> tuple[str, str, str]:
    scheme, _, rest = target.partition("://")
    cut = re.search(r"[/?]", rest)
    netloc, path = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "/")
    return scheme, netloc.rpartition("@")[2], path if path.startswith("/") else f"/{path}"


def _body_length(head: bytes) -> int:
    """Bytes of the body of a request (RFC 9112 §6.3). Raises ValueError where its end is not told so."""
    fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    values = {
        name: {value.strip() for named, _, value in fields if named.strip().lower() == name}
        for name in (b"content-length", b"transfer-encoding")
    }
    lengths = values[b"content-length"] or {b"0"}
    if values[b"transfer-encoding"] or len(lengths) > 1:
        raise ValueError("chunked, or of two lengths")
    length = lengths.pop()
    if not re.fullmatch(rb"\d{1,18}", length):
        raise ValueError("no length")
    return int(length)


async def _join(out: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None]) -> None:
    """Run both ways of a connection, until the far end has said all it will."""
    async with asyncio.TaskGroup() as group:
        up = group.create_task(out, name="gateway, out")

        async def down() -> None:
            await back
            up.cancel()

        group.create_task(down(), name="gateway, in")


async def _send_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int
) -> None:
    """Pass on the body of a plain request, and nothing that comes after it."""
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            # What is longer than the body is another request, perhaps for another host.
            writer.write(piece[:length])
            length -= min(length, len(piece))
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _answer(leave: Pass, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the answer to a plain request; its head says that the connection ends with it."""
    try:
        await _deliver(await _answer_head(reader), writer, leave)
    except asyncio.LimitOverrunError:
        await _refuse(writer, b"502 Bad Gateway")
    except OSError:
        pass  # one of the two has gone, and the connection ends with that
    else:
        await _pump(reader, writer, leave)


async def _answer_head(reader: asyncio.StreamReader) -> bytes:
    """The head of an answer as the program gets it; what is no HTTP, or breaks off, as it came.

    Raises LimitOverrunError for one that is too long, and OSError.
    """
    interim: list[bytes] = []
    lines: list[bytes] = []
    room, is_dropped = LIMIT, False
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return b"".join([*interim, *lines, error.partial])
        room -= len(line)
        if room < 0:
            raise asyncio.LimitOverrunError("the head of an answer is too long", LIMIT)
        if not lines and not line.startswith(b"HTTP/"):
            return b"".join([*interim, line])
        if not line.strip():
            if not re.match(rb"HTTP/1\.\d 1\d\d\b", lines[0]):
                return b"".join([*interim, *lines, b"Connection: close\r\n", line])
            # 100 Continue and the like (RFC 9110 §15.2) come before the answer.
            interim += [*lines, line]
            lines.clear()
            continue
        # A line that begins with a blank goes on with the one before it (RFC 9112 §5.2).
        is_dropped = is_dropped if line[:1] in b" \t" else bool(lines) and _is_for_us(line)
        if not is_dropped:
            lines.append(line)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, leave: Pass | None = None
) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            await _deliver(piece, writer, leave)
        if writer.can_write_eof():
            writer.write_eof()


async def _deliver(piece: bytes, writer: asyncio.StreamWriter, leave: Pass | None) -> None:
    """Write a piece; what comes in for a program counts, and may have to wait. Raises OSError."""
    writer.write(piece)
    await writer.drain()
    if leave is not None:
        leave.received += len(piece)
        delay = leave.spend(len(piece))
        if delay > 0:
            await asyncio.sleep(delay)


async def _refuse(writer: asyncio.StreamWriter, status: bytes) -> None:
    extra = b'Proxy-Authenticate: Basic realm="trayagent"\r\n' if status[:3] == b"407" else b""
    extra += b"Proxy-Status: trayagent\r\n"  # not the server's answer (RFC 9209)
    writer.write(
        b"HTTP/1.1 " + status + b"\r\n" + extra + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        await writer.drain()


def _end(leave: Pass) -> None:
    for writer in list(leave.writers):
        writer.close()
