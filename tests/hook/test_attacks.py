"""Nothing that a page, a form, a stranger or a broken program sends adds a download or learns a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from typing import Any

import pytest

from tests.hook.rig import EXTENSION, Rig
from trayagent.hook import connections
from trayagent.hook.server import ROUTES

ITEM = {"url": "http://example.com/a.mp4"}

Headers = dict[str, str | list[str] | None]


async def refused(rig: Rig, statuses: set[int], headers: Headers, **more: Any) -> None:
    """The item is refused with one of the statuses, without CORS headers, and nothing is added."""
    answer = await rig.ask("POST", "downloads", ITEM, headers=headers, **more)

    assert answer.status in statuses
    assert answer.cors == []
    assert await rig.count() == 0


@pytest.mark.parametrize(
    "token",
    [None, "", "wrong", "OWN ", "own own"],
    ids=["none", "empty", "wrong", "truncated", "doubled"],
)
async def test_without_the_right_token_nothing_happens(rig: Rig, token: str | None) -> None:
    odd = {"OWN ": rig.own.value[:-1], "own own": f"{rig.own.value} {rig.own.value}"}

    await refused(rig, {401}, {}, token=odd.get(token or "", token))


@pytest.mark.parametrize(
    "line",
    [
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "Token {token}",
        "Bearer,{token}",
        "Bearer {token}, Bearer x",
    ],
)
async def test_other_ways_to_write_authorization_are_refused(rig: Rig, line: str) -> None:
    await refused(rig, {401}, {"Authorization": line.format(token=rig.own.value)})


async def test_two_authorizations_are_refused(rig: Rig) -> None:
    await refused(rig, {401}, {"Authorization": [f"Bearer {rig.own.value}"] * 2})


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_the_scheme_may_be_written_in_any_case(rig: Rig, scheme: str) -> None:
    answer = await rig.ask(
        "POST", "downloads", ITEM, headers={"Authorization": f"{scheme} {rig.own.value}"}
    )

    assert answer.status == 202


async def test_a_token_in_the_query_or_a_cookie_is_no_token_and_is_not_logged(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    value = rig.own.value

    in_query = await rig.ask(
        "POST", f"downloads?token={value}&access_token={value}", ITEM, token=None
    )
    in_cookie = await rig.ask(
        "POST", "downloads", ITEM, token=None, headers={"Cookie": f"token={value}"}
    )
    wrong = await rig.ask("POST", "downloads", ITEM, token="CANARY_WRONG")

    assert [a.status for a in (in_query, in_cookie, wrong)] == [401, 401, 401]
    assert value not in caplog.text
    assert "CANARY" not in caplog.text
    assert await rig.count() == 0


async def test_wrong_tokens_are_slowed_and_a_right_one_never(rig: Rig) -> None:
    wrong = [(await rig.ask("GET", "status", token=f"wrong{n}")).status for n in range(12)]
    right = await rig.ask("POST", "downloads", ITEM)
    slowed = await rig.ask("GET", "status", token="wrong again")
    rig.clock.now += 61
    later = await rig.ask("GET", "status", token="wrong much later")

    assert wrong == [401] * 10 + [429] * 2
    assert right.status == 202
    assert (slowed.status, slowed.headers["retry-after"]) == (429, "60")
    assert later.status == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "evil.com:{port}", "127.0.0.1.evil.com", "127.0.0.1@evil.com", "localhost.evil.com",
        "0.0.0.0:{port}",
        "[::]:{port}", "127.0.0.1:1", "localhost6", "192.168.1.7", "", "127.0.0.1:{port}\t", "127.0.0.1:{port} ",
        "127.0.0.1:{port}.evil.com", "user@127.0.0.1:{port}", "127.0.0.1:0{port}", "[::ffff:127.0.0.1]:{port}",
    ],
)  # fmt: skip
async def test_another_host_is_refused_even_with_a_right_token(rig: Rig, host: str) -> None:
    await refused(rig, {421, 400}, {"Host": host.format(port=rig.port)})


@pytest.mark.parametrize(
    "hosts", [None, ["127.0.0.1:{port}"] * 2, ["127.0.0.1:{port}", "evil.com"]]
)
async def test_no_host_or_two_are_refused(rig: Rig, hosts: list[str] | None) -> None:
    await refused(
        rig, {421, 400}, {"Host": [h.format(port=rig.port) for h in hosts] if hosts else None}
    )


@pytest.mark.parametrize("host", ["LOCALHOST:{port}", "localhost.:{port}", "127.0.0.1:{port}"])
async def test_our_own_names_are_served(rig: Rig, host: str) -> None:
    answer = await rig.ask("POST", "downloads", ITEM, headers={"Host": host.format(port=rig.port)})

    assert answer.status == 202


async def test_ipv6_loopback_is_served_by_its_name(rig: Rig) -> None:
    if len(rig.listener.sockets) < 2:
        pytest.skip("this machine has no ::1")
    request = rig.request("POST", "downloads", ITEM, headers={"Host": f"[::1]:{rig.port}"})

    assert (await rig.raw(request, address="::1")).status == 202


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/api/v1/downloads", "http://evil.com/api/v1/downloads"]
)
async def test_an_absolute_target_is_not_ours(rig: Rig, target: str) -> None:
    answer = await rig.ask("POST", target.format(port=rig.port), ITEM)

    assert answer.status in {400, 404, 421}
    assert await rig.count() == 0


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "X-HTTP-Method-Override"],
)
async def test_what_proxies_say_is_ignored(rig: Rig, name: str) -> None:
    answer = await rig.ask("POST", "downloads", ITEM, headers={name: "127.0.0.1"})
    without = await rig.ask("POST", "downloads", ITEM, token=None, headers={name: "127.0.0.1"})
    override = await rig.ask("GET", "downloads", headers={"X-HTTP-Method-Override": "DELETE"})

    assert (answer.status, without.status, override.status) == (202, 401, 200)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.com", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "chrome-extension://otherid",
        "http://localhost:{port}.evil.com", "http://localhost:{port}", "http://127.0.0.1:{port}@evil.com", "",
        "moz-extension://x", "http://127.0.0.1:{port}/", "file://", "HTTP://EVIL.COM",
    ],
)  # fmt: skip
async def test_other_origins_are_refused_even_with_a_right_token(rig: Rig, origin: str) -> None:
    await rig.paired()

    await refused(rig, {403}, {"Origin": origin.format(port=rig.port)})


async def test_two_origins_are_refused(rig: Rig) -> None:
    await refused(rig, {403}, {"Origin": [rig.origin, rig.origin]})


@pytest.mark.parametrize("site", ["cross-site", "same-site", "bogus"])
async def test_another_sites_page_is_refused_without_origin_too(rig: Rig, site: str) -> None:
    await refused(rig, {403}, {"Sec-Fetch-Site": site})


async def test_a_paired_extension_is_served_and_may_read_the_answer(rig: Rig) -> None:
    _, token = await rig.paired()

    answer = await rig.ask("POST", "downloads", ITEM, token=token, headers={"Origin": EXTENSION})

    assert answer.status == 202
    assert answer.json()["downloads"][0]["via"] == "extension"
    assert answer.headers["access-control-allow-origin"] == EXTENSION
    assert "Origin" in answer.headers["vary"]
    assert answer.cors == ["access-control-allow-origin"]


async def test_an_extensions_token_works_from_its_own_origin_only(rig: Rig) -> None:
    other = "moz-extension://11111111-2222"
    _, token = await rig.paired()
    await rig.paired(other)
    origins: list[str | None] = [None, rig.origin, other]

    answers = [
        await rig.ask("POST", "downloads", ITEM, token=token, headers={"Origin": o})
        for o in origins
    ]

    assert [answer.status for answer in answers] == [403, 403, 403]
    assert await rig.count() == 0


async def test_preflights(rig: Rig) -> None:
    await rig.paired()

    async def ask(
        origin: str | None, method: str = "POST", headers: str = "authorization, content-type"
    ) -> Any:
        return await rig.ask(
            "OPTIONS",
            "downloads",
            token=None,
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": headers,
                "Access-Control-Request-Private-Network": "true",
            },
        )

    yes = await ask(EXTENSION)
    evil = await ask(EXTENSION, headers="x-evil")
    refusals = [
        await ask(o)
        for o in ("moz-extension://other", "null", "https://evil.com", rig.origin, None)
    ]
    refusals += [await ask(EXTENSION, method="PUT")]

    assert yes.status == evil.status == 204
    assert yes.headers["access-control-allow-origin"] == EXTENSION
    assert yes.headers["access-control-allow-methods"] == "POST"
    assert "x-evil" not in evil.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in yes.headers
    assert [refusal.status for refusal in refusals] == [403] * 6
    assert [refusal.cors for refusal in refusals][:5] == [[]] * 5


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/json; charset=utf-16", "text/json", None, "application/json, application/json",
        ["application/json", "application/json"], "application/json;application/json", "*/*", "",
    ],
)  # fmt: skip
async def test_only_json_is_json(rig: Rig, kind: str | list[str] | None) -> None:
    await refused(rig, {415}, {"Content-Type": kind})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-gzip", "identity, gzip"])
async def test_compressed_bodies_are_refused(rig: Rig, encoding: str) -> None:
    await refused(rig, {415, 400}, {"Content-Encoding": encoding})


PATHS = [re.sub(r"\{\w+\}", "x1", path) for path in sorted({route.path for route in ROUTES})]


@pytest.mark.parametrize(
    "path",
    [*PATHS, "/api/v1/downloads/../config", "/api", "//api/v1/downloads", "/api/v1/downloads/"],
)
async def test_no_other_method_does_anything_on_any_path(rig: Rig, path: str) -> None:
    known = {route.method for route in ROUTES if re.sub(r"\{\w+\}", "x1", route.path) == path}

    for method in {"GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "POST"} - known:
        data = rig.request(method, path, ITEM)
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(data)
        status = int((await reader.readline()).split()[1])
        writer.close()
        assert status in {404, 405}, method

    assert await rig.count() == 0


async def test_a_get_never_adds_anything(rig: Rig) -> None:
    for path in (
        "downloads?url=http://e.com/x.mp4",
        "/?url=http://e.com/x",
        "/send?url=http://e.com/x",
        "/add?url=http://e.com",
    ):
        await rig.ask("GET", path)

    assert await rig.count() == 0


async def test_a_form_cannot_carry_json_in_disguise(rig: Rig) -> None:
    """An auto-submitted top-level form: always possible, without a gesture."""
    body = b'{"url":"http://evil.com/x.mp4","title":"=a"}'
    headers: Headers = {
        "Origin": "null",
        "Content-Type": "text/plain",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-User": "?1",
    }

    for path in ("downloads", "confirm", "pair", "sessions", "hello", "/send", "/"):
        answer = await rig.ask("POST", path, raw=body, token=None, headers=headers)
        assert answer.status in {403, 405}

    assert await rig.count() == 0


async def test_a_web_socket_is_not_opened(rig: Rig) -> None:
    headers: Headers = {
        "Origin": "https://evil.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }

    answers = [await rig.ask("GET", path, headers=headers) for path in ("events", "/", "/jsonrpc")]
    own = await rig.ask("GET", "status", headers=headers | {"Origin": rig.origin})

    assert [answer.status for answer in answers] == [403, 403, 403]
    assert own.status == 200  # an ordinary answer: the upgrade is not taken


async def test_dns_rebinding_reads_and_does_nothing(rig: Rig) -> None:
    """A page on http://evil.test:PORT: Origin and Host agree, and no Sec-Fetch header comes."""
    headers: Headers = {"Host": f"evil.test:{rig.port}", "Origin": f"http://evil.test:{rig.port}"}

    for method, path in (
        ("GET", "/"),
        ("GET", "/send"),
        ("GET", "health"),
        ("POST", "downloads"),
        ("POST", "confirm"),
    ):
        answer = await rig.ask(method, path, ITEM if method == "POST" else None, headers=headers)
        assert answer.status == 421
        assert answer.cors == []
    assert await rig.count() == 0


async def test_health_says_nothing_about_this_machine(rig: Rig) -> None:
    answers = [
        await rig.ask("GET", "health", token=None, headers={"Accept": "text/html"})
        for _ in range(2)
    ]

    assert [answer.body for answer in answers] == [b'{"app":"trayagent","api":1}'] * 2
    assert answers[0].headers["server"] == "trayagent"
    assert not {"x-powered-by", "via", "access-control-allow-origin"} & set(answers[0].headers)


async def test_nothing_of_a_request_comes_back_before_the_token_is_right(rig: Rig) -> None:
    canary = "CANARY<script>"
    requests = [
        rig.request("GET", f"/{canary}", token=None),
        rig.request("GET", f"/api/v1/downloads/{canary}", token=None),
        rig.request("POST", "downloads", {canary: 1}, token=canary),
        rig.request("POST", "downloads", {canary: 1}, headers={"Origin": canary}),
        rig.request("POST", "downloads", {canary: 1}, headers={"Host": canary}),
        rig.request("POST", "downloads", {canary: 1}, headers={"Content-Type": canary}),
        f"{canary} / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\n{canary}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: {rig.host}\r\nX: {canary}\x00\r\n\r\n".encode(),
        b"GET /" + canary.encode() * 2000 + b" HTTP/1.1\r\n\r\n",
    ]

    for request in requests:
        answer = await rig.raw(request)
        assert b"CANARY" not in answer.body
        assert "CANARY" not in str(answer.headers)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"EHLO evil.com\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"\r\n" * 1000,
        b"\x00" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\nX: \r\n y\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_turned_away_quietly(
    rig: Rig, junk: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(junk)
    writer.write_eof()
    async with asyncio.timeout(5):
        said = await reader.read()
    writer.close()

    assert said == b"" or said.split()[1] in {b"400", b"421"}
    assert (await rig.ask("GET", "health")).status == 200
    assert [r for r in caplog.records if r.levelno > logging.DEBUG and r.exc_info] == []


async def test_ten_thousand_times_junk_leaves_nothing_behind(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """The short version: 300 pieces of random bytes."""
    rng = random.Random(28)
    for _ in range(300):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(rng.randbytes(rng.choice([1, 10, 1000, 5000])))
        if rng.random() < 0.5:
            writer.write_eof()
            await reader.read()
        writer.close()

    assert (await rig.ask("GET", "health")).status == 200
    assert [r for r in caplog.records if r.levelno > logging.DEBUG and r.exc_info] == []


async def test_bodies_up_to_256_kib_pass_and_a_byte_more_does_not(rig: Rig) -> None:
    def body(size: int) -> bytes:
        start = b'{"url":"http://example.com/a.mp4"'
        return start + b" " * (size - len(start) - 1) + b"}"

    fits = await rig.ask("POST", "downloads", raw=body(256 * 1024))
    over = await rig.ask("POST", "downloads", raw=body(256 * 1024 + 1))
    absurd = await rig.raw(
        rig.request("POST", "downloads", raw=b"", headers={"Content-Length": str(10**12)})
    )

    assert (fits.status, over.status, absurd.status) == (202, 413, 413)
    assert await rig.count() == 1


async def test_an_endless_chunked_body_ends_at_the_cap(rig: Rig) -> None:
    head = rig.request(
        "POST",
        "downloads",
        raw=b"",
        headers={"Content-Length": None, "Transfer-Encoding": "chunked"},
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head)
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()
            sent += 0x10000

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(send())
        status = await reader.readline()
        task.cancel()
    writer.close()

    assert b" 413 " in status
    assert sent < 16 * 1024 * 1024
    assert await rig.count() == 0


async def test_a_chunked_body_of_good_size_is_read(rig: Rig) -> None:
    head = rig.request(
        "POST",
        "downloads",
        raw=b"",
        headers={"Content-Length": None, "Transfer-Encoding": "chunked"},
    )

    answer = await rig.raw(
        head + b'10\r\n{"url":"http://e\r\n10\r\nxample.com/x.mp4\r\n2\r\n"}\r\n0\r\n\r\n'
    )
    broken = await rig.raw(head + b"zz\r\n{}\r\n0\r\n\r\n")

    assert (answer.status, broken.status) == (202, 400)


@pytest.mark.parametrize(
    "codings", ["gzip, chunked", "chunked, chunked", "identity, chunked", "gzip", "x"]
)
@pytest.mark.parametrize(("token", "statuses"), [("own", (400, 501)), ("wrong", (400, 401))])
async def test_a_transfer_coding_that_is_not_read_is_no_request(
    rig: Rig, codings: str, token: str, statuses: tuple[int, ...]
) -> None:
    """Two readers could find two ends of it: nothing behind it is taken for a request."""
    headers = {"Content-Length": None, "Transfer-Encoding": codings}
    head = rig.request("POST", "downloads", raw=b"", token=token, headers=headers, close=False)
    item = json.dumps(ITEM).encode()
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(item), item)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(head + body + rig.request("POST", "downloads", ITEM, close=False))
    async with asyncio.timeout(10):
        answers = await reader.read()
    writer.close()

    assert answers.count(b"HTTP/1.") == 1
    assert int(answers.split()[1]) in statuses
    assert await rig.count() == 0


async def test_a_client_that_waits_for_100_continue_gets_it(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    request = rig.request("POST", "downloads", ITEM, headers={"Expect": "100-continue"})
    head, _, body = request.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")

    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    assert b" 202 " in await reader.readline()
    writer.close()


async def test_a_refused_client_is_not_asked_for_its_body(rig: Rig) -> None:
    request = rig.request(
        "POST", "downloads", ITEM, token="wrong", headers={"Expect": "100-continue"}
    )
    head, _, _ = request.partition(b"\r\n\r\n")

    assert (await rig.raw(head + b"\r\n\r\n")).status == 401


@pytest.mark.parametrize(
    "item",
    [
        {"dir": "/tmp"}, {"path": "/tmp/x"}, {"exec": "rm"}, {"proxy": "http://x"}, {"verify": False},
        {"headers": {"Host": "evil.com"}}, {"headers": {"Content-Length": "1"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"X": "a\r\nb"}}, {"headers": {"X\r\nY": "a"}}, {"headers": {"": "a"}}, {"headers": {"X": "\0"}},
        {"referer": "http://a/\r\nX: y"}, {"user_agent": "a\nb"}, {"user_agent": "a\0b"}, {"user_agent": "日本"},
        {"referer": "x" * 65536}, {"user_agent": "x" * 65536},
        {"cookies": [{"name": "a\r\n", "value": "b", "domain": "example.com"}]},
        {"cookies": [{"name": "a", "value": "b\r\nX: y", "domain": "example.com"}]},
        {"cookies": [{"name": "a", "value": "b", "domain": "example.com", "httpOnly": True}]},
        {"checksum": "sha-256=zz"}, {"checksum": "crc32=00"}, {"segments": 0}, {"segments": 17}, {"segments": "4"},
        {"kind": "program"}, {"paused": "yes"}, {"url": 7}, {"url": None}, {"url": ["http://a/"]}, {"mirrors": ["file:///x"]},
    ],
    ids=lambda item: str(item)[:100],  # Windows bounds the variable that names the test
)  # fmt: skip
async def test_items_that_are_not_as_documented_are_refused(rig: Rig, item: dict[str, Any]) -> None:
    answer = await rig.ask("POST", "downloads", ITEM | item)

    assert answer.status == 422
    assert await rig.count() == 0


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://h/x", "data:text/plain,x", "javascript:alert(1)", "blob:https://a/b", "chrome://settings",
        "\\\\srv\\x", "http:/x", "//h/x", "http://h:0/", "http://h:99999/", "http://[::1", "", "http://", "x",
        "http://a/\r\nb", "http://a b/", "http://a/" + "x" * 70000,
    ],
)  # fmt: skip
async def test_addresses_that_cannot_be_downloaded_are_refused(rig: Rig, url: str) -> None:
    answer = await rig.ask("POST", "downloads", {"url": url})

    assert answer.status == 422
    assert await rig.count() == 0


async def test_a_password_in_the_address_is_neither_shown_nor_stored(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await rig.ask("POST", "downloads", {"url": "http://user:CANARYpw@example.com/x.mp4"})
    again = await rig.ask("GET", "downloads")
    stored = b"".join(path.read_bytes() for path in rig.db.path.parent.glob("test.db*"))

    assert answer.json()["downloads"][0]["url"] == "http://example.com/x.mp4"
    for text in (answer.body, again.body, stored, caplog.text.encode()):
        assert b"CANARY" not in text


async def test_secrets_of_an_item_are_never_answered(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    item = ITEM | {
        "headers": {"X-Key": "CANARY1"},
        "cookies": [{"name": "s", "value": "CANARY2", "domain": "example.com"}],
        "referer": "http://example.com/?CANARY3",
    }
    texts = [
        (await rig.ask("POST", "downloads", item, headers={"Idempotency-Key": "k"})).body
        for _ in range(2)
    ]
    texts += [
        (await rig.ask("GET", path)).body
        for path in ("downloads", "downloads/d1", "status", "batches")
    ]
    stored = b"".join(path.read_bytes() for path in rig.db.path.parent.glob("test.db*"))

    for text in texts:
        assert b"CANARY" not in text
    assert b"CANARY1" not in stored
    assert b"CANARY2" not in stored
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("downloads", b"{"), ("downloads", b""), ("downloads", b"\xff\xfe{}"), ("downloads", b'{"url":"\xff"}'),
        ("downloads", b"[" * 100_000), ("downloads", b'{"a":' * 50_000), ("pause", b"nonsense"),
        ("downloads", rb'{"url":"\ud83c'), ("downloads", rb'{"url":"\ud8"}'),
    ],
)  # fmt: skip
async def test_what_is_not_json_is_400(rig: Rig, path: str, body: bytes) -> None:
    answer = await rig.ask("POST", path, raw=body)

    assert (answer.status, answer.code) == (400, "bad_json")


@pytest.mark.parametrize(
    "body",
    [
        [],
        7,
        None,
        "x",
        {"items": []},
        {"items": 7},
        {"items": [ITEM], "x": 1},
        {"items": [7], "x": 1},
        {},
    ],
)
async def test_what_is_json_but_no_item_is_422_and_names_the_place(rig: Rig, body: Any) -> None:
    answer = await rig.ask("POST", "downloads", raw=json.dumps(body).encode())

    assert answer.status == 422
    assert answer.code == "bad_request"


async def test_a_header_of_its_own_deadline(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status line for slow heads is 408, and the body of that answer is whole."""
    monkeypatch.setitem(connections._DEADLINES, connections.ConnectionPhase.HEAD, 0.05)
    answer = await rig.raw(b"GET / HT")

    assert (answer.status, answer.code) == (408, "too_slow")
