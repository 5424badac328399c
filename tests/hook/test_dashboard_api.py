"""What the dashboard's list asks: windows of sorted rows, counts, many at once, files on the desktop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hook.rig import Rig
from trayagent.store import downloads


async def add(rig: Rig, *names: str, **words: Any) -> list[str]:
    found = []
    for name in names:
        body = {"url": f"http://example.com/{name}", **words}
        answer = await rig.ask("POST", "downloads", body)
        assert answer.status == 202
        found.append(str(answer.json()["downloads"][0]["id"]))
    return found


async def listed(rig: Rig, query: str) -> tuple[list[str], int]:
    answer = (await rig.ask("GET", f"downloads?{query}")).json()
    return [one["id"] for one in answer["downloads"]], answer["total"]


async def complete(rig: Rig, id: str, path: Path) -> None:
    """Say of a download that its file is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"here")
    await rig.db.run(
        lambda conn: conn.execute(
            "UPDATE downloads SET state = 'completed', path = ?, size = 4 WHERE n = ?",
            (str(path), downloads.number(id)),
        )
    )


async def test_a_sorted_list_is_read_a_window_at_a_time(rig: Rig) -> None:
    c, a, b = await add(rig, "c.mp4", "a.pdf", "b.mp4")
    assert await listed(rig, "sort=name") == ([a, b, c], 3)
    assert await listed(rig, "sort=-name&limit=1&offset=1") == ([b], 3)
    assert await listed(rig, "sort=queue&type=video") == ([c, b], 2)
    assert await listed(rig, "sort=added&q=a.pdf") == ([a], 1)
    assert await listed(rig, "sort=added&state=paused") == ([], 0)
    for wrong in ("sort=weight", "sort=name&type=poem", "sort=name&offset=-1"):
        assert (await rig.ask("GET", f"downloads?{wrong}")).status == 422


async def test_a_list_says_when_it_is_old(rig: Rig) -> None:
    """With very many rows it is not read again for every change; it follows when nobody asks faster."""
    await add(rig, "a.mp4")
    assert await listed(rig, "sort=queue") == (["d1"], 1)
    await add(rig, "b.mp4")
    answer = (await rig.ask("GET", "downloads?sort=queue")).json()
    if answer["total"] == 1:
        assert answer["again"] > 0
    rig.agent.listings._orders.clear()
    answer = (await rig.ask("GET", "downloads?sort=queue")).json()
    assert (answer["total"], "again" in answer) == (2, False)


async def test_counts_by_state_and_type(rig: Rig) -> None:
    await add(rig, "a.mp4", "b.jpg", "c.jpg")
    await add(rig, "d.zip", paused=True)
    assert (await rig.ask("GET", "downloads/counts")).json() == {
        "states": {"queued": 3, "paused": 1},
        "types": {"video": 1, "image": 2, "archive": 1},
    }


async def test_many_at_once_get_an_answer_each(rig: Rig) -> None:
    a, b = await add(rig, "a.mp4", "b.mp4")
    answer = await rig.ask("POST", "downloads/actions", {"ids": [a, "d99", b], "action": "pause"})
    results = answer.json()["results"]
    assert [result["id"] for result in results] == [a, "d99", b]
    assert [result.get("error", {}).get("code") for result in results] == [None, "not_found", None]
    assert (await rig.ask("GET", f"downloads/{b}")).json()["state"] == "paused"
    for action, state in (("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued")):
        await rig.ask("POST", "downloads/actions", {"ids": [a, b], "action": action})
        assert (await rig.ask("GET", f"downloads/{a}")).json()["state"] == state
    await rig.ask("POST", "downloads/actions", {"ids": [a, b], "action": "remove"})
    assert await rig.count() == 0
    assert (
        await rig.ask("POST", "downloads/actions", {"ids": [], "action": "pause"})
    ).status == 422


async def test_the_order_of_the_queue_changes(rig: Rig) -> None:
    a, b, c = await add(rig, "a.mp4", "b.mp4", "c.mp4")
    for body, order in (
        ({"ids": [c], "action": "top"}, [c, a, b]),
        ({"ids": [b], "action": "up"}, [c, b, a]),
        ({"ids": [c], "action": "before", "before": a}, [b, c, a]),
        ({"ids": [b], "action": "bottom"}, [c, a, b]),
    ):
        answer = await rig.ask("POST", "downloads/actions", body)
        assert answer.json() == {"results": [{"id": id} for id in body["ids"]]}
        rig.agent.listings._orders.clear()
        assert (await listed(rig, "sort=queue"))[0] == order
    (done,) = await add(rig, "done.mp4")
    await rig.ask("POST", f"downloads/{done}/cancel", {})
    answer = await rig.ask("POST", "downloads/actions", {"ids": [done], "action": "top"})
    assert answer.json()["results"][0]["error"]["code"] == "wrong_state"


async def test_an_unknown_id_keeps_no_other_from_its_new_place(rig: Rig) -> None:
    a, b = await add(rig, "a.mp4", "b.mp4")
    for action, order in (("top", [b, a]), ("down", [a, b]), ("up", [b, a]), ("bottom", [a, b])):
        body = {"ids": ["nope", b, "d99", b], "action": action}
        results = (await rig.ask("POST", "downloads/actions", body)).json()["results"]
        assert [one["id"] for one in results] == ["nope", b, "d99"]
        codes = [one.get("error", {}).get("code") for one in results]
        assert codes == ["not_found", None, "not_found"]
        rig.agent.listings._orders.clear()
        assert (await listed(rig, "sort=queue"))[0] == order


async def test_a_file_and_its_folder_open_on_the_desktop(rig: Rig, tmp_path: Path) -> None:
    (id,) = await add(rig, "a.mp4")
    assert (await rig.ask("POST", f"downloads/{id}/open", {})).status == 409
    file = tmp_path / "downloads" / "a.mp4"
    await complete(rig, id, file)
    assert (await rig.ask("POST", f"downloads/{id}/open", {"what": "file"})).status == 200
    assert (await rig.ask("POST", f"downloads/{id}/open", {"what": "folder"})).status == 200
    assert rig.desktop.opened == [("file", file), ("folder", file)]
    _, token = await rig.paired()
    refused = await rig.ask("POST", f"downloads/{id}/open", {}, token=token)
    assert refused.status == 403
    assert (await rig.ask("POST", f"downloads/{id}/open", {"what": "trash"})).status == 422


async def test_what_has_arrived_is_a_part(rig: Rig) -> None:
    (id,) = await add(rig, "a.mp4")
    assert (await rig.ask("GET", f"downloads/{id}/parts")).json() == {"parts": [], "size": None}
    await rig.db.run(lambda conn: conn.execute("UPDATE downloads SET received = 40, size = 100"))
    parts = [{"start": 0, "at": 40, "busy": False}]
    assert (await rig.ask("GET", f"downloads/{id}/parts")).json() == {"parts": parts, "size": 100}


async def test_a_batch_is_stopped_and_what_failed_of_it_tried_again(rig: Rig) -> None:
    items = [{"url": f"http://example.com/{name}"} for name in ("a", "b", "c")]
    batch = (await rig.ask("POST", "downloads", {"items": items})).json()["batch"]
    failed = "UPDATE downloads SET state = 'failed' WHERE n = 2"
    await rig.db.run(lambda conn: conn.execute(failed))
    answer = await rig.ask("POST", f"batches/{batch}/retry")
    assert (answer.status, answer.json()["counts"]) == (200, {"queued": 3})
    answer = await rig.ask("POST", f"batches/{batch}/stop")
    assert (answer.status, answer.json()["counts"]) == (200, {"cancelled": 3})
    assert (await rig.ask("POST", "batches/b99/stop")).status == 404
    assert (await rig.ask("POST", "batches/b99/retry")).status == 404


async def test_our_folders_open_on_the_desktop(rig: Rig, tmp_path: Path) -> None:
    answer = await rig.ask("POST", "desktop/folder", {"folder": "downloads"})
    assert answer.status == 200
    assert rig.desktop.opened == [("folder", tmp_path / "downloads")]
    assert (tmp_path / "downloads").is_dir()
    assert (await rig.ask("POST", "desktop/folder", {"folder": "/etc"})).status == 422


async def test_the_start_with_the_session_is_switched(rig: Rig) -> None:
    assert (await rig.ask("GET", "desktop/autostart")).json() == {"on": False}
    answer = await rig.ask("POST", "desktop/autostart", {"on": True})
    assert answer.json() == {"on": True}
    assert (await rig.ask("GET", "desktop/autostart")).json() == {"on": True}
    _, token = await rig.paired()
    refused = await rig.ask("POST", "desktop/autostart", {"on": False}, token=token)
    assert refused.status == 403


async def test_a_page_is_looked_at_before_it_is_downloaded(rig: Rig) -> None:
    seen = await rig.ask("POST", "pages/look", {"url": "http://example.com/watch"})
    assert seen.status == 200
    page = seen.json()
    assert (page["title"], page["subtitles"]) == ("A film", ["en"])
    assert [form["height"] for form in page["forms"]] == [1080, 720, 0]
    none = await rig.ask("POST", "pages/look", {"url": "http://example.com/text"})
    assert (none.status, none.code) == (422, "no_media_found")
    assert (await rig.ask("POST", "pages/look", {"url": "file:///etc/passwd"})).status == 422
    assert await rig.count() == 0


async def test_a_folded_list_has_heads_and_a_window_knows_the_one_before_it(rig: Rig) -> None:
    items = [{"url": f"http://example.com/many/{n}"} for n in range(4)]
    batch = (await rig.ask("POST", "downloads", {"items": items})).json()["batch"]
    (alone,) = await add(rig, "alone.mp4")
    page = (await rig.ask("GET", "downloads?sort=added&folded=true&offset=2&limit=2")).json()
    assert (page["total"], page["count"], len(page["downloads"])) == (6, 5, 2)
    (head,) = page["heads"]
    assert (head["at"], head["shown"], head["batch"]["id"]) == (0, 4, batch)
    page = (await rig.ask("GET", f"downloads?sort=added&folded=true&closed={batch}")).json()
    assert (page["total"], page["count"]) == (2, 5)
    assert [one["id"] for one in page["downloads"]] == [alone]
    assert [(head["at"], head["rows"], head["shown"]) for head in page["heads"]] == [(0, 4, 0)]
    answer = await rig.ask("GET", "downloads?sort=added&folded=true&opened=d1")
    assert answer.status == 404


@pytest.mark.parametrize("folder", ["~nobody-at-all/films", "films\0", "/\0"])
async def test_a_folder_that_cannot_be_is_no_fault_of_ours(rig: Rig, folder: str) -> None:
    await rig.ask("POST", "downloads", {"url": "http://example.com/a.mp4"})
    answer = await rig.ask("POST", "downloads/d1/move", {"folder": folder})
    assert (answer.status, answer.json()["error"]["code"]) == (422, "bad_folder")
