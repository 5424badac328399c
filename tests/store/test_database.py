"""The database: whole transactions on one thread, honest about what is on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from tests.privacy import is_private
from trayagent.model.errors import StoreUnavailableError
from trayagent.store import database_thread, downloads
from trayagent.store.database import MIGRATIONS, Database, DatabaseError, waiting_at_most
from trayagent.store.facts import fact, set_fact


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "trayagent.db")
    yield database
    database.close()


@contextlib.contextmanager
def locked(db: Database) -> Iterator[sqlite3.Connection]:
    """Another program that has the database locked."""
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


async def outcome(work: Awaitable[None]) -> BaseException | None:
    try:
        await work
    except LookupError as error:
        return error
    return None


async def test_a_transaction_is_durable_when_run_returns(db: Database) -> None:
    """What `run` returned can be read by anybody who opens the file."""
    await db.run(set_fact, "colour", "green")

    with sqlite3.connect(db.path) as other:
        assert other.execute("SELECT value FROM facts").fetchall() == [("green",)]
    other.close()


async def test_one_failing_transaction_takes_nothing_else_with_it(db: Database) -> None:
    """Transactions that share a commit stand or fall alone."""

    def bad(conn: sqlite3.Connection) -> None:
        set_fact(conn, "bad", "1")
        raise LookupError("no")

    async with asyncio.TaskGroup() as group:
        group.create_task(db.run(set_fact, "a", "1"))
        failing = group.create_task(outcome(db.run(bad)))
        group.create_task(db.run(set_fact, "b", "2"))

    assert isinstance(failing.result(), LookupError)
    assert [await db.read(fact, name) for name in ("a", "bad", "b")] == ["1", None, "2"]


async def test_no_transaction_runs_on_the_loop(db: Database) -> None:
    """However quick the disk: what it does in the next moment nobody knows."""

    def thread(conn: sqlite3.Connection) -> str:
        del conn
        return threading.current_thread().name

    assert await db.run(thread) == "database"
    assert await db.read(thread) == "database reader"


async def test_a_lock_of_another_program_is_waited_for_beside_the_loop(db: Database) -> None:
    """Somebody who looks into the file with a tool of his own delays us, and nothing is lost."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        with locked(db):
            for name in ("a", "b"):
                group.create_task(db.run(set_fact, name, "1"))
            assert await db.read(fact, "a") is None  # the loop and readers go on meanwhile
    assert [await db.read(fact, name) for name in ("a", "b")] == ["1", "1"]


async def test_a_request_is_answered_in_time_and_was_never_done(db: Database) -> None:
    """Who was told no finds nothing done later; who can wait has it done."""
    with locked(db) as other:
        with waiting_at_most(0.05), pytest.raises(StoreUnavailableError, match="locked"):
            await db.run(set_fact, "a", "1")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(db.run(set_fact, "b", "1"))
            await asyncio.sleep(0.1)
            before = time.monotonic()
            with waiting_at_most(0.05), pytest.raises(StoreUnavailableError):
                await db.run(set_fact, "c", "1")
            assert time.monotonic() - before < 0.04  # it is stuck already: why wait for it again
            assert not waiting.done()
            other.execute("COMMIT")
    assert [await db.read(fact, name) for name in ("a", "b", "c")] == [None, "1", None]


async def test_what_a_request_starts_outlives_its_patience(db: Database) -> None:
    """A sync that a request began goes on when the request has its answer."""
    async with asyncio.TaskGroup() as group:
        with waiting_at_most(0.0):
            group.create_task(db.run(set_fact, "a", "1"), name="sync")
    assert await db.read(fact, "a") == "1"


async def test_what_is_saved_too_late_is_told(db: Database) -> None:
    """A disk that hangs in the middle: no is answered in time, and what was saved all the same is looked for."""
    late, go = asyncio.Event(), threading.Event()
    db.when_late(late.set)

    def slow(conn: sqlite3.Connection) -> None:
        set_fact(conn, "a", "1")
        go.wait(5)

    with waiting_at_most(0.05), pytest.raises(StoreUnavailableError):
        await db.run(slow)
    assert not late.is_set()
    go.set()
    async with asyncio.timeout(5):
        await late.wait()
    assert await db.read(fact, "a") == "1"


def test_closing_does_not_wait_for_a_lock_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be saved is told so."""
    monkeypatch.setattr(database_thread, "LOCK_AT_CLOSE_SECONDS", 0.05)
    db = Database.open(tmp_path / "db")

    async def refused(db: Database) -> None:
        with pytest.raises(StoreUnavailableError, match="locked"):
            await db.run(set_fact, "a", "1")

    async def close_while_locked() -> None:
        with locked(db):
            async with asyncio.TaskGroup() as group:
                group.create_task(refused(db), name="saving")
                await asyncio.sleep(0.05)
                db.close()

    asyncio.run(close_while_locked())


async def test_every_commit_reaches_the_disk(db: Database) -> None:
    """A power cut takes nothing that was acknowledged: SQLite syncs its log with each transaction."""

    def settings(conn: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "journal_mode")
        return [conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await db.run(settings) == [2, "wal"]


async def test_a_database_that_was_replaced_is_never_written_again(
    db: Database, tmp_path: Path
) -> None:
    """Writing into a file nobody can find would acknowledge what is lost."""
    if sys.platform == "win32":
        with pytest.raises(PermissionError):  # there, nobody can take away what is open
            db.path.rename(tmp_path / "elsewhere.db")
        return
    db.path.rename(tmp_path / "elsewhere.db")

    with pytest.raises(StoreUnavailableError, match="moved or replaced"):
        await db.run(set_fact, "a", "1")


def test_a_damaged_database_is_kept_aside(tmp_path: Path) -> None:
    """A file that is no database is moved away whole, and a new one is made."""
    path = tmp_path / "trayagent.db"
    path.write_bytes(b"this is not a database, but somebody may want it" * 100)

    Database.open(path).close()

    (kept,) = tmp_path.glob("trayagent.db.damaged-*")
    assert kept.read_bytes().startswith(b"this is not a database")


def test_a_database_that_is_damaged_inside_is_kept_aside_too(tmp_path: Path) -> None:
    """Its first page is whole, so it opens; what it would answer is anybody's guess."""
    path = tmp_path / "trayagent.db"
    Database.open(path).close()
    with sqlite3.connect(path) as conn:
        conn.executemany(
            "INSERT INTO facts(name, value) VALUES (?, ?)",
            ((f"{n}", "x" * 500) for n in range(500)),
        )
        conn.execute("PRAGMA journal_mode=DELETE")
    conn.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:40_000] + b"\xaa" * 40_000 + whole[80_000:])

    Database.open(path).close()

    (kept,) = tmp_path.glob("trayagent.db.damaged-*")
    assert kept.read_bytes()[40_000:80_000] == b"\xaa" * 40_000


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """We say that it is newer and do not touch it."""
    path = tmp_path / "trayagent.db"
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()
    before = path.read_bytes()

    with pytest.raises(DatabaseError, match="newer trayagent"):
        Database.open(path)

    assert path.read_bytes() == before


def test_an_older_database_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Each version's script runs once, on what the version before left."""
    path = tmp_path / "trayagent.db"
    with sqlite3.connect(path) as conn:
        conn.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
        conn.execute(
            "INSERT INTO downloads(key, url, host, state, path, via, created_at)"
            " VALUES ('k', 'http://h/1', 'h', 'completed', '/tmp/1', 'cli', 1.0)"
        )
    conn.close()

    for _ in range(2):
        Database.open(path).close()

    with sqlite3.connect(path) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert downloads.checksums_missing(conn, 0) == [(1, "/tmp/1")]
        assert conn.execute("SELECT name, ending FROM downloads").fetchall() == [("1", "1")]
    conn.close()


def test_the_database_is_private(tmp_path: Path) -> None:
    """Only the owner may read the file, also when it was there with other rights."""
    path = tmp_path / "trayagent.db"
    path.touch(mode=0o644)

    Database.open(path).close()

    assert is_private(path)


async def test_close_is_idempotent_and_later_calls_say_so(tmp_path: Path) -> None:
    """A closed database answers with an error instead of hanging."""
    database = Database.open(tmp_path / "trayagent.db")
    database.close()
    database.close()

    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.run(set_fact, "a", "1")
