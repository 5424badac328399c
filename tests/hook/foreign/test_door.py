"""Who is let in by aria2's and MeTube's ways, who is not, and what a refusal costs."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import aiohttp
import pytest

from tests.hook.foreign.rig import ADDRESS, EXTENSION, ForeignRig
from trayagent.hook.foreign import rpc
from trayagent.hook.foreign.methods import METHODS
from trayagent.hook.foreign.rpc import (
    CALLS_PER_TURN,
    MOST_CALLS,
    MOST_MESSAGE_BYTES,
    WRONG_TOKEN_SECONDS,
    RpcSession,
)
from trayagent.hook.foreign.sockets import RpcSockets

PAGES = ("https://evil.example", "null", "http://127.0.0.1:9", "http://localhost:8090", "file://")
FORMS = ("text/plain", "application/x-www-form-urlencoded", "application/json", None)


async def test_no_page_adds_a_download_even_with_the_secret(foreign: ForeignRig) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    for origin in PAGES:
        for kind in FORMS:
            headers = {"Origin": origin, "Content-Type": kind}
            body = {"url": ADDRESS}
            answers = [
                await foreign.post(foreign.message("addUri", [ADDRESS]), **headers),
                await foreign.rig.ask(
                    "POST", f"{metube.url}add", body, token=None, headers=headers
                ),
            ]
            told = [(answer.status, answer.code, answer.cors) for answer in answers]
            assert told == [(403, "wrong_origin", [])] * 2, (origin, kind)
    # A picture, a script or a link has no Origin, but says where it comes from.
    for path in ("/jsonrpc", f"{metube.url}history"):
        headers = {"Sec-Fetch-Site": "cross-site", "Upgrade": "websocket"}
        assert (await foreign.rig.ask("GET", path, token=None, headers=headers)).status == 403

    assert await foreign.rig.count() == 0


async def test_no_page_opens_a_socket(foreign: ForeignRig) -> None:
    for origin in PAGES:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with foreign.socket(Origin=origin):
                pass
        assert refused.value.status == 403


async def test_a_get_and_jsonp_are_refused(foreign: ForeignRig) -> None:
    address = "/jsonrpc?method=aria2.getVersion&id=1&params=W10=&jsoncallback=cb"
    answer = await foreign.rig.ask("GET", address, token=None)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


async def test_an_extension_is_let_in_without_pairing_and_may_read_the_answer(
    foreign: ForeignRig,
) -> None:
    answer = await foreign.post(foreign.message("getVersion"), Origin=EXTENSION)
    asked = {
        "Origin": EXTENSION,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = await foreign.rig.ask("OPTIONS", "/jsonrpc", token=None, headers=asked)

    assert answer.headers["access-control-allow-origin"] == EXTENSION
    assert "access-control-allow-credentials" not in answer.headers
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, EXTENSION)


async def test_the_machines_own_token_is_no_secret_here_and_the_secret_no_token_there(
    foreign: ForeignRig,
) -> None:
    own = f"token:{foreign.rig.own.value}"
    answer = await foreign.post(foreign.message("getVersion", token=own))
    there = await foreign.rig.ask("GET", "downloads", token=foreign.connection.secret)

    assert answer.json()["error"] == {"code": 1, "message": "Unauthorized"}
    assert there.status == 401


async def test_a_secret_of_metube_opens_only_metube(foreign: ForeignRig) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    token = f"token:{metube.secret}"
    answer = await foreign.post(foreign.message("getVersion", token=token))
    path = f"/metube/{foreign.connection.secret}/version"

    assert answer.status == 400
    assert (await foreign.rig.ask("GET", path, token=None)).status == 404
    assert (await foreign.rig.ask("GET", f"{metube.url}version", token=None)).status == 200


async def test_ten_thousand_wrong_tokens_in_one_message_cost_one_delay(
    foreign: ForeignRig,
) -> None:
    calls = [
        {"methodName": "aria2.getVersion", "params": [f"token:wrong{number}"]}
        for number in range(10_000)
    ]
    calls.append({"methodName": "aria2.getVersion", "params": []})
    began = time.monotonic()
    answer = await foreign.post({"id": 1, "method": "system.multicall", "params": [calls]})
    took = time.monotonic() - began

    assert answer.json()["result"] == [{"code": 1, "message": "Unauthorized"}] * 10_001
    assert WRONG_TOKEN_SECONDS <= took < 4 * WRONG_TOKEN_SECONDS
    # It counts as one guess: ten are answered before the own token's guesses are slowed.
    assert foreign.rig.agent.clients.guesses.wait_seconds == 0


async def test_a_right_token_is_never_slowed(foreign: ForeignRig) -> None:
    wrong = foreign.message("getVersion", token="token:wrong")
    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(foreign.post(wrong), name=f"wrong {number}")
    began = time.monotonic()

    await foreign.call("getVersion")
    assert time.monotonic() - began < WRONG_TOKEN_SECONDS


async def test_a_revoked_secret_is_worth_nothing_at_once_and_its_socket_ends(
    foreign: ForeignRig,
) -> None:
    other = await foreign.rig.agent.clients.connect("aria2", "Another", "")
    async with foreign.socket() as ended, foreign.socket() as stays:
        await ended.send_json(foreign.message("getVersion"))
        await stays.send_json(foreign.message("getVersion", token=f"token:{other.secret}"))
        assert "result" in await ended.receive_json()
        assert "result" in await stays.receive_json()

        revoked = await foreign.rig.ask("DELETE", f"clients/{foreign.connection.client}")
        message = await asyncio.wait_for(ended.receive(), 2)
        await stays.send_json(foreign.message("getVersion", token=f"token:{other.secret}"))

        assert revoked.status == 200
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
        assert "result" in await stays.receive_json()
    assert (await foreign.post(foreign.message("getVersion"))).status == 400


async def test_a_socket_without_a_valid_token_hears_nothing(foreign: ForeignRig) -> None:
    async with foreign.socket() as mute, foreign.socket() as welcome:
        await mute.send_json(foreign.message("getVersion", token="token:wrong"))
        assert (await mute.receive_json())["error"]["message"] == "Unauthorized"
        await mute.send_json(foreign.message("system.listMethods", token=None))
        assert "aria2.addUri" in (await mute.receive_json())["result"]
        await welcome.send_json(foreign.message("getVersion"))
        await welcome.receive_json()

        gid = await foreign.add()
        await foreign.call("pause", gid)

        told = {"jsonrpc": "2.0", "method": "aria2.onDownloadPause", "params": [{"gid": gid}]}
        assert await welcome.receive_json() == told
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(mute.receive(), 0.3)


async def test_an_answer_comes_before_the_notes_of_what_it_did(foreign: ForeignRig) -> None:
    gid = await foreign.add()
    async with foreign.socket() as socket:
        await socket.send_json(foreign.message("pause", gid))
        first, second = await socket.receive_json(), await socket.receive_json()

    assert first["result"] == gid
    assert second["method"] == "aria2.onDownloadPause"


async def test_too_much_is_not_read(foreign: ForeignRig) -> None:
    body = json.dumps(foreign.message("getVersion", "x" * MOST_MESSAGE_BYTES)).encode()
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    large = {"url": ADDRESS, "more": "x" * (256 * 1024)}

    assert (await foreign.post(body)).status == 413
    assert (await foreign.rig.ask("POST", f"{metube.url}add", large, token=None)).status == 413
    async with foreign.socket() as socket:
        await socket.send_str(body.decode())
        assert (await socket.receive()).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_one_message_cannot_ask_for_everything_again_and_again(foreign: ForeignRig) -> None:
    for number in range(60):
        await foreign.add(f"http://example.com/{number}")
    calls = [{"methodName": "aria2.tellWaiting", "params": [foreign.token, 0, 1000]}] * 300
    results = await foreign.call_raw(calls)

    assert len(results[0][0]) == 60
    assert "10,000" in results[-1]["message"]


async def test_a_message_of_a_million_calls_is_refused_as_a_whole(foreign: ForeignRig) -> None:
    # Each would be answered with an error many times as long: hundreds of megabytes, for no token at all.
    many = b"[" + b"0," * 1_000_000 + b"0]"
    several = {"id": 1, "method": "system.multicall", "params": [[0] * (MOST_CALLS // 2)]}
    batch = (await foreign.post(many)).json()
    multicall = (
        await foreign.post(b'{"id":1,"method":"system.multicall","params":[' + many + b"]}")
    ).json()
    together = (await foreign.post([several, several])).json()

    assert "20,000" in batch["error"]["message"]
    assert "20,000" in multicall["error"]["message"]
    assert ["error" in one for one in together] == [False, True]


async def test_a_batch_gives_others_their_turn(foreign: ForeignRig) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    calls = [{"id": 1, "method": "system.listMethods"}] * 1000
    session = RpcSession(foreign.rig.agent, "run")
    async with asyncio.TaskGroup() as group:
        counting = group.create_task(count_turns(), name="count turns")
        told = await rpc.answer(json.dumps(calls).encode(), session, METHODS)
        counting.cancel()

    assert len(told.content) == 1000
    assert turns >= 1000 // CALLS_PER_TURN - 1


@pytest.mark.parametrize("key", ["", "short", "A" * 5000])
async def test_a_handshake_with_a_wrong_key_is_refused(foreign: ForeignRig, key: str) -> None:
    headers: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    told = await foreign.rig.ask("GET", "/jsonrpc", token=None, headers=headers)

    assert (told.status, told.code) == (400, "bad_handshake")


async def test_headers_without_end_are_refused_at_once(foreign: ForeignRig) -> None:
    options = {"header": [f"X{number}: 1" for number in range(20_000)]}
    told = await foreign.fail("addUri", [ADDRESS], options)

    assert told == "We encountered a problem while processing the option '--header'."


async def test_many_sockets_make_room_the_mute_ones_first(foreign: ForeignRig) -> None:
    async with aiohttp.ClientSession() as session:
        address = f"{foreign.rig.origin}/jsonrpc"
        first = await session.ws_connect(address)
        await first.send_json(foreign.message("getVersion"))
        await first.receive_json()
        mute = [await session.ws_connect(address) for _ in range(40)]
        ended = await asyncio.wait_for(mute[0].receive(), 2)
        await first.send_json(foreign.message("getVersion"))

        assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
        assert "result" in await first.receive_json()


async def test_no_secret_reaches_the_log(
    foreign: ForeignRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    await foreign.call("getVersion")
    await foreign.post(b"{" + foreign.token.encode())
    await foreign.rig.ask("POST", f"{metube.url}add", {"url": "http://"}, token=None)
    await foreign.rig.ask("PUT", f"{metube.url}add", token=None)
    await foreign.rig.ask("GET", f"{metube.url}nothing", token=None)

    said = caplog.text + repr(metube) + repr(foreign.connection) + repr(RpcSockets)
    assert foreign.connection.secret not in said
    assert metube.secret not in said
