"""The fast path relies on facts about aiohttp that still hold; where they do not, the plain path serves."""

from __future__ import annotations

import asyncio
import inspect
import time
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.streams import StreamReader
from trayagent.net.handler import Handler
from trayagent.net.wire import Wire

from tests.patience import patience
from tests.servers.certificates import Authority
from tests.servers.lying import Lying, Served, saying
from tests.transfer.rig import noise, transferring, until
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net import response

SIZE = 5_000_000


def test_aiohttp_is_what_we_rely_on() -> None:
    """The canary: when this fails, read takeover.py, handler.py and Wire.ask against the new aiohttp."""
    assert issubclass(ResponseHandler, asyncio.Protocol)
    assert callable(ResponseHandler._drop_timeout)
    assert callable(ResponseHandler.set_exception)
    assert callable(StreamReader.set_exception)
    assert callable(StreamReader.feed_eof)
    assert callable(StreamReader.read_nowait)
    assert "total_bytes" in StreamReader.__slots__
    names = inspect.signature(ResponseHandler.set_response_params).parameters
    assert {"skip_payload", "read_until_eof", "auto_decompress"} <= set(names)
    asked = inspect.signature(aiohttp.ClientRequest.__init__).parameters
    assert {"headers", "data", "loop", "session", "ssl", "proxy"} <= set(asked)
    assert list(inspect.signature(aiohttp.BaseConnector.connect).parameters)[1:] == [
        "req",
        "traces",
        "timeout",
    ]


class Counting:
    """A sink that counts what it gets through the fast path's buffer."""

    def __init__(self, size: int) -> None:
        self.data = bytearray()
        self.size = size
        self.buffered = 0

    def room(self) -> int:
        return self.size - len(self.data)

    def write(self, data: bytes | memoryview) -> float:
        self.buffered += isinstance(data, memoryview) and isinstance(data.obj, bytearray)
        self.data += data
        return 0.0


@pytest.mark.parametrize("secure", [False, True])
async def test_long_bodies_take_it_and_the_connection_lives_on(
    tmp_path: Path, secure: bool
) -> None:
    authority = Authority()
    tls = authority.serving("127.0.0.1") if secure else None
    body = noise(SIZE)
    async with Lying(tls=tls) as server:
        url = server.at("/f", Served(body))
        async with transferring(tmp_path, server.authority, tls=authority.trusting()) as rig:
            for _ in range(3):
                request = Request(url, named=rig.named)
                with await rig.client.open(request) as came:
                    sink = Counting(SIZE)
                    await came.receive(sink)
                assert sink.data == body
                assert sink.buffered > 3
        assert server.connections == 1


async def test_the_plain_path_serves_when_it_is_not_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "possible", lambda _: False)
    body = noise(SIZE)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f", Served(body)))
        assert rig.files() == {"f": body}


@pytest.mark.parametrize("proxy", ["", "socks5://127.0.0.1:9"])
async def test_every_connection_gets_our_handler(proxy: str) -> None:
    async with Wire(Policy(Network(proxy=proxy)), connect=1, tls=None, resolver=None) as wire:
        made = wire._connector._factory()
        assert isinstance(made, Handler)
        assert made._payload is None


async def test_too_much_is_not_taken(tmp_path: Path) -> None:
    body = noise(SIZE)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f", saying(head + body + b"HTTP/1.1 200 OK\r\n\r\nextra")))
        assert rig.files() == {"f": body}


async def test_who_has_all_it_wants_gets_no_byte_more_and_the_rest_reaches_nobody(
    tmp_path: Path,
) -> None:
    """A lane whose end moved closer meanwhile: what still comes is neither written nor taken for another answer."""
    body, gate, here = noise(SIZE), asyncio.Event(), SIZE // 2
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f", Served(body, gate=gate, gate_at=here))
        with await rig.client.open(Request(url, named=rig.named)) as came:
            sink = Counting(SIZE)
            async with asyncio.timeout(5), asyncio.TaskGroup() as group:
                group.create_task(came.receive(sink), name="receiving")
                await until(lambda: len(sink.data) == here)
                sink.size = here
                gate.set()
        assert sink.buffered > 3
        assert sink.data == body[:here]
        with await rig.client.open(Request(url, named=rig.named)) as again:
            whole = Counting(SIZE)
            await again.receive(whole)
        assert whole.data == body
        assert server.connections == 2


async def test_what_a_server_says_behind_a_body_is_not_part_of_it(tmp_path: Path) -> None:
    """The length that was said is the end, however much the sink would take."""
    body = noise(SIZE)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f", saying(head + body + b"EVIL" * 100_000))
        with await rig.client.open(Request(url, named=rig.named)) as came:
            sink = Counting(2 * SIZE)
            await came.receive(sink)
        assert sink.data == body


async def test_a_body_that_ends_early_is_truncated(tmp_path: Path) -> None:
    """Whoever receives need not count for himself."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f", Served(noise(SIZE), cut=[SIZE // 2]))
        came = await rig.client.open(Request(url, named=rig.named))
        with came, pytest.raises(DownloadError) as failed:
            await came.receive(Counting(SIZE))
        assert failed.value.code == "truncated"


async def test_a_reset_in_the_middle_is_a_network_failure(tmp_path: Path) -> None:
    served = Served(noise(SIZE), cut=[SIZE // 2] * 9, reset=True, etag=None, modified=None)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f", served))
        assert failed.value.code in ("network", "truncated")


@pytest.mark.alone
async def test_the_loop_stays_responsive_under_four_downloads(tmp_path: Path) -> None:
    body = noise(40_000_000)
    late: list[float] = []
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f", Served(body))

        async def knock() -> None:
            while True:
                began = time.perf_counter()
                await asyncio.sleep(0.002)
                late.append(time.perf_counter() - began - 0.002)

        async with asyncio.TaskGroup() as group:
            knocking = group.create_task(knock(), name="knock")
            async with asyncio.TaskGroup() as downloads:
                for n in range(4):
                    downloads.create_task(rig.get(url), name=f"download {n}")
            knocking.cancel()
    late.sort()
    assert late[int(len(late) * 0.9)] < patience(0.1)
