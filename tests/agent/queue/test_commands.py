"""A batch is taken back whole: quickly however large, durably from the first moment, and once."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from tests.agent.running_queue import RunningQueue, running_queue, until
from trayagent.agent.intake import candidate_of
from trayagent.agent.queue.commands import BatchUndo, TrashError
from trayagent.cli.wording import reason_of
from trayagent.model.downloads import Item, encode
from trayagent.model.events import BatchEvent, DownloadEvent, Event
from trayagent.store import batches, drop_lists, saved_files, transitions, undo

LARGE = 20_000


@pytest.fixture(autouse=True)
def _own_trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def undo_of(h: RunningQueue) -> BatchUndo:
    return BatchUndo(h.db, h.queue, h.trash)


def _fill(conn: sqlite3.Connection, count: int) -> None:
    batch = batches.create(conn, "large.txt", "drop", time.time())
    conn.execute(
        "WITH RECURSIVE lines(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM lines WHERE i < ?)"
        " INSERT INTO downloads(key, url, host, state, via, batch, created_at)"
        " SELECT 'http://h/' || i, 'http://h/' || i, 'h', iif(i % 10, 'queued', 'paused'), 'drop', ?, 1"
        " FROM lines",
        (count, batch),
    )
    conn.execute(
        "INSERT INTO entries(batch, line, url, download) SELECT batch, n, url, n FROM downloads"
    )
    conn.execute("UPDATE batches SET pending = ?", (count,))


async def test_a_large_batch_is_cancelled_in_large_steps(tmp_path: Path) -> None:
    """Row by row, each with its own commit, took a minute for so many."""
    async with running_queue(tmp_path) as h:
        await h.queue.pause_all()
        await h.db.run(_fill, LARGE)
        heard: list[Event] = []
        h.bus.subscribe(heard.append)
        commits = 0
        run = h.db.run

        async def counted(*args: object, **kwargs: object) -> object:
            nonlocal commits
            commits += 1
            return await run(*args, **kwargs)  # type: ignore[arg-type]

        with patch.object(h.db, "run", counted):
            batch = await undo_of(h).take_back("b1")

        assert batch.counts == {"cancelled": LARGE}
        assert batch.finished_at is not None
        assert commits < LARGE / 100
        assert not [event for event in heard if isinstance(event, DownloadEvent)]
        assert [event.what for event in heard if isinstance(event, BatchEvent)] == ["finished"]
        # The status counts from where it started: 0.
        assert h.live_status.status.queued == -(LARGE * 9 // 10)


async def test_others_that_share_a_download_of_a_large_batch_hear_of_its_end(
    tmp_path: Path,
) -> None:
    async with running_queue(tmp_path) as h:
        await h.queue.pause_all()
        await h.db.run(_fill, 500)
        await h.intake.add([], via="cli", title="nothing")
        await h.db.run(_share)
        await undo_of(h).take_back("b1")

        other = await h.queries.batch("b2")
        assert (other.counts, other.finished_at is None) == ({"cancelled": 2}, False)


def _share(conn: sqlite3.Connection) -> None:
    batch = batches.create(conn, "shares", "cli", time.time())
    for line in (1, 2):
        batches.enter(conn, batch, [(line, f"http://h/{line}", line, None)])


async def test_the_lines_to_come_of_a_list_that_is_still_read_are_cancelled(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        await h.db.run(drop_lists.open_or_begin, "x.txt", "{}", 1.0)
        await undo_of(h).take_back("b1")
        line = (1, candidate_of(1, Item("http://h/1")), "")
        new = await h.intake.admit("drop", drop_lists.enter_lines, 1, [line], "{}")
        assert (new, (await h.queries.batch("b1")).counts) == ([], {"cancelled": 1})


async def test_an_undo_that_was_stopped_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        ids = await h.add("http://h/1", "http://h/2")
        await h.settled(*ids)
        never = asyncio.Event()
        reached = asyncio.Event()

        async def stuck(_: Path) -> None:
            reached.set()
            await never.wait()

        with patch.object(h.trash, "put", stuck):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(undo_of(h).take_back("b1"), name="undo")
                await reached.wait()
                assert (await h.queries.batch("b1")).undone_at is not None
                task.cancel()

    assert (tmp_path / "1").exists()
    async with running_queue(tmp_path) as h:
        await undo_of(h).run()
        assert not (tmp_path / "1").exists()
        assert not (tmp_path / "2").exists()
        assert await h.db.read(undo.unfinished_undos) == []


async def test_one_batch_that_cannot_be_undone_keeps_neither_the_agent_nor_another_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_queue(tmp_path) as h:
        for name in "ab":
            await h.settled(*await h.add(f"http://h/{name}1", f"http://h/{name}2"))
        for id in ("b1", "b2"):
            await h.db.run(undo.begin, id, 1.0)
        put = h.trash.put

        async def breaks(path: Path) -> None:
            if path.name.startswith("a"):
                raise RuntimeError("never heard of")
            await put(path)

        with patch.object(h.trash, "put", breaks):
            await undo_of(h).run()
        assert "b1 could not be undone" in caplog.text
        assert not list(tmp_path.glob("b[12]"))
        assert await h.db.read(undo.unfinished_undos) == ["b1"]


async def test_an_undone_batch_is_not_undone_again(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        (id, _) = await h.add("http://h/1", "http://h/2")
        await h.settled(id)
        first = await undo_of(h).take_back("b1")
        await h.queue.retry(id)
        await h.settled(id)

        assert (await undo_of(h).take_back("b1")).undone_at == first.undone_at
        assert (tmp_path / "1").exists()


async def test_two_that_undo_at_once_wait_for_one_end(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        await h.settled(*await h.add("http://h/1", "http://h/2"))
        undo = undo_of(h)
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(undo.take_back("b1"), name=f"undo {n}") for n in (1, 2)]
        assert both[0].result() == both[1].result()
        assert not (tmp_path / "2").exists()


async def test_what_was_undone_is_neither_checked_nor_called_complete(tmp_path: Path) -> None:
    """Its file is gone because a person wanted it so: nothing is missing."""
    async with running_queue(tmp_path) as h:
        ids = await h.add("http://h/1", "http://h/2")
        await h.settled(*ids)
        heard: list[Event] = []
        h.bus.subscribe(heard.append)
        await undo_of(h).take_back("b1")

        download = await h.queries.download(ids[0])
        assert (download.state, download.path) == ("cancelled", None)
        assert await h.db.read(saved_files.count) == 0
        assert h.live_status.status.completed == 0
        assert [event.name for event in heard] == ["download.cancelled"] * 2
        message, action = reason_of(as_told(download))
        assert (message, action) == (
            "It was undone; 1 is in the trash.",
            f"To fetch it again: trayagent retry {ids[0]}",
        )
        await h.queue.retry(ids[0])
        (again,) = await h.settled(ids[0])
        assert (again.state, again.error, (tmp_path / "1").exists()) == ("completed", None, True)


def as_told(download: object) -> dict[str, object]:
    told: dict[str, object] = msgspec.json.decode(encode(download))
    return told


async def test_a_file_that_will_not_go_holds_up_no_other_and_can_be_tried_again(
    tmp_path: Path,
) -> None:
    async with running_queue(tmp_path) as h:
        ids = await h.add("http://h/1", "http://h/2")
        await h.settled(*ids)
        put = h.trash.put

        async def refuses(path: Path) -> None:
            if path.name == "1":
                raise PermissionError(13, "Permission denied")
            await put(path)

        with patch.object(h.trash, "put", refuses), pytest.raises(TrashError, match="1 file"):
            await undo_of(h).take_back("b1")
        assert [(tmp_path / name).exists() for name in ("1", "2")] == [True, False]
        assert (await h.queries.batch("b1")).undone_at is None

        assert (await undo_of(h).take_back("b1")).undone_at is not None
        assert not (tmp_path / "1").exists()


async def test_a_row_that_was_removed_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        ids = await h.add("http://h/1", "http://h/2")
        await h.settled(*ids)
        put = h.trash.put

        async def forgetful(path: Path) -> None:
            await h.db.run(transitions.clear)
            await put(path)

        with patch.object(h.trash, "put", forgetful):
            assert (await undo_of(h).take_back("b1")).undone_at is not None
        await until(lambda: not (tmp_path / "2").exists())
