"""A disk that stands still holds up neither the database nor, for longer than a moment, who asks."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.running_queue import RunningQueue, running_queue
from trayagent.agent.intake import LOOK_SECONDS, MOST_LOOKS, FilePresence
from trayagent.model.downloads import Item
from trayagent.model.transfer import Fetched
from trayagent.store import downloads, transitions


@pytest.fixture
def stalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder at which nobody gets an answer before the test ends."""
    folder, real, over = tmp_path / "stalled", os.stat, threading.Event()
    folder.mkdir()

    def stat(path: object, *words: object, **more: object) -> os.stat_result:
        if str(path).startswith(str(folder)):
            over.wait(30)
        return real(path, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    yield folder
    over.set()


async def test_what_is_gone_is_told_from_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    (tmp_path / "leads nowhere").symlink_to("nowhere")
    paths = [str(tmp_path / name) for name in ("here", "gone", "leads nowhere")]
    assert await FilePresence().missing(paths) == set(paths[1:])
    assert await FilePresence().missing([]) == set()


async def test_a_disk_that_says_nothing_has_everything(stalled: Path, tmp_path: Path) -> None:
    """What was seen until then counts; and no number of askers makes a number of threads."""
    presence = FilePresence()
    gone = str(tmp_path / "gone")
    began, before = time.monotonic(), threading.active_count()
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(presence.missing([gone, f"{stalled}/{n}"]))
            for n in range(4 * MOST_LOOKS)
        ]
    assert time.monotonic() - began < LOOK_SECONDS + 1
    assert threading.active_count() <= before + MOST_LOOKS
    assert [task.result() for task in asked[:MOST_LOOKS]] == [{gone}] * MOST_LOOKS
    assert {task.result() for task in asked[MOST_LOOKS:]} == {frozenset()}


async def test_a_finished_file_on_a_disk_that_stands_still_is_had(
    stalled: Path, tmp_path: Path
) -> None:
    """It is not fetched again, and the database answers others meanwhile."""
    async with running_queue(tmp_path) as h:
        await finish(h, "http://h/a", stalled / "a")
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            again = group.create_task(h.intake.add([Item("http://h/a")], via="hook"))
            other = group.create_task(h.intake.add([Item("http://h/b")], via="hook"))
            await other
            assert time.monotonic() - began < LOOK_SECONDS / 2
        (download,) = again.result().receipt.downloads
        assert download.duplicate_of == download.id


async def test_a_finished_file_that_is_gone_is_fetched_again(tmp_path: Path) -> None:
    async with running_queue(tmp_path) as h:
        await finish(h, "http://h/a", tmp_path / "a")
        entered = await h.intake.add([Item("http://h/a")], via="hook")
        assert len(entered.new) == 1


async def finish(h: RunningQueue, url: str, path: Path) -> None:
    """A download of that address that has its file at a path."""
    entered = await h.intake.add([Item(url, paused=True)], via="hook")
    n = downloads.number(entered.new[0].id)
    await h.db.run(transitions.complete, n, Fetched(path, 1), 1.0)
