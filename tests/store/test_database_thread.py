"""A connection's thread: it answers in groups, and in time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from trayagent.store.database_thread import DatabaseThread, WriteGroup


def one(conn: sqlite3.Connection) -> int:
    found: int = conn.execute("SELECT 1").fetchone()[0]
    return found


def stopping(conn: sqlite3.Connection) -> None:
    raise StopIteration


async def test_no_answer_of_a_group_is_lost_by_an_odd_error(tmp_path: Path) -> None:
    """StopIteration cannot be put into a future; the others of its group are answered all the same."""
    path = tmp_path / "db"
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    thread = DatabaseThread("test", conn, WriteGroup(conn, path))
    odd, good = thread.submit(stopping), thread.submit(one)
    with pytest.raises(RuntimeError):
        await odd
    assert await good == 1
    thread.close()
