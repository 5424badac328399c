"""Every way into the queue: an item is checked, kept durably, then announced."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.agent.running_queue import RunningQueue, running_queue
from tests.links import link
from trayagent.agent.bus import Bus
from trayagent.agent.intake import (
    LOOK_SECONDS,
    MOST_LOOKS,
    FilePresence,
    Intake,
    candidate_of,
    without_password,
)
from trayagent.agent.status import LiveStatus
from trayagent.model.downloads import Cookie, Item
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import Event
from trayagent.model.jobs import New
from trayagent.model.status import Status
from trayagent.model.transfer import Fetched
from trayagent.store import downloads, transitions
from trayagent.store.admission import Admission, IdempotencyKey, KeyReusedError, admit
from trayagent.store.database import Database
from trayagent.store.downloads import counts
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed


@dataclass
class IntakeRig:
    intake: Intake
    db: Database
    secrets: SecretFiles
    heard: list[Event] = field(default_factory=list)
    rung: list[bool] = field(default_factory=list)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[IntakeRig]:
    db, bus = Database.open(tmp_path / "db"), Bus()
    secrets, rung = SecretFiles(tmp_path / "secrets"), list[bool]()
    made = IntakeRig(Intake(db, bus, secrets, lambda: rung.append(True)), db, secrets, rung=rung)
    bus.subscribe(made.heard.append)
    yield made
    db.close()


async def test_one_item_is_a_download_without_a_batch(rig: IntakeRig) -> None:
    """It is in the store, told of, and the pool is woken."""
    receipt = (await rig.intake.add([Item("http://h/x")], via="cli")).receipt

    assert receipt.batch is None
    assert [download.state for download in receipt.downloads] == ["queued"]
    assert [event.name for event in rig.heard] == ["download.queued"]
    assert rig.rung == [True]


async def test_a_large_batch_is_told_as_one_and_counted_as_many(rig: IntakeRig) -> None:
    """What waits counts; what is paused does not."""
    live_status = LiveStatus(rig.intake._bus, Status())
    items = [Item(f"http://h/{n}", paused=n % 3 == 0) for n in range(150)]

    await rig.intake.add(items, via="hook")

    assert [event.name for event in rig.heard] == ["batch.queued", "tally"]
    assert live_status.status.queued == 100
    assert rig.rung == [True]


async def test_several_items_are_a_batch_and_bad_ones_are_named(rig: IntakeRig) -> None:
    """A bad item never blocks a good one; its index and reason come back."""
    items = [Item("http://h/1"), Item("file:///etc/passwd"), Item("http://h/2")]

    receipt = (await rig.intake.add(items, via="hook")).receipt

    assert receipt.batch == "b1"
    assert len(receipt.downloads) == 2
    assert [(bad.index, bad.code) for bad in receipt.rejected] == [(1, "bad_url")]


async def test_nothing_accepted_leaves_nothing_behind(rig: IntakeRig) -> None:
    """No row, no batch, no event."""
    entered = await rig.intake.add([Item("ftp://h/1"), Item("nonsense")], via="hook")

    assert entered.receipt.batch is None
    assert await rig.db.read(counts) == {}
    assert not rig.heard
    assert not rig.rung


async def test_secrets_never_reach_another_download(rig: IntakeRig) -> None:
    """A commit that failed gives its number to the next one, and its cookies to nobody."""
    given = Item("http://bank/x", cookies=(Cookie("sid", "secret", "bank"),))
    new = candidate_of(0, given)
    assert isinstance(new, New)
    with pytest.raises(StoreUnavailableError):
        await rig.intake.admit("cli", _failing, new)

    (download,) = (await rig.intake.add([Item("http://other/x")], via="cli")).receipt.downloads

    assert download.id == "d1"
    assert not rig.secrets.load("d1")


def _failing(conn: sqlite3.Connection, new: New, admission: Admission) -> None:
    admit(conn, [new], admission, None)
    raise sqlite3.OperationalError("disk full")


async def test_secrets_lie_in_a_file_of_their_own(rig: IntakeRig, tmp_path: Path) -> None:
    """Cookies, headers and the password of a URL never reach the database."""
    cookie = Cookie("session", "CANARY-1", "h.example")
    item = Item("http://me:CANARY-2@h.example/x", headers={"X-Key": "CANARY-3"}, cookies=(cookie,))

    (download,) = (await rig.intake.add([item], via="extension")).receipt.downloads

    kept = rig.secrets.load(download.id)
    assert kept.cookies == (cookie,)
    assert set(kept.headers) == {"X-Key", "Authorization"}
    assert download.url == "http://h.example/x"
    rig.db.close()
    assert not any(b"CANARY" in path.read_bytes() for path in tmp_path.glob("db*"))


async def test_the_same_key_is_answered_once(rig: IntakeRig) -> None:
    """Asked again with the same body the ids are the same; another body is refused."""
    key = IdempotencyKey("k", "body")
    first = await rig.intake.add([Item("http://h/1")], via="hook", key=key)
    again = await rig.intake.add([Item("http://h/1")], via="hook", key=key)

    assert again.repeated
    assert [d.id for d in again.receipt.downloads] == [d.id for d in first.receipt.downloads]
    with pytest.raises(KeyReusedError):
        await rig.intake.add([Item("http://h/2")], via="hook", key=IdempotencyKey("k", "other"))


async def test_many_at_once_are_each_there_once(rig: IntakeRig) -> None:
    """A hundred askers for fifty addresses make fifty downloads."""
    async with asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(rig.intake.add([Item(f"http://h/{number % 50}")], via="hook"))

    assert await rig.db.read(counts) == {"queued": 50}


async def test_next_goes_before_what_waits(rig: IntakeRig) -> None:
    """Whoever asks for `next` last is served first."""
    for url, urgent in (("http://h/1", False), ("http://h/2", True), ("http://h/3", True)):
        await rig.intake.add([Item(url, next=urgent)], via="cli")

    order = await rig.db.read(
        lambda conn: [
            url for (url,) in conn.execute("SELECT url FROM downloads ORDER BY urgent DESC, n")
        ]
    )
    assert order == ["http://h/3", "http://h/2", "http://h/1"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://u:p@h/x?a", "http://h/x?a"),
        ("nonsense", "nonsense"),
        ("http://u:p@", "http://"),
        ("", ""),
    ],
)
def test_what_is_shown_of_a_broken_url_holds_no_password(url: str, expected: str) -> None:
    """A refused line is still shown without its secret."""
    assert without_password(url) == expected


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
    paths = [str(tmp_path / name) for name in ("here", "gone")]
    assert await FilePresence().missing(paths) == set(paths[1:])
    assert await FilePresence().missing([]) == set()


async def test_a_link_that_leads_nowhere_is_gone(tmp_path: Path) -> None:
    link(tmp_path / "leads nowhere", "nowhere")
    path = str(tmp_path / "leads nowhere")
    assert await FilePresence().missing([path]) == {path}


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
    await h.db.run(transitions.release, n, Completed(Fetched(path, 1)), 1.0)
