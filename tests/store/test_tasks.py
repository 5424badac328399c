"""Gids lead to one download each; the line can be reordered; a thousand ended ones cost no scan."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.store import tasks
from trayagent.store.database import Database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database of the newest version."""
    Database.open(tmp_path / "test.db").close()
    conn = sqlite3.connect(tmp_path / "test.db")
    conn.row_factory = sqlite3.Row
    yield conn
    conn.close()


def add(conn: sqlite3.Connection, state: str, gid: str | None = None) -> int:
    """A row in this state."""
    number = conn.execute(
        "INSERT INTO downloads(key, url, host, state, via, created_at, finished_at, gid)"
        " VALUES (hex(randomblob(8)), 'http://h/', 'h:80', ?, 'aria2', 1, ?, ?)",
        (state, 1 if state in ("completed", "failed", "cancelled") else None, gid),
    ).lastrowid
    assert number is not None
    return number


def line(conn: sqlite3.Connection) -> list[int]:
    """The numbers of those that wait, in line."""
    return [task.n for task in tasks.waiting_tasks(conn, 0, 100)]


def test_a_gid_or_its_beginning_leads_to_one_download(conn: sqlite3.Connection) -> None:
    first, chosen = add(conn, "queued"), add(conn, "queued", "00000000000000aa")
    second = add(conn, "queued")

    assert tasks.find(conn, tasks.gid_of(first)).n == first
    assert tasks.find(conn, tasks.gid_of(second).upper()).n == second
    assert tasks.find(conn, "00000000000000aa").n == tasks.find(conn, "0").n == chosen
    for wrong in ("", "xyz", "a" * 17, tasks.gid_of(chosen), "74726179", "123"):
        with pytest.raises(NotFoundError):
            tasks.find(conn, wrong)
    assert not tasks.may_choose(tasks.gid_of(99))
    assert not tasks.may_choose("0" * 16)


def test_a_place_in_line_is_given_and_kept(conn: sqlite3.Connection) -> None:
    a, b, c, d = (add(conn, state) for state in ("queued", "paused", "queued", "queued"))
    busy = add(conn, "active")

    assert tasks.place(conn, d, 0, "POS_SET") == 0
    assert line(conn) == [d, a, b, c]
    assert tasks.place(conn, a, 1, "POS_CUR") == 2
    assert line(conn) == [d, b, a, c]
    assert tasks.place(conn, b, 0, "POS_END") == 3
    assert line(conn) == [d, a, c, b]
    assert tasks.place(conn, c, -99, "POS_CUR") == 0
    assert line(conn) == [c, d, a, b]
    assert [task.n for task in tasks.waiting_tasks(conn, -1, 2)] == [b, a]
    with pytest.raises(WrongStateError):
        tasks.place(conn, busy, 0, "POS_SET")


def test_only_the_last_thousand_that_ended_are_told_oldest_first(conn: sqlite3.Connection) -> None:
    numbers = [add(conn, "completed") for _ in range(1010)]

    assert [task.n for task in tasks.stopped_tasks(conn, 0, 2)] == numbers[10:12]
    assert [task.n for task in tasks.stopped_tasks(conn, -1, 2)] == numbers[:-3:-1]
    assert len(tasks.stopped_tasks(conn, -1, 5000)) == 1000
    assert tasks.stopped_tasks(conn, 1000, 5) == []
    assert tasks.count_tasks(conn) == (0, 1000)


@pytest.mark.parametrize(
    "ask",
    [
        lambda conn: tasks.waiting_tasks(conn, 0, 1000),
        lambda conn: tasks.waiting_tasks(conn, -1, 1000),
        lambda conn: tasks.stopped_tasks(conn, -1, 1000),
        lambda conn: tasks.stopped_tasks(conn, 0, 1000),
        tasks.count_tasks,
        tasks.active_tasks,
    ],
)
def test_nothing_that_is_asked_every_second_scans_or_sorts(conn, ask) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    add(conn, "completed")
    asked: list[str] = []
    conn.set_trace_callback(asked.append)
    ask(conn)
    conn.set_trace_callback(None)
    plans = [
        str(row["detail"]) for sql in asked for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]

    assert plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert not [plan for plan in plans if plan.startswith("SCAN downloads") and "INDEX" not in plan]
