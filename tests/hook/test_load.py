"""A thousand clients at once lose no acknowledgement, and the hook is as it was afterwards."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.hook.rig import Rig, read_answer, running
from trayagent.hook import connections


def open_files() -> int:
    """How many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only the number matters


async def post(rig: Rig, client: int, posts: int, took: list[float], statuses: list[int]) -> None:
    """One client: a connection, one item after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    try:
        for number in range(posts):
            item = {"url": f"http://example.com/{client}/{number}.mp4"}
            began = time.perf_counter()
            writer.write(rig.request("POST", "downloads", item, close=number == posts - 1))
            answer = await read_answer(reader)
            took.append(time.perf_counter() - began)
            statuses.append(answer.status)
    finally:
        writer.close()


async def load(rig: Rig, clients: int, posts: int) -> tuple[list[float], list[int]]:
    took: list[float] = []
    statuses: list[int] = []
    async with asyncio.TaskGroup() as group:
        for client in range(clients):
            group.create_task(post(rig, client, posts, took, statuses))
    return sorted(took), statuses


async def check(rig: Rig, clients: int, posts: int) -> list[float]:
    took, statuses = await load(rig, clients, posts)
    rows = await rig.count()
    urls = await rig.db.read(
        lambda c: c.execute("SELECT count(DISTINCT url) FROM downloads").fetchone()[0]
    )

    assert set(statuses) == {202}
    assert len(statuses) == rows == urls == clients * posts
    return took


async def test_two_hundred_clients_lose_nothing(rig: Rig) -> None:
    await check(rig, clients=200, posts=3)


async def test_whole_requests_wait_for_their_turn_however_long_it_takes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a crowd's turn comes after more than the grace: here there is none at all."""
    monkeypatch.setattr(connections, "GRACE_SECONDS", 0.0)
    socks = [
        socket.create_connection(("127.0.0.1", rig.port))
        for _ in range(2 * connections.MOST_WAITING)
    ]
    request = rig.request("POST", "downloads", {"url": "http://example.com/a.mp4"})
    for sock in socks:
        sock.sendall(request)

    statuses = set()
    for sock in socks:
        reader, writer = await asyncio.open_connection(sock=sock)
        with closing(writer):
            async with asyncio.timeout(20):
                statuses.add((await read_answer(reader)).status)

    assert statuses == {202}


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc (Linux only)")
async def test_a_thousand_connections_leave_no_file_open(rig: Rig) -> None:
    await rig.ask("GET", "status")
    before = open_files()

    await check(rig, clients=1000, posts=1)
    async with asyncio.timeout(10):
        while open_files() > before:
            await rig.ask("GET", "health")


@pytest.mark.soak
async def test_a_thousand_clients_with_ten_posts_each(tmp_path: Path) -> None:
    """The whole row: 10,000 acknowledged, p99 and all; printed, since the machine decides the figures."""
    async with running(tmp_path) as rig:
        began = time.perf_counter()
        took = await check(rig, clients=1000, posts=10)
        seconds = time.perf_counter() - began

    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(
        f"\n10,000 posts in {seconds:.1f} s ({10_000 / seconds:.0f}/s),"
        f" p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms"
    )
