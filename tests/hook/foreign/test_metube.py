"""What MeTube's clients say is understood, in both forms, and answered as MeTube answers."""

from __future__ import annotations

import json
from typing import Any

from tests.hook.foreign.replay import RECORDINGS, unlike
from tests.hook.foreign.rig import EXTENSION, ForeignRig
from trayagent.hook.foreign.metube import item_of

DIFFERENCES = {
    "http://127.0.0.1:8088/404/x.mp4": "we answer before the page is looked at",
    "http://127.0.0.1:8088/fast/q2.mp4?size=2000": "a folder outside ours is refused",
    "http://127.0.0.1:8088/fast/evil.mp4?size=2000": "a page is refused",
    "http://127.0.0.1:8088/fast/named.mp4?size=2000": "a page that is not listed is refused",
    "bad": "a quality that we do not know is the best",
}
"""Address (or quality) -> why it is answered in another way."""
SERVED = ("/add", "/start", "/delete", "/history", "/version")


async def test_every_recorded_request_is_answered_as_metube_does(foreign: ForeignRig) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    recorded = json.loads((RECORDINGS / "metube.json").read_text())["pairs"]
    problems: list[str] = []
    for pair in recorded:
        body = pair.get("body")
        known = body if isinstance(body, dict) else {}
        if pair["path"] not in SERVED or pair["method"] == "OPTIONS":
            continue
        if known.get("url") in DIFFERENCES or known.get("quality") in DIFFERENCES:
            continue
        raw = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": None, **pair.get("headers", {})}
        path = metube.url.rstrip("/") + pair["path"]
        answer = await foreign.rig.ask(pair["method"], path, raw=raw, token=None, headers=headers)
        told = answer.json() if answer.body[:1] == b"{" else None
        wanted = pair["answer"]
        alike = answer.status == pair["status"] and (
            told is None or told.get("status") == wanted.get("status")
        )
        if pair["path"] == "/history":  # another moment: its three lists are there
            wanted = {name: [] for name in wanted}
        if not alike or (told is not None and pair["path"] != "/add" and unlike(wanted, told)):
            problems.append(f"{pair['path']} {body}: {answer.status} {answer.body[:200]!r}")

    assert problems == []


async def test_what_waits_is_told_with_the_keys_that_clients_read(foreign: ForeignRig) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    wish = {"url": "http://example.com/film.mp4", "quality": "720p", "auto_start": False}
    await foreign.rig.ask("POST", f"{metube.url}add", wish, token=None)
    history = (await foreign.rig.ask("GET", f"{metube.url}history", token=None)).json()
    (entry,) = history["pending"]

    assert (history["done"], history["queue"]) == ([], [])
    assert (entry["id"], entry["quality"], entry["status"]) == (wish["url"], "720", "pending")
    row = (await foreign.rig.ask("GET", "downloads")).json()["downloads"][0]
    assert (row["via"], row["state"]) == ("metube", "paused")


async def test_what_waits_is_started_given_up_and_forgotten_by_its_address(
    foreign: ForeignRig,
) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")

    async def ask(route: str, **body: Any) -> int:
        return (await foreign.rig.ask("POST", f"{metube.url}{route}", body, token=None)).status

    async def states() -> dict[str, str]:
        rows = (await foreign.rig.ask("GET", "downloads")).json()["downloads"]
        return {row["url"]: row["state"] for row in rows}

    async def history() -> list[int]:
        told = (await foreign.rig.ask("GET", f"{metube.url}history", token=None)).json()
        return [len(told[part]) for part in ("done", "queue", "pending")]

    one, other = "http://example.com/1.mp4", "http://example.com/2.mp4"
    for url in (one, other):
        await ask("add", url=url, auto_start=False)
    assert await ask("start", ids=[one, "http://example.com/unknown"]) == 200
    assert await states() == {one: "queued", other: "paused"}
    assert await ask("delete", ids=[one], where="queue") == 200
    assert await ask("delete", ids=[other], where="done") == 200
    assert await states() == {one: "cancelled", other: "paused"}
    assert await history() == [0, 0, 1], "what was given up is gone, as in MeTube"
    assert await ask("delete", ids=[one], where="done") == 200
    assert await states() == {other: "paused"}
    for wrong in ({"ids": one}, {"ids": [one]}, {}, {"ids": [one], "where": "everything"}):
        assert await ask("delete", **wrong) == 400


async def test_an_extension_reads_the_answer_and_the_path_takes_a_slash_too_many(
    foreign: ForeignRig,
) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    body, headers = {"url": "http://example.com/a.mp4"}, {"Origin": EXTENSION}
    answer = await foreign.rig.ask("POST", f"{metube.url}/add", body, token=None, headers=headers)

    assert answer.json() == {"status": "ok"}
    assert answer.headers["access-control-allow-origin"] == EXTENSION


async def test_values_that_make_no_sense_are_answered_and_are_no_fault_of_ours(
    foreign: ForeignRig,
) -> None:
    metube = await foreign.rig.agent.clients.connect("metube", "", "")
    deep = (
        b'{"url": "http://example.com/", "more": ' + b"[" * 50_000 + b"]" * 50_000 + b', "ids": []}'
    )
    empties: tuple[Any, ...] = ([], {})
    odd: list[dict[str, Any]] = [
        {"url": "http://example.com/", "auto_start": False, "format": one} for one in empties
    ]
    bodies = {
        "add": [*(json.dumps(one).encode() for one in odd), deep],
        "start": [deep],
        "delete": [deep],
    }
    told = {
        path: [
            (await foreign.rig.ask("POST", metube.url + path, raw=raw, token=None)).status
            for raw in bodies[path]
        ]
        for path in bodies
    }

    assert told == {"add": [200, 200, 400], "start": [400], "delete": [400]}


def test_both_forms_of_a_wish_mean_the_same() -> None:
    def meant(**asked: Any) -> tuple[str | None, bool, str | None]:
        item = item_of({"url": "http://example.com/", **asked})
        return item.quality, item.paused, item.folder

    assert meant() == meant(quality="best", playlist_strict_mode=True) == ("best", False, None)
    assert meant(quality="1080", format="mp4") == ("1080", False, None)
    assert meant(download_type="audio") == meant(format="mp3") == ("audio", False, None)
    assert meant(quality="worst", auto_start=False, folder="music") == ("worst", True, "music")
