"""Another user of this machine is refused on every route, whatever is sent, before anything is looked at."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.hook.rig import EXTENSION, Rig, running
from tests.patience import patience
from trayagent.hook import connections
from trayagent.hook.server import ROUTES

ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)

CLIENT = """
import encodings.idna, os, socket, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
data = sys.stdin.buffer.read()
for request in data.split(b"\\0"):
    conn = socket.socket()
    conn.connect(("127.0.0.1", int(sys.argv[1])))
    conn.settimeout(20)
    conn.sendall(request)
    said = b""
    while piece := conn.recv(65536): said += piece
    print(said.split(b"\\r\\n")[0].decode(), said.rpartition(b"\\r\\n")[2].decode())
"""


async def as_nobody(port: int, *requests: bytes) -> list[str]:
    """First line and body of each answer, asked for by another user."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, str(port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate(b"\0".join(requests))
    return said.decode().splitlines()


@pytest.fixture
async def strange(tmp_path: Path) -> AsyncIterator[Callable[[bool], Rig]]:
    """A hook that takes every client for another user's."""
    answer = [True]
    async with running(tmp_path, is_another_users=lambda _: answer[0]) as rig:

        def turn(other: bool) -> Rig:
            answer[0] = other
            return rig

        yield turn


@ROOT
async def test_every_route_is_closed_to_another_user(rig: Rig) -> None:
    pages = [r.path.replace("{id}", "d1").replace("{name}", "n") for r in ROUTES]
    asked = [
        rig.request(r.method, path, {} if r.body else None)
        for r, path in zip(ROUTES, pages, strict=True)
    ]
    code, pairing = rig.agent.clients.issue_session_code(), rig.agent.clients.issue_pairing_code()
    asked += [
        rig.request("POST", "sessions", {"code": code}, token=None),
        rig.request("POST", "confirm", {"nonce": "x"}, headers={"Origin": rig.origin}),
        rig.request("POST", "hello", {"client": "local", "nonce": "0" * 32}, token=None),
        rig.request("POST", "pair", {"code": pairing, "name": "x"}, headers={"Origin": EXTENSION}),
        rig.request("POST", "downloads", {"url": "http://example.com/x.mp4"}),
        b"",
        b"\x16\x03\x01",
    ]
    said = await as_nobody(rig.port, *asked)
    assert len(said) == len(asked)
    assert {line.partition(" {")[0] for line in said} == {"HTTP/1.1 403 Forbidden"}
    assert all('"other_user"' in line for line in said)
    assert await rig.count() == 0
    assert await rig.agent.clients.all_clients() == ()
    # His tries used nothing up, and slow nobody down.
    assert (await rig.ask("POST", "sessions", {"code": code}, token=None)).status == 200
    assert rig.agent.clients.guesses.wait_seconds == 0.0


async def test_he_is_told_before_he_has_said_anything(strange: Callable[[bool], Rig]) -> None:
    rig = strange(True)
    assert (await rig.raw(b"")).status == 403
    assert (await strange(False).ask("GET", "health")).status == 200


async def test_many_of_another_users_keep_no_place(tmp_path: Path) -> None:
    come, all_have_come = count(1), asyncio.Event()

    def is_another_users(_: object) -> bool:
        # Clients are accepted in the order in which they connected: ours is the last.
        number = next(come)
        if number == connections.MOST_IN_RUSH:
            all_have_come.set()
        return number <= connections.MOST_IN_RUSH

    async with running(tmp_path, is_another_users=is_another_users) as rig:
        with ExitStack() as strangers:
            for _ in range(connections.MOST_IN_RUSH):
                sock = strangers.enter_context(socket.socket())
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", rig.port))
            # Windows' loop accepts one client a turn, slower than they connect: the kernel still holds most of them.
            async with asyncio.timeout(patience(20)):
                await all_have_come.wait()
            async with asyncio.timeout(patience(2)):
                assert (await rig.ask("GET", "health")).status == 200
