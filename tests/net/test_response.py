"""A body is as long as was said, comes no slower than is allowed, and never fills the memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from trayagent.net.client import Client, Limits
from trayagent.net.watch import Watch

from tests.servers.lying import Behaviour, Lying, replying, saying
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.response import Response


@asynccontextmanager
async def answered(behaviour: Behaviour, limits: Limits | None = None) -> AsyncIterator[Response]:
    async with Lying() as server, Client(Network(), limits or Limits()) as client:
        request = Request(server.at("/", behaviour), named=frozenset({server.authority}))
        with await client.open(request) as response:
            yield response


@pytest.mark.parametrize("size", [1000, 100_000])
async def test_an_answer_longer_than_was_allowed_is_refused(size: int) -> None:
    """Not one byte more is kept than whoever asked has room for."""
    async with answered(replying("200 OK", b"x" * size)) as response:
        assert await response.read(size) == b"x" * size
    async with answered(replying("200 OK", b"x" * (size + 1))) as response:
        with pytest.raises(DownloadError) as failed:
            await response.read(size)
        assert failed.value.code == "too_large"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 4, 5",
        b"Content-Length: -4",
        b"Content-Length: +4",
        b"Content-Length: 4_0",
        pytest.param(b"Content-Length: " + b"0" * 5000 + b"5", id="zeros without end"),
    ],
)
async def test_a_body_of_two_lengths_is_none(framing: bytes) -> None:
    """RFC 9112 §6.3: whoever contradicts himself there may be two who speak."""
    with pytest.raises(DownloadError) as failed:
        async with answered(saying(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\nabcde")) as came:
            assert came.length
    assert failed.value.code == "server_error"


async def test_no_second_line_of_a_header_goes_unseen() -> None:
    """RFC 9110 §5.3: several lines of one header are one, so two validators are none that anybody knows."""
    head = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nX: 1\r\netag: "b"\r\nETag: "a"\r\nSet-Cookie: a=1\r\n'
    async with answered(saying(head + b"Set-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")) as came:
        assert came.headers.getall("ETag") == ['"a", "b"']
        assert came.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert (came.headers["X"], came.length) == ("1", 0)


async def is_given_up(*quarters: int) -> bool:
    """Whether a server that brings so many bytes in each quarter of a window is too slow."""
    try:
        async with Watch(4000.0, 1) as watch:
            for received in quarters:
                watch.count(received)
                watch._tick()
                for _ in range(3):
                    await asyncio.sleep(0)
    except DownloadError as error:
        return error.code == "stalled"
    return False


@pytest.mark.parametrize(
    ("quarters", "given_up"),
    [
        ((0, 0, 0), False),
        ((0, 0, 0, 3999), True),
        ((0, 0, 0, 4000, 0, 0, 0), False),
        ((0, 0, 0, 4000, 0, 0, 0, 0), True),
        ((1000,) * 20, False),
    ],
)
async def test_a_server_has_a_whole_window_for_its_bytes(
    quarters: tuple[int, ...], given_up: bool
) -> None:
    """Neither a slow start nor a pause inside it is a stall; a byte too few over all of it is."""
    assert await is_given_up(*quarters) is given_up


class Slow:
    """A sink that takes a twentieth at a time, and then needs a rest."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.piece = size // 20

    def room(self) -> int:
        return min(self.piece, self.left)

    def write(self, data: bytes | memoryview) -> float:
        self.left -= len(data)
        return 0.06


@pytest.mark.parametrize("size", [1000, 400_000])
async def test_while_we_do_not_read_ourselves_no_server_is_too_slow(size: int) -> None:
    """A speed limit of ours is not held against it, on the plain path and on the fast one."""
    limits = Limits(stall=0.4, slowest=10**8)
    async with answered(replying("200 OK", b"x" * size), limits) as response:
        sink = Slow(size)
        await response.receive(sink)
    assert sink.left == 0
