"""The pool: a slot is free when its download ends, and one failure never touches another."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.agent.running_queue import FakeTransfer, running_queue, until
from trayagent.agent.queue import lineup as lineup_module
from trayagent.agent.queue import pool
from trayagent.agent.queue.lineup import Lineup, Series, Slot
from trayagent.model.downloads import Item, Patch, State
from trayagent.model.errors import (
    LOGIN_IS_GONE,
    SENTENCES,
    DownloadError,
    StoreUnavailableError,
    WrongStateError,
)
from trayagent.model.events import DownloadEvent
from trayagent.model.jobs import Job
from trayagent.model.transfer import Fetched, Target
from trayagent.store import downloads, recovery, transitions
from trayagent.store.transitions import Completed


@pytest.mark.parametrize("workers", [1, 4])
async def test_never_more_than_the_workers_and_never_an_idle_slot(
    tmp_path: Path, workers: int
) -> None:
    """While work waits, exactly as many downloads run as there are workers."""
    async with running_queue(tmp_path, workers=workers) as h:
        gates = {f"http://h/{i}": asyncio.Event() for i in range(9)}
        h.transfer.scripts = {url: gate.wait for url, gate in gates.items()}  # type: ignore[misc]
        ids = await h.add(*gates)
        finished = ""
        for done in range(9):
            await h.transfer.busy_with(min(workers, 9 - done), without=finished)
            assert h.live_status.status.active <= workers
            # What begins in the engine's thread is told a moment later.
            await until(lambda: len(h.transfer.inside) <= h.live_status.status.active)
            assert h.live_status.status.active <= workers
            finished = min(h.transfer.inside)
            gates[finished].set()
        downloads = await h.settled(*ids)

    assert h.transfer.most == workers
    assert {download.state for download in downloads} == {State.COMPLETED}
    assert h.live_status.status.completed == 9


async def test_a_host_gets_its_share_and_the_others_theirs(tmp_path: Path) -> None:
    """With one download a host, a slow host does not hold the other slots."""
    async with running_queue(tmp_path, per_host=1) as h:
        never = asyncio.Event()
        slow = [f"http://slow/{i}" for i in range(5)]
        h.transfer.scripts = dict.fromkeys(slow, never.wait)  # type: ignore[arg-type]
        await h.add(*slow)
        ids = await h.add("http://quick/1", "http://quick/2")

        await h.settled(*ids)

        assert len(h.transfer.inside) == 1


async def test_a_worker_that_dies_fails_one_download_only(tmp_path: Path) -> None:
    """A bug in one transfer is `internal` for it, and nothing for the others."""

    async def bug() -> None:
        raise ZeroDivisionError

    async with running_queue(tmp_path) as h:
        h.transfer.scripts = {"http://h/bug": bug}
        bad, good = await h.settled(*await h.add("http://h/bug", "http://h/good"))

    assert (bad.state, bad.error and bad.error.code) == (State.FAILED, "internal")
    assert good.state == State.COMPLETED


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
async def test_a_failure_says_that_a_retry_has_no_login_any_more(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    """Whoever had to sign in learns it from the failure, not from the refusal of a retry; nobody else does."""

    async def gone() -> None:
        raise DownloadError("not_found")

    async with running_queue(tmp_path) as h:
        h.transfer.scripts = {"http://h/1": gone}
        (failed,) = await h.settled(*await h.add("http://h/1", headers=headers))

    assert failed.error
    assert (LOGIN_IS_GONE in failed.error.action) == bool(headers)
    assert failed.error.action.startswith(SENTENCES["not_found"][1])


async def test_pause_keeps_and_cancel_gives_up(tmp_path: Path) -> None:
    """A paused download can go on; a cancelled one only by retry."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        (id,) = await h.add("http://h/1")
        await h.transfer.busy_with(1)

        assert (await h.queue.pause(id)).state == State.PAUSED
        assert (await h.queue.pause(id)).state == State.PAUSED
        assert h.live_status.status.active == 0
        await h.queue.resume(id)
        await h.transfer.busy_with(1)
        assert (await h.queue.cancel(id)).state == State.CANCELLED
        with pytest.raises(WrongStateError):
            await h.queue.resume(id)
        gate.set()
        await h.queue.retry(id)
        (done,) = await h.settled(id)

    assert done.state == State.COMPLETED
    assert (h.live_status.status.active, h.live_status.status.queued) == (0, 0)


async def test_pausing_the_queue_stops_everything_and_forgets_nothing(tmp_path: Path) -> None:
    """Active ones go back to the queue, nothing starts, and resuming goes on."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        (first,) = await h.add("http://h/1")
        await h.transfer.busy_with(1)

        await h.queue.pause_all()
        (second,) = await h.add("http://h/2")

        states = [(await h.queries.download(id)).state for id in (first, second)]
        assert states == [State.QUEUED, State.QUEUED]
        assert h.live_status.status.paused
        assert not h.transfer.inside
        gate.set()
        await h.queue.resume_all()
        await h.settled(first, second)


async def test_a_busy_server_is_left_alone_as_long_as_it_asks(tmp_path: Path) -> None:
    """After 429 with Retry-After the download waits, and its host is not asked for others either."""

    async def busy() -> None:
        raise DownloadError("server_busy", retry_after=30)

    async with running_queue(tmp_path, workers=1) as h:
        h.transfer.scripts = {"http://h/1": busy}
        first, second = await h.add("http://h/1", "http://h/2")
        other = await h.add("http://other/1")
        await h.settled(*other)

        waiting = await h.queries.download(first)
        assert (waiting.state, waiting.error and waiting.error.code) == (
            State.QUEUED,
            "server_busy",
        )
        assert waiting.not_before is not None
        kept_back = await h.queries.download(second)
        assert (kept_back.state, kept_back.not_before) == (State.QUEUED, waiting.not_before)
        assert kept_back.error is not None
        assert len(h.transfer.asked) == 2


async def test_what_cannot_be_mended_is_not_tried_again(tmp_path: Path) -> None:
    """A missing file is asked for once."""

    async def gone() -> None:
        raise DownloadError("not_found", "HTTP 404")

    async with running_queue(tmp_path) as h:
        h.transfer.scripts = {"http://h/1": gone}
        (download,) = await h.settled(*await h.add("http://h/1"))

    assert download.error is not None
    assert (download.error.code, len(h.transfer.asked)) == ("not_found", 1)
    assert "HTTP 404" in download.error.message


async def test_one_url_is_never_in_flight_twice(tmp_path: Path) -> None:
    """Asking again gives the same download; asking for what we have gives the file we have."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        (first,) = await h.add("http://h/1")
        assert await h.add("HTTP://H:80/1#part") == [first]
        gate.set()
        (done,) = await h.settled(first)
        assert done.path is not None

        have = (await h.intake.add([Item("http://h/1")], via="cli")).receipt.downloads[0]
        assert (have.id, have.duplicate_of) == (first, first)
        Path(done.path).unlink()
        assert await h.add("http://h/1") != [first]


async def test_one_that_is_due_waits_calmly_for_a_slot(tmp_path: Path) -> None:
    """While every slot is busy nothing is looked up again and again."""
    async with running_queue(tmp_path, workers=1) as h:
        never = asyncio.Event()
        h.transfer.scripts = {"http://h/1": never.wait}  # type: ignore[dict-item]
        await h.add("http://h/1")
        await h.transfer.busy_with(1)
        await h.add("http://h/2")
        await h.db.run(_overdue)
        with patch.object(h.db, "read", wraps=h.db.read) as read:
            h.pool.wake()
            for _ in range(50):
                await h.db.run(_overdue)

    assert read.call_count < 5


def _overdue(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE downloads SET not_before = 1.0 WHERE state = 'queued'")


async def test_resuming_while_it_stops_starts_it_once_it_has_stopped(tmp_path: Path) -> None:
    """Two quick clicks never put two workers on one file."""
    stopping, stopped = asyncio.Event(), asyncio.Event()

    async def slow_to_stop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await stopped.wait()

    async with running_queue(tmp_path) as h, asyncio.TaskGroup() as clicks:
        h.transfer.scripts = {"http://h/1": slow_to_stop}
        (id,) = await h.add("http://h/1")
        await h.transfer.busy_with(1)
        clicks.create_task(h.queue.pause(id), name="pause")
        await stopping.wait()
        clicks.create_task(h.queue.resume(id), name="resume")
        other = await h.add("http://h/2")
        await h.settled(*other)
        assert len(h.transfer.asked) == 2

        h.transfer.scripts.clear()
        stopped.set()
        (done,) = await h.settled(id)

    assert done.state == State.COMPLETED
    assert (h.live_status.status.active, h.live_status.status.queued) == (0, 0)


async def test_a_fresh_link_wins_over_the_old_one_failing(tmp_path: Path) -> None:
    """A link that fails just while it is replaced does not end the download."""

    async def expires() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise DownloadError("not_found") from None

    async with running_queue(tmp_path) as h:
        h.transfer.scripts = {"http://h/old": expires}
        (id,) = await h.add("http://h/old")
        await h.transfer.busy_with(1)
        await h.queue.change(id, Patch("http://h/fresh"))
        await until(lambda: not h.live_status.status.active and not h.live_status.status.queued)
        done = await h.queries.download(id)

    assert (done.state, done.url) == (State.COMPLETED, "http://h/fresh")


async def test_an_outcome_is_saved_as_soon_as_the_store_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk delays the end of a download, and nothing of it is lost."""
    monkeypatch.setattr(pool, "STORE_RETRY_SECONDS", 0.01)
    async with running_queue(tmp_path) as h:
        run, full = h.db.run, [3]

        async def sometimes(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is transitions.advance and args[0].ended and full[0]:
                full[0] -= 1
                raise StoreUnavailableError("disk full")
            return await run(fn, *args, **kwargs)

        with patch.object(h.db, "run", sometimes):
            (done,) = await h.settled(*await h.add("http://h/1"))

    assert (done.state, full) == (State.COMPLETED, [0])


async def test_what_was_finished_before_a_kill_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file has its name and its record: only the row did not say so yet. The other goes on.

    However long the disk takes to find the file: others begin meanwhile, and their rows say so.
    """
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {f"http://h/{n}": gate.wait for n in (1, 2)}  # type: ignore[misc]
        done, open_ = await h.add("http://h/1", "http://h/2")
        await h.transfer.busy_with(2)
        await h.db.read(_copied, tmp_path / "killed" / "db")
        gate.set()

    find, advance, saved = FakeTransfer.find_settled, transitions.advance, list[int]()

    def note(conn: sqlite3.Connection, step: transitions.Advance, now: float) -> Any:
        saved.extend(step.begun)
        return advance(conn, step, now)

    async def find_late(self: FakeTransfer, target: Target) -> Fetched | None:
        await until(lambda: bool(saved))
        await asyncio.sleep(0.05)  # whatever comes of it has come by then
        return await find(self, target)

    monkeypatch.setattr(transitions, "advance", note)
    monkeypatch.setattr(FakeTransfer, "find_settled", find_late)
    async with running_queue(tmp_path / "killed", finished={done: tmp_path / "1.bin"}) as h:
        first, second = await h.settled(done, open_)

        assert (first.state, first.path) == (State.COMPLETED, str(tmp_path / "1.bin"))
        assert second.state == State.COMPLETED
        assert [request.url for request in h.transfer.asked] == ["http://h/2"]
        # Who listens hears of an end just after it is durable.
        await until(lambda: (h.live_status.status.active, h.live_status.status.completed) == (0, 2))


def _copied(conn: sqlite3.Connection, to: Path) -> None:
    """What a kill in this moment would leave."""
    to.parent.mkdir()
    conn.execute("VACUUM INTO ?", (str(to),))


async def test_records_are_removed_in_batches_once_the_rows_are_durable(tmp_path: Path) -> None:
    """Never one hand-over a file, nothing left at the end, and what a kill left goes at the next start."""
    async with running_queue(tmp_path) as h:
        await h.settled(*await h.add(*(f"http://h/{n}" for n in range(150))))
    batches = h.transfer.forgotten
    assert sorted(name for names in batches for name in names) == sorted(str(n) for n in range(150))
    assert len(batches) < 20

    async with running_queue(tmp_path) as h:
        assert await h.db.read(recovery.settled_records) == []
        await h.db.run(_killed_before_removal)
    async with running_queue(tmp_path) as h:
        await until(lambda: h.transfer.forgotten == [["0"]])


def _killed_before_removal(conn: sqlite3.Connection) -> None:
    conn.execute("INSERT INTO settled_records SELECT n FROM downloads WHERE url = 'http://h/0'")


async def test_the_name_of_a_running_download_is_told_and_kept(tmp_path: Path) -> None:
    """Told as soon as it is read, and in its row if it lasts; short ones cost no transaction for it."""
    async with running_queue(tmp_path) as h:
        events: list[DownloadEvent] = []
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/long": gate.wait}  # type: ignore[dict-item]
        with (
            h.bus.subscribe(lambda e: events.append(e) if isinstance(e, DownloadEvent) else None),
            patch.object(h.db, "run", wraps=h.db.run) as run,
        ):
            (id,) = await h.add("http://h/long")
            await h.settled(*await h.add("http://h/short"))
            await until(lambda: any(event.what == "named" for event in events))
            while (await h.db.read(downloads.get, id)).path is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            written = [call.args for call in run.call_args_list]
            gate.set()
            await h.settled(id)

    named = [event.download for event in events if event.what == "named"]
    assert [(one.id, one.filename, one.state) for one in named] == [(id, "long", State.ACTIVE)]
    names = [args[1] for args in written if args[0] is transitions.keep_names]
    assert [[name[1] for name in each] for each in names] == [[str(tmp_path / "long")]]
    assert h.live_status.status.active == 0


async def test_a_cool_down_fails_nobody_and_costs_no_try(tmp_path: Path) -> None:
    """Whoever is told that the host cools down was not asked for: it waits, also with no retry left."""

    async def cooling() -> None:
        raise DownloadError("server_busy", retry_after=60, spent=False)

    async def busy() -> None:
        raise DownloadError("server_busy", retry_after=60)

    async with running_queue(tmp_path, retries=0, per_host=1) as h:
        h.transfer.scripts = {"http://h:81/1": cooling, "http://h:82/1": busy}
        (waits,) = await h.add("http://h:81/1")
        fails, behind = await h.add("http://h:82/1", "http://h:82/2")
        await h.settled(fails, *await h.add("http://h:83/1"))
        await until(lambda: h.live_status.status.active == 0)
        first, second = [await h.queries.download(id) for id in (waits, behind)]

        assert (first.state, first.attempts) == (State.QUEUED, 0)
        assert (second.state, second.attempts) == (State.QUEUED, 0)
        assert first.not_before
        assert second.not_before

        h.transfer.scripts.clear()
        for id in (waits, behind):
            await h.queue.retry(id)  # a person means now
        downloads = await h.settled(waits, behind)

    assert [download.state for download in downloads] == [State.COMPLETED] * 2
    assert h.transfer.hurried == ["h:81", "h:82"]


async def test_nothing_stirs_while_nothing_runs(tmp_path: Path) -> None:
    """No timer is left behind: a quiet agent costs nothing."""
    async with running_queue(tmp_path) as h:
        await h.settled(*await h.add("http://h/1"))
        await until(lambda: h.transfer.forgotten != [])
        await asyncio.sleep(0.3)
        loop = asyncio.get_running_loop()
        ours = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        mine = asyncio.current_task()

    assert mine is not None
    assert ours == []


async def test_a_burst_of_small_files_shares_its_transactions(tmp_path: Path) -> None:
    """What ends within a moment is one write to the disk, and no slot waits for it."""
    async with running_queue(tmp_path) as h:
        await h.queue.pause_all()
        ids = await h.add(*(f"http://h/{n}" for n in range(60)))
        with patch.object(h.db, "run", wraps=h.db.run) as run:
            await h.queue.resume_all()
            await h.settled(*ids)
            done = [call.args[0] for call in run.call_args_list]

    assert done.count(transitions.advance) < 30


@pytest.mark.parametrize(
    ("verb", "state"), [("pause", State.PAUSED), ("cancel", State.CANCELLED), ("remove", None)]
)
async def test_what_began_before_its_row_says_so_can_be_stopped(
    tmp_path: Path, verb: str, state: State | None
) -> None:
    """Nobody works on it once the command has returned, nothing is left of it, and the counts are right."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        run, saves = h.db.run, asyncio.Event()

        async def later(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is transitions.advance and args[0].begun:
                await saves.wait()
            return await run(fn, *args, **kwargs)

        with patch.object(h.db, "run", later):
            (id,) = await h.add("http://h/1")
            await h.transfer.busy_with(1)
            assert (await h.db.read(downloads.get, id)).state == State.QUEUED
            (tmp_path / "1.part").write_text("ab")
            async with asyncio.TaskGroup() as clicks:
                clicks.create_task(getattr(h.queue, verb)(id), name=verb)
                await h.transfer.busy_with(0)
                saves.set()

        rows, _ = await h.db.read(downloads.page)
        assert [row.state for row in rows] == ([] if state is None else [state])
        assert (tmp_path / "1.part").exists() == (verb == "pause")
        assert (h.live_status.status.active, h.live_status.status.queued) == (0, 0)


async def test_a_large_batch_that_is_given_up_stops_what_has_just_begun(tmp_path: Path) -> None:
    """Its rows go by the thousand, and what a slot has begun of them meanwhile leaves nothing behind."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        urls = [f"http://h/{n}" for n in range(150)]
        h.transfer.scripts = dict.fromkeys(urls, gate.wait)  # type: ignore[arg-type]
        run, saves = h.db.run, asyncio.Event()

        async def later(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is transitions.advance and args[0].begun:
                await saves.wait()
            return await run(fn, *args, **kwargs)

        with patch.object(h.db, "run", later):
            ids = await h.add(*urls)
            await h.transfer.busy_with(4)
            for n in range(4):
                (tmp_path / f"{n}.part").write_text("ab")
            async with asyncio.TaskGroup() as clicks:
                clicks.create_task(h.queue.cancel_batch("b1"), name="cancel")
                await h.transfer.busy_with(0)
                saves.set()

        found = await h.settled(*ids)
        assert {download.state for download in found} == {State.CANCELLED}
        assert list(tmp_path.glob("*.part")) == []
        assert (h.live_status.status.active, h.live_status.status.queued) == (0, 0)
        assert len(h.transfer.asked) == 4


async def test_what_is_put_first_begins_next(tmp_path: Path) -> None:
    """Also where others had been lined up before it."""
    async with running_queue(tmp_path, workers=1) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/0": gate.wait}  # type: ignore[dict-item]
        ids = await h.add(*(f"http://h/{n}" for n in range(9)))
        await h.transfer.busy_with(1)
        await h.queue.move([ids[7]], "top")
        gate.set()
        await h.settled(*ids)

    assert [request.url[-1] for request in h.transfer.asked] == list("071234568")


async def test_what_is_put_first_during_a_look_at_the_queue_begins_next(tmp_path: Path) -> None:
    """The look found another order, and lines up enough for a long time: there is a second one."""
    async with running_queue(tmp_path, workers=1) as h:
        run, may_answer, gate = h.db.run, asyncio.Event(), asyncio.Event()
        looks: list[object] = []

        async def slow(fn: Any, *args: Any, **kwargs: Any) -> Any:
            answer = await run(fn, *args, **kwargs)
            if fn is transitions.advance and args[0].turn and answer.following.jobs:
                looks.append(answer)
                await may_answer.wait()
            return answer

        h.transfer.scripts = {"http://h/0": gate.wait}  # type: ignore[dict-item]
        with patch.object(h.db, "run", slow):
            ids = await h.add(*(f"http://h/{n}" for n in range(70)))
            await until(lambda: len(looks) == 1)
            await h.queue.move([ids[60]], "top")
            may_answer.set()
            await h.transfer.busy_with(1)
            gate.set()
            await h.settled(*ids)

    order = [int(request.url.rpartition("/")[2]) for request in h.transfer.asked]
    assert order[:3] == [0, 60, 1]


async def test_what_a_thread_took_during_a_look_is_not_lined_up_again(tmp_path: Path) -> None:
    """Its row still says that it is queued, and the look has not heard of it: it is fetched once."""
    async with running_queue(tmp_path, workers=1) as h:
        lineup, gate, taken = h.pool._lineup, asyncio.Event(), list[Slot]()

        def rows_after_a_thread() -> list[Job]:
            """As if the one before had ended, and the next begun, a moment before."""
            if len(lineup) and not taken:
                (running,) = h.pool._running.values()
                lineup.end(running, Completed(Fetched(tmp_path / "0", 3)))
                if (slot := lineup.take(Series())) is not None:
                    taken.append(slot)
            return Lineup.rows(lineup)

        h.transfer.scripts = {"http://h/0": gate.wait}  # type: ignore[dict-item]
        with patch.object(lineup, "rows", rows_after_a_thread):
            ids = await h.add(*(f"http://h/{n}" for n in range(20)))
            await until(lambda: bool(taken))
            lineup.end(taken[0], Completed(Fetched(tmp_path / "1", 3)))
            gate.set()
            await h.settled(*ids)

    assert sorted(int(request.url[9:]) for request in h.transfer.asked) == [0, *range(2, 20)]


async def test_a_begin_and_an_end_are_told_once(tmp_path: Path) -> None:
    """However late the loop hears of them, and though each slot is told of twice."""
    async with running_queue(tmp_path) as h:
        told: list[str] = []
        late: list[Slot] = []

        def read_again() -> list[Slot]:
            news = Lineup.read_news(h.pool._lineup)
            late.extend(news)
            return [*late, *news]

        with (
            h.bus.subscribe(lambda e: told.append(f"{e.name} {getattr(e.data(), 'id', '')}")),
            patch.object(h.pool._lineup, "read_news", read_again),
        ):
            ids = await h.add(*(f"http://h/{n}" for n in range(9)))
            await h.settled(*ids)

    for what in ("started", "completed"):
        names = [name for name in told if name.startswith(f"download.{what} ")]
        assert sorted(names) == sorted(f"download.{what} {id}" for id in ids)
    assert h.live_status.status.active == 0


async def test_while_the_store_is_away_only_so_many_outcomes_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing begins before they are saved."""
    monkeypatch.setattr(pool, "STORE_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(lineup_module, "MOST_UNSAVED", 8)
    async with running_queue(tmp_path) as h:
        run, is_away = h.db.run, True

        async def sometimes(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is transitions.advance and args[0].ended and is_away:
                raise StoreUnavailableError("disk full")
            return await run(fn, *args, **kwargs)

        with patch.object(h.db, "run", sometimes):
            ids = await h.add(*(f"http://h/{n}" for n in range(60)))
            await until(lambda: len(h.transfer.asked) >= 8)
            await asyncio.sleep(0.1)
            assert len(h.transfer.asked) < 8 + 4
            is_away = False
            await h.settled(*ids)


async def test_stopping_waits_for_an_end_that_is_not_saved_yet(tmp_path: Path) -> None:
    """Its slot is free already, but whoever stops it goes on from what its row says."""
    async with running_queue(tmp_path) as h:
        run, may_save = h.db.run, asyncio.Event()

        async def late(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is transitions.advance and args[0].ended:
                await may_save.wait()
            return await run(fn, *args, **kwargs)

        with patch.object(h.db, "run", late):
            (id,) = await h.add("http://h/1")
            await until(lambda: bool(h.pool._ended or h.pool._saving))
            async with asyncio.TaskGroup() as group:
                stopping = group.create_task(h.pool.stop(id), name="stopping")
                done, _ = await asyncio.wait([stopping], timeout=0.1)
                may_save.set()
            assert not done
            assert stopping.result() == {id}
            assert (await h.queries.download(id)).state == State.COMPLETED


async def test_another_name_is_for_the_next_try_and_the_old_part_goes(tmp_path: Path) -> None:
    """A running download stops, leaves nothing under its old name and goes on under the new one."""
    async with running_queue(tmp_path) as h:
        gate = asyncio.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        (id,) = await h.add("http://h/1")
        await h.transfer.busy_with(1)
        (tmp_path / "1.part").write_text("ab")
        h.transfer.scripts.clear()

        await h.queue.change(id, Patch(filename="b.bin", speed_limit="1MB"))
        (done,) = await h.settled(id)

    assert done.state == State.COMPLETED
    assert not (tmp_path / "1.part").exists()
    async with running_queue(tmp_path) as h:
        with pytest.raises(WrongStateError):
            await h.queue.change(id, Patch(filename="c.bin"))
