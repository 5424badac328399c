"""Whatever a request is changed into, it is answered below 500, nothing is logged as a fault, and memory stays flat."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hook.rig import EXTENSION, Rig
from trayagent.hook.server import ROUTES

WORDS = [
    *(
        b"\r\n",
        b"\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"/",
        b"//",
        b"../",
        b"%2e%2e%2f",
        b"%00",
        b"?",
        b"&",
        b"#",
    ),
    *(
        b'"',
        b"'",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 20,
    ),
    *(
        b"\xff\xfe",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92\xa9",
        b"\xe2\x80\xae",
        b"a" * 9000,
        b"<script>",
    ),
    *(
        b"GET",
        b"POST",
        b"DELETE",
        b"OPTIONS",
        b"HTTP/1.0",
        b"HTTP/2",
        b"file:///etc/passwd",
        b"0\r\n\r\n",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n"),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    ),
    *(
        b"Host: evil.com\r\n",
        b"Origin: null\r\n",
        b"Origin: https://evil.com\r\n",
        b"Sec-Fetch-Site: cross-site\r\n",
    ),
    *(b"Last-Event-ID: 7\r\n", b"Idempotency-Key: k\r\n", b"\r\n\r\n"),
]
ITEM = {
    "url": "http://example.com/a.mp4",
    "filename": "a.mp4",
    "headers": {"X-A": "b"},
    "cookies": [{"name": "a", "value": "b", "domain": "example.com"}],
    "mirrors": ["http://b.example/a.mp4"],
    "checksum": "sha-256=" + "0" * 64,
    "segments": 4,
    "paused": False,
}
BODIES = [
    ITEM,
    {"items": [ITEM, ITEM]},
    {"minutes": 5},
    {"url": "http://a.example/"},
    {},
    {"code": "x", "name": "y"},
    {"client": "local", "nonce": "n" * 16},
]


def seeds(rig: Rig, session: str) -> list[bytes]:
    """Good requests for every route, to be spoiled; those that would end the rig are left out."""
    found = []
    for route in ROUTES:
        if route.path in {"/api/v1/quit", "/api/v1/token", "/api/v1/events"}:
            continue
        path = (
            route.path.replace("{id}", "d1").replace("{name}", "flow").replace("{file}", "app.js")
        )
        for body in BODIES if route.method in {"POST", "PATCH"} else [None]:
            for token, origin in (
                ("own", None),
                (session, rig.origin),
                ("wrong", None),
                (None, EXTENSION),
            ):
                found.append(
                    rig.request(route.method, path, body, token=token, headers={"Origin": origin})
                )
    return found


def mutate(rng: random.Random, data: bytes) -> bytes:
    """The request with one to six changes: cut, doubled, swapped, overwritten, or with a word put in."""
    for _ in range(rng.choice([1, 1, 2, 3, 6])):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice([1, 1, 2, 8, 64]))
        match rng.randrange(6):
            case 0:
                data = data[:at] + data[to:]
            case 1:
                data = data[:to] + data[at:]
            case 2:
                data = data[:at] + rng.choice(WORDS) + data[at:]
            case 3:
                data = data[:at] + rng.choice(WORDS) + data[to:]
            case 4:
                data = data[:at] + rng.randbytes(to - at) + data[to:]
            case _:
                head, end, body = data.partition(b"\r\n\r\n")
                lines = head.split(b"\r\n")
                lines.insert(rng.randrange(1, len(lines) + 1), rng.choice(lines[1:] or [b"X: y"]))
                data = b"\r\n".join(lines) + end + body
        if not data:
            return b"x"
    return data


def mutated_items(rng: random.Random) -> Iterator[bytes]:
    """Well-formed JSON whose values are of all wrong kinds."""
    odd: list[Any] = [
        None,
        True,
        -1,
        0,
        1.5,
        1e308,
        2**63,
        "",
        "x" * 70000,
        "\0",
        "\ud800",
        "../x",
        [],
        {},
        [[]],
        {"a": {}},
        "http://[::1",
        "日本",
    ]
    while True:
        item = dict(ITEM)
        for _ in range(rng.choice([1, 1, 2, 4])):
            item[
                rng.choice(
                    [*ITEM, "title", "folder", "kind", "speed_limit", "quality", "subtitles", "odd"]
                )
            ] = rng.choice(odd)
        yield json.dumps(rng.choice([item, {"items": [item, ITEM]}, [item]])).encode()


async def send(rig: Rig, data: bytes) -> int | None:
    """The status of the answer, or None when the connection was closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(20):
            line = await reader.readline()
        return int(line.split()[1]) if line.startswith(b"HTTP/1.") else None
    except ConnectionError:
        return None
    finally:
        writer.close()


def memory() -> int:
    """Resident bytes of this process (Linux), else 0."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except FileNotFoundError:
        return 0


async def fuzz(
    rig: Rig, seed: int, count: int, caplog: pytest.LogCaptureFixture
) -> dict[int | None, int]:
    """Send so many spoiled requests, eight at a time; returns how often each status came."""
    caplog.set_level(logging.WARNING)
    rng = random.Random(seed)
    session = await rig.agent.clients.begin_session(rig.agent.clients.issue_session_code())
    good, items = seeds(rig, session), mutated_items(rng)
    statuses: dict[int | None, int] = {}

    async def some(number: int) -> None:
        for _ in range(number):
            data = (
                rig.request("POST", "downloads", raw=next(items))
                if rng.random() < 0.2
                else mutate(rng, rng.choice(good))
            )
            status = await send(rig, data)
            # aria2 answers 500 to what is no JSON-RPC, and its clients expect that.
            assert status is None or status < 500 or b" /jsonrpc " in data, data[:2000]
            statuses[status] = statuses.get(status, 0) + 1

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(some(count // 8))
    assert [
        record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info
    ] == []
    assert (await rig.ask("GET", "status")).status == 200
    return statuses


async def test_spoiled_requests(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    statuses = await fuzz(rig, seed=6, count=2000, caplog=caplog)

    assert {202, 400, 401, 403, 404, 421, 422} <= set(statuses)


@pytest.mark.soak
@pytest.mark.timeout(3000)
async def test_a_hundred_thousand_spoiled_requests(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Allocators warm up during the first half; in the second the memory stays flat."""
    total: dict[int | None, int] = {}
    used: list[int] = []
    for seed in range(1, 11):
        for status, number in (await fuzz(rig, seed, 10_000, caplog)).items():
            total[status] = total.get(status, 0) + number
        used.append(memory())

    print(f"\n{sum(total.values())} requests: {total}; MB: {[round(u / 1e6) for u in used]}")
    assert used[9] - used[4] < 16 * 1024 * 1024
