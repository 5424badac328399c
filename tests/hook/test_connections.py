"""Who only waits makes room: slow, silent and half-closed clients never keep a real one out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hook.rig import Rig, read_answer, running
from tests.patience import patience
from trayagent.hook import connections, server
from trayagent.hook.connections import MOST_WAITING, ConnectionPhase

ROOT = Path(__file__).parents[2]
ITEM = {"url": "http://example.com/a.mp4"}
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def connect(rig: Rig, stack: ExitStack, data: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    stack.callback(writer.close)
    writer.write(data)
    return reader, writer


async def read_to_end(reader: asyncio.StreamReader, seconds: float) -> bytes:
    """What the server still said before it closed the connection, within so many seconds."""
    async with asyncio.timeout(patience(seconds)):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadlines, 50 times shorter."""
    for phase, seconds in connections._DEADLINES.items():
        monkeypatch.setitem(connections._DEADLINES, phase, seconds / 50)
    assert server.read_body.__kwdefaults__ is not None
    monkeypatch.setitem(server.read_body.__kwdefaults__, "seconds", connections.BODY_SECONDS / 50)


def test_the_deadlines_are_the_documented_ones() -> None:
    assert connections._DEADLINES == {ConnectionPhase.IDLE: 15.0, ConnectionPhase.HEAD: 10.0}
    assert server.read_body.__kwdefaults__ is not None
    assert server.read_body.__kwdefaults__["seconds"] == 10.0
    assert MOST_WAITING == 64


async def test_a_silent_connection_is_closed(rig: Rig, short: None, stack: ExitStack) -> None:
    reader, _ = await connect(rig, stack)

    assert await read_to_end(reader, 2) == b""


async def test_a_slow_head_is_answered_408_and_closed(
    rig: Rig, short: None, stack: ExitStack
) -> None:
    reader, writer = await connect(rig, stack, b"GET /")

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(drip())
        said = await read_to_end(reader, 2)
        task.cancel()

    assert (
        said.startswith(b"HTTP/1.1 408 ") or said == b""
    )  # a reset may overtake it while bytes still come


async def test_a_slow_body_is_answered_408_and_closed(
    rig: Rig, short: None, stack: ExitStack
) -> None:
    request = rig.request(
        "POST", "downloads", ITEM, headers={"Content-Length": "1000"}, close=False
    )
    reader, _ = await connect(rig, stack, request)

    said = await read_to_end(reader, 3)

    assert said.startswith(b"HTTP/1.1 408 ")
    assert await rig.count() == 0


async def test_a_kept_connection_is_closed_when_it_stays_silent(
    rig: Rig, short: None, stack: ExitStack
) -> None:
    reader, _ = await connect(rig, stack, rig.request("GET", "health", close=False))

    assert (await read_answer(reader)).status == 200
    assert await read_to_end(reader, 2) == b""


async def test_requests_may_follow_each_other_on_one_connection(rig: Rig, stack: ExitStack) -> None:
    request = rig.request("POST", "downloads", ITEM, close=False)
    reader, writer = await connect(rig, stack, request * 3)

    assert [(await read_answer(reader)).status for _ in range(3)] == [202] * 3
    writer.write(request)
    assert (await read_answer(reader)).status == 202


async def test_a_refused_body_does_not_become_the_next_request(rig: Rig, stack: ExitStack) -> None:
    smuggled = rig.request("POST", "downloads", ITEM)
    outer = rig.request(
        "POST",
        "downloads",
        raw=b"",
        token="wrong",
        close=False,
        headers={"Content-Length": str(len(smuggled))},
    )
    reader, writer = await connect(rig, stack, outer + smuggled)

    assert (await read_answer(reader)).status == 401
    writer.write(rig.request("GET", "health"))
    assert (await read_answer(reader)).body == b'{"app":"trayagent","api":1}'
    assert await read_to_end(reader, 3) == b""
    assert await rig.count() == 0


async def test_a_client_that_only_listens_after_asking_is_answered(
    rig: Rig, stack: ExitStack
) -> None:
    """`nc -N`: the request is whole, then the sending side is closed."""
    answer = await rig.raw(rig.request("POST", "downloads", ITEM, close=False), eof=True)

    assert answer.status == 202


async def test_half_closed_without_a_request_is_closed_at_once(rig: Rig, stack: ExitStack) -> None:
    for start in (
        b"",
        b"GET / HT",
        rig.request("POST", "downloads", ITEM, headers={"Content-Length": "999"}),
    ):
        reader, writer = await connect(rig, stack, start)
        writer.write_eof()
        await read_to_end(reader, 2)

    assert await rig.count() == 0


async def test_the_oldest_that_waits_makes_room(rig: Rig, stack: ExitStack) -> None:
    waiting = [await connect(rig, stack, b"GET /" if n % 2 else b"") for n in range(MOST_WAITING)]
    await asyncio.sleep(connections.GRACE_SECONDS * 1.2)

    newest = await connect(rig, stack, rig.request("GET", "status"))
    answer = await read_answer(newest[0])

    assert answer.status == 200
    await read_to_end(waiting[0][0], 1)
    assert not waiting[-1][0].at_eof()


@pytest.mark.alone
@pytest.mark.parametrize("start", [b"", b"G", b"POST /api/v1/downloads HTTP/1.1\r\nHost: x\r\n"])
async def test_two_hundred_that_wait_do_not_keep_a_real_client_out(
    rig: Rig, stack: ExitStack, start: bytes
) -> None:
    for _ in range(200):
        await connect(rig, stack, start)

    began = time.monotonic()
    async with asyncio.timeout(5):
        answer = await rig.ask("POST", "downloads", ITEM)

    assert answer.status == 202
    assert time.monotonic() - began < patience(1)


@pytest.mark.alone
async def test_two_hundred_slow_bodies_do_not_keep_a_real_client_out(
    rig: Rig, stack: ExitStack
) -> None:
    slow = rig.request("POST", "downloads", ITEM, headers={"Content-Length": "1000"}, close=False)
    for _ in range(200):
        await connect(rig, stack, slow)

    began = time.monotonic()
    assert (await rig.ask("POST", "downloads", ITEM)).status == 202
    assert time.monotonic() - began < patience(1)
    assert await rig.count() == 1


async def test_full_requests_are_never_refused_for_the_limit(rig: Rig, stack: ExitStack) -> None:
    """More streams than there are places: each is a full request."""
    request = rig.request("GET", "events", close=False)
    streams = [await connect(rig, stack, request) for _ in range(MOST_WAITING + 20)]

    for reader, _ in streams:
        assert b" 200 " in await reader.readline()
    assert (await rig.ask("GET", "status")).status == 200


async def test_too_many_that_wait_are_thinned_out_the_oldest_first(
    rig: Rig, stack: ExitStack
) -> None:
    streams = [await connect(rig, stack) for _ in range(MOST_WAITING + 10)]

    async with asyncio.timeout(connections.GRACE_SECONDS + 2):
        for reader, _ in streams[:10]:
            await reader.read()

    assert not [reader for reader, _ in streams[10:] if reader.at_eof()]


@pytest.mark.alone
async def test_beyond_the_rush_clients_wait_their_turn(
    rig: Rig, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many more silent ones than may be in at all: the last in the row is still served, and all are rid of."""
    rush = MOST_WAITING + 20
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(connections, "most_in_rush", lambda: rush)
    async with running(rig.db.path.parent / "small") as small:
        for _ in range(rush * 3):
            await connect(small, stack)
        began = time.monotonic()
        answer = await small.ask("POST", "downloads", ITEM)

    assert answer.status == 202
    assert time.monotonic() - began < patience(2)


async def test_a_client_that_does_not_read_its_answer_is_let_go(
    rig: Rig, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trayagent.hook.server.WRITE_SECONDS", 0.2)
    for n in range(0, 600, 200):
        items = [{"url": f"http://example.com/{n + i}?{'x' * 900}"} for i in range(200)]
        assert (await rig.ask("POST", "downloads", {"items": items})).status == 202
    _, writer = await connect(rig, stack)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(rig.request("GET", "downloads?limit=1000", close=False) * 40)

    async with asyncio.timeout(30):
        while not writer.is_closing():
            await asyncio.sleep(0.05)
            writer.write(b"\r\n")
    assert (await rig.ask("GET", "status")).status == 200


async def test_a_kept_connection_ends_with_the_hook(rig: Rig, stack: ExitStack) -> None:
    reader, _ = await connect(rig, stack, rig.request("GET", "health", close=False))

    assert (await read_answer(reader)).status == 200
    # The fixture stops the hook while this connection is open; it must not take longer than a second.


@pytest.mark.alone
async def test_stopping_ends_streams_and_idle_connections_at_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ExitStack() as stack:
        async with running(tmp_path_factory.mktemp("stop")) as rig:
            idle, _ = await connect(rig, stack)
            kept, _ = await connect(rig, stack, rig.request("GET", "health", close=False))
            assert (await read_answer(kept)).status == 200
            stream, _ = await connect(rig, stack, rig.request("GET", "events", close=False))
            await stream.readuntil(b"retry: ")
            began = time.monotonic()
        took = time.monotonic() - began
        for reader in (idle, kept, stream):
            await read_to_end(reader, 1)

    assert took < patience(1)


@pytest.mark.soak
async def test_at_their_real_lengths(rig: Rig, stack: ExitStack) -> None:
    """Slow heads and bodies end after 10 s, silence after 15 s."""
    slow = rig.request("POST", "downloads", ITEM, headers={"Content-Length": "1000"}, close=False)
    cases = [(b"G", 10.0), (slow, 10.0), (b"", 15.0)]
    began = time.monotonic()

    async def measure(start: bytes) -> float:
        reader, _ = await connect(rig, stack, start)
        await read_to_end(reader, 30)
        return time.monotonic() - began

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(measure(start)) for start, _ in cases]

    for task, (_, seconds) in zip(tasks, cases, strict=True):
        assert seconds <= task.result() < seconds + 1.5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_half_of_the_files_are_left_for_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    for soft, rush in (
        (64, 32),
        (1024, 512),
        (1 << 20, 1024),
        (resource.RLIM_INFINITY, 1024),
        (4, 8),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connections.most_in_rush() == rush


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
async def test_a_crowd_of_silent_clients_does_not_use_up_all_files(home: Path) -> None:
    env = os.environ | {"TRAYAGENT_HOOK__PORT": "0", "PYTHONPATH": str(ROOT)}
    agent = await asyncio.create_subprocess_exec(
        "sh", "-c", f"ulimit -n 64; exec {sys.executable} -m trayagent run --headless",
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert agent.stdout is not None
    try:
        async with asyncio.timeout(20):
            said = await agent.stdout.readline()
        port = json.loads((home / "runtime.json").read_text())["port"]
        token = (home / "token").read_text()
        with ExitStack() as stack:
            for _ in range(90):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(
                f"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
            )
            async with asyncio.timeout(20):
                answer = await read_answer(reader)
        agent.terminate()
        assert (answer.status, await agent.wait()) == (200, 0), said
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()
