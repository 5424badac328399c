"""A connection's thread: it answers in groups, and is idle once everybody has heard."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from trayagent.store.connection import Connection, Writing


def one(conn: sqlite3.Connection) -> int:
    found: int = conn.execute("SELECT 1").fetchone()[0]
    return found


def stopping(conn: sqlite3.Connection) -> None:
    raise StopIteration


async def test_who_waited_goes_on_before_the_connection_is_idle(tmp_path: Path) -> None:
    """What is told of one transaction is told before the next one can be made on the loop."""
    path = tmp_path / "db"
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection, order = Connection("test", conn, Writing(conn, path)), list[str]()

    async def asking() -> None:
        await connection.submit(one, (), {})
        order.append("told")

    async def watching() -> None:
        while not connection.idle:  # noqa: ASYNC110 - the order of the loop is what is tested
            await asyncio.sleep(0)
        order.append("idle")

    for _ in range(20):
        order.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(asking())
            await asyncio.sleep(0)
            group.create_task(watching())
        assert order == ["told", "idle"]
    connection.close()


async def test_no_answer_of_a_group_is_lost_by_an_odd_error(tmp_path: Path) -> None:
    """StopIteration cannot be put into a future; the others of its group are answered all the same."""
    path = tmp_path / "db"
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection = Connection("test", conn, Writing(conn, path))
    odd, good = connection.submit(stopping, (), {}), connection.submit(one, (), {})
    with pytest.raises(RuntimeError):
        await odd
    assert await good == 1
    connection.close()
