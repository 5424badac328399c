"""The documented routes do what they say, through the real intake, queue and store."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.hook.library import FakeLibrary
from tests.hook.rig import EXTENSION, Answer, Rig, read_answer, running
from trayagent.agent.live_settings import LiveSettings
from trayagent.model.downloads import Download, Receipt
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import DownloadEvent, DownloadProgress, QueueEvent
from trayagent.model.library import Account, SourceInfo
from trayagent.settings import Home, change, load
from trayagent.store import downloads, transitions
from trayagent.store.transitions import Advance

ITEM = {"url": "http://example.com/a.mp4"}
STATUS = {
    "active",
    "queued",
    "paused",
    "paused_until",
    "completed",
    "failed",
    "workers",
    "speed",
    "version",
}


async def add(rig: Rig, url: str = ITEM["url"], **more: Any) -> str:
    answer = await rig.ask("POST", "downloads", {"url": url, **more})
    assert answer.status == 202
    return str(answer.json()["downloads"][0]["id"])


async def test_one_item_is_one_download_without_a_batch(rig: Rig) -> None:
    answer = await rig.ask("POST", "downloads", ITEM | {"title": "A", "kind": "video"})

    receipt = answer.json()
    assert answer.status == 202
    assert receipt["batch"] is None
    assert receipt["rejected"] == []
    assert set(receipt["downloads"][0]) == set(Download.__struct_fields__)
    assert receipt["downloads"][0]["state"] == "queued"


async def test_items_are_a_batch_and_bad_ones_do_not_block_good_ones(rig: Rig) -> None:
    items = [ITEM, {"url": "file:///etc/passwd"}, {"url": "http://example.com/b.mp4"}]
    answer = await rig.ask("POST", "downloads", {"items": items})

    receipt = answer.json()
    assert answer.status == 202
    assert len(receipt["downloads"]) == 2
    assert [(r["index"], r["code"]) for r in receipt["rejected"]] == [(1, "bad_url")]
    batch = (await rig.ask("GET", f"batches/{receipt['batch']}")).json()
    assert batch["counts"] == {"queued": 2, "rejected": 1}
    assert [line["line"] for line in batch["lines"]] == [1, 2, 3]
    assert [b["id"] for b in (await rig.ask("GET", "batches")).json()["batches"]] == [
        receipt["batch"]
    ]


@pytest.mark.parametrize(
    ("bad", "code", "told"),
    [
        ({"dir": "/tmp"}, "bad_item", "`dir`"),
        ({"url": ""}, "bad_url", "not a web address"),
        ({"url": 7}, "bad_url", "not a web address"),
        ({"url": "http://h/" + "x" * 66000}, "bad_url", "not a web address"),
        ({"kind": "program"}, "bad_item", "$.kind"),
        ({"segments": 99}, "bad_item", "$.segments"),
        ({"checksum": "foo"}, "bad_item", "$.checksum"),
        ({"cookies": [{"name": "a"}]}, "bad_item", "$.cookies"),
        (7, "bad_item", "object"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_an_item_that_is_none_does_not_block_good_ones_either(
    rig: Rig, bad: Any, code: str, told: str
) -> None:
    item = {"url": "http://me:pw@example.com/bad.mp4"} | bad if isinstance(bad, dict) else bad
    answer = await rig.ask("POST", "downloads", {"items": [ITEM, item]})

    receipt = answer.json()
    assert (answer.status, len(receipt["downloads"])) == (202, 1)
    (rejected,) = receipt["rejected"]
    assert (rejected["index"], rejected["code"]) == (1, code)
    assert told in rejected["message"]
    assert "pw" not in rejected["url"]
    if isinstance(bad, dict) and "url" not in bad:
        assert rejected["url"] == "http://example.com/bad.mp4"
    nothing = await rig.ask("POST", "downloads", {"items": [item]})
    assert (nothing.status, nothing.json()["downloads"]) == (422, [])
    assert [r["code"] for r in nothing.json()["rejected"]] == [code]


async def test_half_a_character_in_one_item_costs_that_half_only(rig: Rig) -> None:
    body = rb'{"items":[{"url":"http://h/a","title":"\ud83c"},{"url":"http://h/b","dir":"\ud83c"}]}'
    answer = await rig.ask("POST", "downloads", raw=body)
    assert (len(answer.json()["downloads"]), len(answer.json()["rejected"])) == (1, 1)
    broken = await rig.ask("POST", "downloads", raw=body.replace(b"/a", b"/\xff"))
    assert (broken.status, broken.code) == (400, "bad_json")


async def test_numbers_without_end_are_no_list_of_items(rig: Rig) -> None:
    answer = await rig.ask("POST", "downloads", raw=b'{"items":[' + b"7," * 100_000 + b"7]}")
    assert (answer.status, answer.code) == (422, "bad_request")


async def test_a_list_of_one_is_a_batch_too(rig: Rig) -> None:
    assert (await rig.ask("POST", "downloads", {"items": [ITEM]})).json()["batch"] == "b1"


async def test_nothing_accepted_is_422_with_the_reasons(rig: Rig) -> None:
    for body in ({"url": "ftp://example.com/x"}, {"items": [{"url": "ftp://example.com/x"}]}):
        answer = await rig.ask("POST", "downloads", body)
        assert answer.status == 422
        assert answer.json()["downloads"] == []
        assert [r["code"] for r in answer.json()["rejected"]] == ["bad_url"]


@pytest.mark.parametrize("folder", ["~", "~root/x", "C:x", "C:", "..", "/etc", " /etc"])
async def test_a_folder_that_is_none_of_ours_is_refused_at_once(rig: Rig, folder: str) -> None:
    """Accepted, the download would wait for a person who cannot mend it."""
    answer = await rig.ask("POST", "downloads", {**ITEM, "folder": folder})
    assert (answer.status, answer.json()["downloads"]) == (422, [])
    assert [r["code"] for r in answer.json()["rejected"]] == ["bad_item"]


async def test_the_same_url_is_never_in_flight_twice(rig: Rig) -> None:
    first = await add(rig, "http://EXAMPLE.com:80/a.mp4#x")

    assert await add(rig, "http://example.com/a.mp4") == first
    assert await rig.count() == 1


async def test_every_answer_tells_the_bytes_of_this_moment(rig: Rig) -> None:
    """They are in memory only; the row says 0 until the download is given back."""
    id = await add(rig)
    await rig.db.run(transitions.advance, Advance({downloads.number(id): 1.0}), 1.0)
    active = await rig.db.read(downloads.get, id)
    rig.bus.publish(DownloadEvent("started", active, "queued"))
    rig.bus.publish(DownloadProgress(id, 700, 1000, 50))

    again = (await rig.ask("POST", "downloads", ITEM)).json()["downloads"][0]
    resumed = (await rig.ask("POST", f"downloads/{id}/resume", {})).json()
    seen = (await rig.ask("GET", f"downloads/{id}")).json()

    assert seen["received"] == 700
    assert again == resumed == seen


TWICE = b'{"url": "http://files.example/a", "url": "http://files.example/b"}'
"""Readers differ on which of the two counts."""


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "downloads", TWICE),
        ("POST", "downloads", b'{"items": [%s]}' % TWICE),
        ("POST", "downloads", b'{"items": [{"url": "http://f.example/a"}], "items": []}'),
        ("POST", "downloads", b'{"items": [], "items": [%s]}' % TWICE),
        ("POST", "downloads", b'{"url": "http://f.example/a", "headers": {"A": "1", "A": "2"}}'),
        ("PATCH", "downloads/d1", b'{"filename": "a", "filename": "b"}'),
        ("POST", "pause", b'{"minutes": 1, "minutes": 100}'),
        ("PATCH", "config", b'{"downloads": {"workers": 1, "workers": 2}}'),
    ],
)
@pytest.mark.parametrize("keyed", [False, True])
async def test_a_key_given_twice_is_refused(
    rig: Rig, method: str, path: str, body: bytes, keyed: bool
) -> None:
    """Also where the request is one that may be repeated; nothing of it is done, nothing remembered."""
    await rig.ask("POST", "downloads", ITEM)
    headers: dict[str, str | list[str] | None] = {"Idempotency-Key": "one"} if keyed else {}
    for _ in range(2):
        answer = await rig.ask(method, path, raw=body, headers=headers)
        assert answer.status == 422
        assert "twice" in answer.body.decode()
    assert len((await rig.ask("GET", "downloads")).json()["downloads"]) == 1


async def test_a_key_given_twice_costs_that_item_only(rig: Rig) -> None:
    body = b'{"items": [%s, {"url": "http://files.example/c"}]}' % TWICE
    answer = await rig.ask("POST", "downloads", raw=body)
    assert answer.status == 202
    assert [item["url"] for item in answer.json()["downloads"]] == ["http://files.example/c"]
    (rejected,) = answer.json()["rejected"]
    assert rejected["index"] == 0
    assert "twice" in rejected["message"]


async def test_a_key_makes_a_request_repeatable(rig: Rig) -> None:
    headers: dict[str, str | list[str] | None] = {"Idempotency-Key": "one"}
    answers = [
        await rig.ask("POST", "downloads", {"items": [ITEM]}, headers=headers) for _ in range(3)
    ]
    other = await rig.ask("POST", "downloads", {"items": [ITEM, ITEM]}, headers=headers)
    new = await rig.ask("POST", "downloads", {"items": [ITEM]}, headers={"Idempotency-Key": "two"})

    assert [answer.status for answer in answers] == [202, 200, 200]
    assert {answer.json()["batch"] for answer in answers} == {"b1"}
    assert (other.status, other.code) == (409, "idempotency_key_reused")
    assert new.json()["batch"] == "b2"


async def test_a_key_belongs_to_its_sender(rig: Rig) -> None:
    _, token = await rig.paired()
    headers: dict[str, str | list[str] | None] = {"Idempotency-Key": "one"}
    await rig.ask("POST", "downloads", {"items": [ITEM]}, headers=headers)

    theirs = await rig.ask(
        "POST",
        "downloads",
        {"items": [ITEM, ITEM]},
        token=token,
        headers=headers | {"Origin": EXTENSION},
    )

    assert theirs.status == 202


async def test_many_at_once_with_one_key_are_one_request(rig: Rig) -> None:
    request = rig.request(
        "POST", "downloads", {"items": [ITEM]}, headers={"Idempotency-Key": "same"}
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(rig.raw(request)) for _ in range(20)]

    assert sorted(task.result().status for task in tasks) == [200] * 19 + [202]
    assert {task.result().json()["batch"] for task in tasks} == {"b1"}


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "é", ["a", "b"]])
async def test_odd_keys_are_refused(rig: Rig, key: str | list[str]) -> None:
    answer = await rig.ask("POST", "downloads", ITEM, headers={"Idempotency-Key": key})

    assert (answer.status, answer.code) == (422, "bad_key")


async def test_who_asks_decides_what_it_came_by(rig: Rig) -> None:
    _, token = await rig.paired()
    session = await rig.agent.clients.begin_session(rig.agent.clients.issue_session_code())
    ways: list[tuple[str, dict[str, Any]]] = [
        ("hook", {"headers": {"User-Agent": "curl/8"}}),
        ("cli", {"headers": {"User-Agent": "trayagent-cli/0.1"}}),
        (
            "extension",
            {"token": token, "headers": {"Origin": EXTENSION, "User-Agent": "trayagent-cli/0.1"}},
        ),
        ("page", {"token": session, "headers": {"Origin": rig.origin}}),
    ]

    for via, more in ways:
        answer = await rig.ask("POST", "downloads", {"url": f"http://example.com/{via}"}, **more)
        assert answer.json()["downloads"][0]["via"] == via


async def test_a_download_is_paused_resumed_cancelled_retried_and_removed(rig: Rig) -> None:
    id = await add(rig)
    steps = [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "queued"),
        ("cancel", "cancelled"),
        ("retry", "queued"),
    ]
    for verb, state in steps:
        answer = await rig.ask("POST", f"downloads/{id}/{verb}")
        assert (answer.status, answer.json()["state"]) == (200, state)

    wrong = await rig.ask("POST", f"downloads/{id}/retry", {})
    assert wrong.status == 200  # it is queued already: asking for what holds
    assert (await rig.ask("POST", f"downloads/{id}/cancel", {})).status == 200
    conflict = await rig.ask("POST", f"downloads/{id}/pause", {})
    assert (conflict.status, conflict.code) == (409, "wrong_state")
    assert (await rig.ask("DELETE", f"downloads/{id}?files=true")).status == 200
    assert (await rig.ask("GET", f"downloads/{id}")).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "downloads/d99",
        "downloads/x",
        "downloads/d",
        "downloads/d1e9",
        "downloads/%00",
        "batches/b9",
    ],
)
async def test_what_is_not_there_is_404(rig: Rig, path: str) -> None:
    answer = await rig.ask("GET", path)

    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_fresh_link_keeps_the_download(rig: Rig) -> None:
    id = await add(rig)
    answer = await rig.ask("PATCH", f"downloads/{id}", {"url": "http://example.com/b.mp4?sig=1"})

    assert (answer.status, answer.json()["id"]) == (200, id)
    assert answer.json()["url"] == "http://example.com/b.mp4?sig=1"
    for body, status in (({}, 422), ({"url": "ftp://x/"}, 422), ({"state": "completed"}, 422)):
        assert (await rig.ask("PATCH", f"downloads/{id}", body)).status == status


async def test_other_words_for_the_same_file(rig: Rig) -> None:
    """Cookies and headers are never told back; a secret where there is none to be is refused by its field."""
    id = await add(rig)
    cookie = {"name": "sid", "value": "CANARY", "domain": "example.com"}
    words = {
        "cookies": [cookie],
        "headers": {"X-Key": "CANARY"},
        "referer": "http://example.com/",
        "speed_limit": "1MB",
        "segments": 4,
        "filename": "b.mp4",
        "folder": "clips",
    }
    answer = await rig.ask("PATCH", f"downloads/{id}", words)

    assert (answer.status, answer.json()["filename"]) == (200, "b.mp4")
    assert answer.json()["state"] == "queued"
    assert b"CANARY" not in answer.body
    for wrong in ({"segments": 17}, {"folder": "../x"}, {"headers": {"Host": "x"}}, {"cookies": 1}):
        assert (await rig.ask("PATCH", f"downloads/{id}", wrong)).status == 422


async def test_downloads_are_listed_in_pages(rig: Rig) -> None:
    for n in range(5):
        await add(rig, f"http://example.com/{n}.mp4", paused=n % 2 == 1)

    first = (await rig.ask("GET", "downloads?limit=2")).json()
    second = (await rig.ask("GET", f"downloads?limit=2&after={first['next']}")).json()
    paused = (await rig.ask("GET", "downloads?state=paused")).json()
    both = (await rig.ask("GET", "downloads?state=paused,queued&q=example")).json()
    found = (await rig.ask("GET", "downloads?q=3.mp4")).json()

    assert [d["id"] for d in first["downloads"] + second["downloads"]] == ["d5", "d4", "d3", "d2"]
    assert [d["id"] for d in paused["downloads"]] == ["d4", "d2"]
    assert len(both["downloads"]) == 5
    assert both["next"] is None
    assert [d["id"] for d in found["downloads"]] == ["d4"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "state=done",
        "sate=failed",
        "limit=1&limit=2",
        "q=" + "x" * 501,
    ],
)
async def test_a_query_that_means_nothing_is_refused(rig: Rig, query: str) -> None:
    answer = await rig.ask("GET", f"downloads?{query}")

    assert (answer.status, answer.code) == (422, "bad_query")


async def test_a_title_that_was_cut_inside_an_emoji_costs_half_a_character(rig: Rig) -> None:
    """JSON.stringify writes half a surrogate pair as an escape, which is no reason to refuse the rest."""
    item = rb'{"url":"http://example.com/a.mp4","filename":"\ud83c\udf27 \\ud83c \ud83c.mp4"}'
    wrong = rb'{"url":"http://example.com/a.mp4","filname":"\ud83c"}'

    first = await rig.ask("POST", "downloads", raw=item)
    several = await rig.ask("POST", "downloads", raw=b'{"items":[' + item + b"]}")
    refused = await rig.ask("POST", "downloads", raw=wrong)

    assert (first.status, several.status) == (202, 202)
    assert (refused.status, refused.code) == (422, "bad_request")


async def test_the_whole_queue_is_paused_and_resumed(rig: Rig) -> None:
    for_a_while = (await rig.ask("POST", "pause", {"minutes": 30})).json()
    resumed = (await rig.ask("POST", "resume", {})).json()
    for_ever = (await rig.ask("POST", "pause")).json()

    assert set(for_a_while) == STATUS
    assert for_a_while["paused"]
    assert for_a_while["paused_until"].endswith("Z")
    assert (resumed["paused"], resumed["paused_until"]) == (False, None)
    assert (for_ever["paused"], for_ever["paused_until"]) == (True, None)
    for body in (
        {"minutes": 0},
        {"minutes": -1},
        {"minutes": 0.5},
        {"minutes": "30"},
        {"minutes": 1e400},
        {"hours": 1},
    ):
        assert (await rig.ask("POST", "pause", body)).status in {400, 422}


async def test_finished_rows_are_cleared(rig: Rig) -> None:
    await rig.ask("POST", f"downloads/{await add(rig)}/cancel")
    await add(rig, "http://example.com/b.mp4")

    assert (await rig.ask("POST", "clear", {})).json() == {"removed": 1}
    assert await rig.count() == 1


async def test_a_store_that_cannot_save_is_503_and_no_202(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: Any, **more: Any) -> None:
        raise StoreUnavailableError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "run", full)
        answer = await rig.ask("POST", "downloads", ITEM)

    assert (answer.status, answer.code) == (503, "store_unavailable")
    assert (await rig.ask("POST", "downloads", ITEM)).status == 202


async def test_a_fault_of_ours_is_500_and_says_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*args: Any) -> None:
        raise RuntimeError("CANARY")

    monkeypatch.setattr(rig.agent.queries, "download", broken)
    answer = await rig.ask("GET", "downloads/d1")

    assert (answer.status, answer.code) == (500, "internal")
    assert b"CANARY" not in answer.body
    assert "CANARY" in caplog.text


async def test_the_confirm_page_adds_once_with_its_nonce(rig: Rig) -> None:
    page = (await rig.ask("GET", "/send", token=None)).body.decode()
    nonce = page.partition('name="nonce" content="')[2].partition('"')[0]
    headers: dict[str, str | list[str] | None] = {
        "Origin": rig.origin,
        "Sec-Fetch-Site": "same-origin",
    }
    body = {"nonce": nonce, "url": "http://192.168.1.7/film.mp4", "title": "F" * 5000}

    first = await rig.ask("POST", "confirm", body, token=None, headers=headers)
    again = await rig.ask("POST", "confirm", body, token=None, headers=headers)
    without = await rig.ask(
        "POST", "confirm", {"url": "http://a.example/"}, token=None, headers=headers
    )
    evil = await rig.ask(
        "POST", "confirm", body, token=None, headers={"Origin": "https://evil.com"}
    )

    assert first.status == 202
    assert first.json()["downloads"][0]["via"] == "page"
    assert [(a.status, a.code) for a in (again, without)] == [(403, "bad_nonce")] * 2
    assert evil.status == 403
    assert await rig.count() == 1


async def test_a_nonce_survives_a_store_that_could_not_save(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: Any, **more: Any) -> None:
        raise StoreUnavailableError("The disk is full.")

    page = (await rig.ask("GET", "/send", token=None)).body.decode()
    body = {"nonce": page.partition('name="nonce" content="')[2].partition('"')[0], **ITEM}
    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "run", full)
        failed = await rig.ask("POST", "confirm", body, token=None, headers={"Origin": rig.origin})
    again = await rig.ask("POST", "confirm", body, token=None, headers={"Origin": rig.origin})

    assert (failed.status, again.status) == (503, 202)


async def test_pairing_from_code_to_revocation(rig: Rig) -> None:
    code = (await rig.ask("POST", "clients/codes", {})).json()
    origin: dict[str, str | list[str] | None] = {"Origin": EXTENSION}
    asked = {"code": code["code"], "name": "Chromium on Linux"}

    web = await rig.ask("POST", "pair", asked, token=None, headers={"Origin": "https://evil.com"})
    paired = await rig.ask("POST", "pair", asked, token=None, headers=origin)
    again = await rig.ask("POST", "pair", asked, token=None, headers=origin)
    client, token = paired.json()["client"], paired.json()["token"]
    hello = await rig.ask(
        "POST", "hello", {"client": client, "nonce": "n" * 32}, token=None, headers=origin
    )
    used = await rig.ask("POST", "downloads", ITEM, token=token, headers=origin)
    listed = (await rig.ask("GET", "clients")).json()["clients"]
    revoked = await rig.ask("DELETE", f"clients/{client}")
    after = await rig.ask("POST", "downloads", ITEM, token=token, headers=origin)
    unpaired = await rig.ask("POST", "downloads", ITEM, token=token)

    assert code["url"] == f"http://127.0.0.1:{rig.port}/pair#code={code['code']}"
    assert (web.status, paired.status, again.status) == (403, 200, 403)
    assert hello.json() == {
        "proof": hmac.new(
            token.encode(), f"{rig.host}\n{'n' * 32}".encode(), hashlib.sha256
        ).hexdigest()
    }
    assert used.status == 202
    assert [(c["id"], c["name"], c["origin"]) for c in listed] == [
        (client, "Chromium on Linux", EXTENSION)
    ]
    assert listed[0]["last_seen"] is not None
    assert revoked.status == 200
    assert after.status in {401, 403}
    assert unpaired.status == 401
    assert (await rig.ask("DELETE", f"clients/{client}")).status == 404


async def test_a_pairing_code_ends_after_two_minutes(rig: Rig) -> None:
    code = (await rig.ask("POST", "clients/codes", {})).json()["code"]
    rig.clock.now += 121

    answer = await rig.ask(
        "POST", "pair", {"code": code, "name": "x"}, token=None, headers={"Origin": EXTENSION}
    )

    assert (answer.status, answer.code) == (403, "bad_code")
    assert (await rig.ask("GET", "clients")).json() == {"clients": []}


async def test_an_extension_is_not_the_owner(rig: Rig) -> None:
    client, token = await rig.paired()
    asks = f"""POST quit, GET config, PATCH config, GET clients, POST clients/codes, POST sessions/codes,
        DELETE clients/{client}, POST token, POST pause, POST resume, POST clear, GET status, GET events,
        GET batches, POST batches/b1/undo, GET sources, POST sources/flow/sync, POST verify, GET openapi.json,
        POST sources, POST sources/flow/login, POST sources/flow/logout"""

    for method, path in (ask.split() for ask in asks.split(",")):
        body: Any = None if method in {"GET", "DELETE"} else {}
        answer = await rig.ask(method, path, body, token=token, headers={"Origin": EXTENSION})
        assert (answer.status, answer.code) == (403, "owner_only")
    assert rig.quits == []


async def test_an_extension_sees_and_steers_only_what_it_sent(rig: Rig) -> None:
    _, token = await rig.paired()
    _, other = await rig.paired("moz-extension://other")
    origin = {"Origin": EXTENSION}
    mine = await add(rig, "http://example.com/cli.mp4")
    key: dict[str, str | list[str] | None] = {**origin, "Idempotency-Key": "one"}

    async def asked(method: str, path: str, body: Any = None, **headers: Any) -> Answer:
        return await rig.ask(method, path, body, token=token, headers={**origin, **headers})

    shared = await asked("POST", "downloads", {"url": "http://example.com/cli.mp4"})
    sent = [
        (await rig.ask("POST", "downloads", {"url": url}, token=token, headers=headers)).json()
        for url, headers in (
            ("http://example.com/1.mp4", key),
            ("http://example.com/2.mp4", origin),
        )
    ]
    one, two = (receipt["downloads"][0]["id"] for receipt in sent)

    assert shared.json()["downloads"][0]["id"] == mine
    listed = (await asked("GET", "downloads")).json()["downloads"]
    assert [download["id"] for download in listed] == [two, one]
    first = (await asked("GET", "downloads?limit=1")).json()
    rest = (await asked("GET", f"downloads?limit=1&after={first['next']}")).json()
    assert [page["downloads"][0]["id"] for page in (first, rest)] == [two, one]
    assert (await asked("GET", "downloads?state=paused")).json()["downloads"] == []
    for method, path in (
        ("GET", f"downloads/{mine}"),
        ("DELETE", f"downloads/{mine}"),
        ("POST", f"downloads/{mine}/cancel"),
        ("GET", "downloads/d99"),
    ):
        assert (await asked(method, path, {} if method == "POST" else None)).status == 404
    stranger: dict[str, Any] = {"token": other, "headers": {"Origin": "moz-extension://other"}}
    assert (await rig.ask("GET", f"downloads/{one}", **stranger)).status == 404
    assert (await asked("POST", f"downloads/{one}/pause", {})).json()["state"] == "paused"
    assert (await asked("DELETE", f"downloads/{one}?files=true")).code == "owner_only"
    assert (await asked("DELETE", f"downloads/{one}")).status == 200
    assert [d["id"] for d in (await asked("GET", "downloads")).json()["downloads"]] == [two]


async def test_the_dashboard_opens_with_a_code_and_no_cookie(rig: Rig) -> None:
    code = (await rig.ask("POST", "sessions/codes", {})).json()
    own: dict[str, str | list[str] | None] = {"Origin": rig.origin, "Sec-Fetch-Site": "same-origin"}

    opened = await rig.ask("POST", "sessions", {"code": code["code"]}, token=None, headers=own)
    again = await rig.ask("POST", "sessions", {"code": code["code"]}, token=None, headers=own)
    status = await rig.ask(
        "GET", "status", token=opened.json()["token"], headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert code["url"] == f"http://127.0.0.1:{rig.port}/#code={code['code']}"
    assert (opened.status, again.status, status.status) == (200, 403, 200)
    assert "set-cookie" not in opened.headers


async def test_the_machine_token_is_rotated(rig: Rig) -> None:
    old = rig.own.value

    assert (await rig.ask("POST", "token", {})).status == 200
    assert (await rig.ask("GET", "status", token=old)).status == 401
    assert (await rig.ask("GET", "status", token=(rig.own.path).read_text())).status == 200


async def test_quit_answers_and_quits(rig: Rig) -> None:
    assert (await rig.ask("POST", "quit", {})).status == 202
    assert rig.quits == [1]


async def test_hello_proves_the_agent_to_the_command_line(rig: Rig) -> None:
    answer = await rig.ask("POST", "hello", {"client": "local", "nonce": "12345678"}, token=None)
    unknown = await rig.ask("POST", "hello", {"client": "c0", "nonce": "12345678"}, token=None)

    assert (
        answer.json()["proof"]
        == hmac.new(
            rig.own.value.encode(), f"{rig.host}\n12345678".encode(), hashlib.sha256
        ).hexdigest()
    )
    assert unknown.status == 404


async def test_events_stream_to_several_listeners_and_go_on_where_one_was(rig: Rig) -> None:
    async def listen(
        last_id: str | None = None,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(rig.request("GET", "events", headers={"Last-Event-ID": last_id}))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in head
        assert b"no-store" in head
        await reader.readuntil(b"\n\n")
        return reader, writer

    first, second = await listen(), await listen()
    await add(rig)
    blocks = [(await reader.readuntil(b"\n\n")).decode() for reader, _ in (first, second)]
    first[1].close()
    mark = blocks[0].partition("id: ")[2].partition("\n")[0]
    rig.bus.publish(QueueEvent("paused"))
    third = await listen(mark)
    missed = (await third[0].readuntil(b"\n\n")).decode()
    lost = await listen("elsewhere-7")
    reset = (await lost[0].readuntil(b"\n\n")).decode()
    for _, writer in (second, third, lost):
        writer.close()

    assert all("event: download.queued\n" in block for block in blocks)
    assert json.loads(blocks[0].partition("data: ")[2].partition("\n")[0])["id"] == "d1"
    assert "event: queue.paused" in missed
    assert "event: reset" in reset


@asynccontextmanager
async def listening(rig: Rig, *tokens: str) -> AsyncIterator[list[asyncio.StreamReader]]:
    """An open stream of events for each of the tokens."""
    streams = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in tokens]
    for token, (reader, writer) in zip(tokens, streams, strict=True):
        writer.write(rig.request("GET", "events", token=token))
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"\n\n")
    yield [reader for reader, _ in streams]
    for _, writer in streams:
        writer.close()


async def test_a_stream_ends_with_the_token_that_opened_it(rig: Rig) -> None:
    """Revoked means at once, also for who came in before."""
    clients = rig.agent.clients
    token, session = [await clients.begin_session(clients.issue_session_code()) for _ in range(2)]
    caller = clients.recognise(token)
    assert caller is not None

    async with (
        listening(rig, token, rig.own.value, session) as (revoked, own, dashboard),
        asyncio.timeout(5),
    ):
        assert (await rig.ask("DELETE", f"clients/{caller.id}")).status == 200
        assert b"data:" not in await revoked.read()
        rig.bus.publish(QueueEvent("paused"))
        for reader in (own, dashboard):
            assert b"event: queue.paused" in await reader.readuntil(b"\n\n")
        assert (await rig.ask("POST", "token", {})).status == 200
        for reader in (own, dashboard):
            assert b"data:" not in await reader.read()


async def test_a_stream_ends_also_where_the_store_cannot_note_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever revokes learns that it will not last; until the next start it holds all the same."""

    async def full(*args: Any, **more: Any) -> None:
        raise StoreUnavailableError("The disk is full.")

    clients = rig.agent.clients
    tokens = [await clients.begin_session(clients.issue_session_code()) for _ in range(3)]
    caller = clients.recognise(tokens[0])
    assert caller is not None

    monkeypatch.setattr(rig.db, "run", full)
    async with listening(rig, *tokens) as (revoked, *others), asyncio.timeout(5):
        answer = await rig.ask("DELETE", f"clients/{caller.id}")
        assert (answer.status, answer.code) == (503, "store_unavailable")
        assert b"data:" not in await revoked.read()
        assert (await rig.ask("POST", "token", {})).status == 503
        for reader in others:
            assert b"data:" not in await reader.read()
    assert [(await rig.ask("GET", "status", token=token)).status for token in tokens] == [401] * 3


async def test_listeners_that_leave_are_forgotten(rig: Rig) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(rig.request("GET", "events"))
        await reader.readuntil(b"\n\n")
        writer.close()
        await writer.wait_closed()
    rig.bus.publish(QueueEvent("paused"))

    async with asyncio.timeout(5):
        while "0 listeners" not in repr(rig.ring):
            await rig.ask("GET", "health")


async def test_the_settings_are_read_and_changed_by_the_owner(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[Any] = []

    async def change(wanted: Any) -> Any:
        changes.append(wanted)
        return rig.agent.live_settings.config

    monkeypatch.setattr(rig.agent.live_settings, "change", change)
    config = (await rig.ask("GET", "config")).json()
    answer = await rig.ask("PATCH", "config", {"downloads": {"workers": 2}})

    assert config["downloads"]["workers"] == 4
    assert answer.status == 200
    assert changes == [{"downloads": {"workers": 2}}]
    assert (await rig.ask("PATCH", "config", {"downloads": 7})).status == 422


async def test_sources_items_syncs_and_thumbnails(tmp_path: Path) -> None:
    library = FakeLibrary()
    async with running(tmp_path, library) as rig:
        assert (await rig.ask("GET", "sources")).json()["sources"][0]["items"] == 2
        assert (await rig.ask("GET", "sources/flow")).json()["signed_in"] is True
        assert (await rig.ask("GET", "sources/none")).status == 404
        page = (await rig.ask("GET", "sources/flow/items?state=missing&limit=5")).json()
        assert (page["items"][0]["name"], page["next"]) == ("a b/c", "more")
        assert library.calls.pop() == (
            "flow",
            {"state": "missing", "limit": 5, "after": None, "new": False},
        )
        started = await rig.ask("POST", "sources/flow/sync", {"list_only": True})
        running_already = await rig.ask("POST", "sources/flow/sync")
        assert (started.status, running_already.status, started.json()) == (202, 200, {"run": "r1"})
        some = await rig.ask("POST", "sources/flow/download", {"names": ["a", "nope"]})
        none = await rig.ask("POST", "sources/flow/download", {"names": ["nope"], "folder": "x"})
        assert (some.status, some.json()) == (202, {"batch": "b1", "unknown": ["nope"]})
        assert (none.status, none.json()) == (422, {"batch": None, "unknown": ["nope"]})
        picture = await rig.ask("GET", "sources/flow/items/a%20b%2Fc/thumbnail")
        assert (picture.headers["content-type"], picture.body) == ("image/jpeg", b"\xff\xd8jpeg")
        assert library.calls.pop() == ("flow", "a b/c")


async def test_a_source_is_tried_before_it_is_saved(tmp_path: Path) -> None:
    async with running(tmp_path, FakeLibrary()) as rig:
        bad = await rig.ask("POST", "sources", {"source": {"name": "Bad Name"}})
        locked = await rig.ask("POST", "sources", {"source": {"name": "flow"}})
        fine = await rig.ask("POST", "sources", {"source": {"name": "flow"}, "secret": "CANARY"})

    assert (bad.status, bad.code) == (422, "bad_config")
    assert (locked.status, locked.json()["error"]["code"]) == (200, "needs_login")
    assert (fine.json()["account"], len(fine.json()["items"])) == ("me", 1)
    assert b"CANARY" not in fine.body


async def test_sources_added_at_once_are_all_kept_and_one_that_failed_takes_none_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library(FakeLibrary):
        async def source(self, name: str) -> SourceInfo:
            return SourceInfo(name, "flow", None, signed_in=False)

        async def sign_in(self, name: str, text: str) -> Account:
            raise DownloadError("needs_login")

    home, names = Home.under(tmp_path), [f"s{n}" for n in range(4)]
    async with running(tmp_path, Library()) as rig:
        live_settings = LiveSettings(load(home, {}), partial(change, home, {}))
        monkeypatch.setattr(rig.agent, "live_settings", live_settings)
        bodies: list[Any] = [{"source": {"name": name}, "save": True} for name in names]
        bodies.append({"source": {"name": "bad"}, "save": True, "secret": "CANARY"})
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(rig.ask("POST", "sources", body), name="add") for body in bodies
            ]
        *added, failed = [task.result() for task in asked]

    assert [answer.status for answer in added] == [201] * 4
    assert failed.code == "needs_login"
    written = tomllib.loads((tmp_path / "config.toml").read_text())["sources"]
    assert sorted(source["name"] for source in written) == names


async def test_a_source_is_signed_in_and_out(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        signed_in = await rig.ask("POST", "sources/flow/login", {"secret": "CANARY"})
        signed_out = await rig.ask("POST", "sources/flow/logout", {})
        unknown = await rig.ask("POST", "sources/none/login", {"secret": "CANARY"})

    assert (signed_in.status, signed_in.json()["account"]) == (200, "me")
    assert (signed_out.status, unknown.status) == (200, 404)


async def test_a_batch_is_undone(rig: Rig) -> None:
    items = [{"url": f"http://example.com/{n}.mp4"} for n in range(3)]
    batch = (await rig.ask("POST", "downloads", {"items": items})).json()["batch"]

    undone = await rig.ask("POST", f"batches/{batch}/undo", {})

    assert (undone.status, undone.json()["counts"]) == (200, {"cancelled": 3})
    assert (await rig.ask("POST", "batches/b9/undo", {})).status == 404


async def test_what_was_saved_is_verified(tmp_path: Path) -> None:
    library = FakeLibrary()
    async with running(tmp_path, library) as rig:
        started = await rig.ask("POST", "verify", {"repair": True})
        report = await rig.ask("GET", "verify")
        stopped = await rig.ask("DELETE", "verify")

    assert (started.status, report.json()["ok"], stopped.status) == (202, 2, 200)
    assert library.calls == [True, "cancelled"]


async def test_an_answer_is_what_its_type_says(rig: Rig) -> None:
    answer = await rig.ask("POST", "downloads", ITEM)

    assert msgspec.json.decode(answer.body, type=Receipt, strict=True).downloads[0].id == "d1"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_connection_is_kept_between_requests(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    for _ in range(3):
        writer.write(rig.request("GET", "status", close=False))
        assert (await read_answer(reader)).status == 200
    writer.close()
