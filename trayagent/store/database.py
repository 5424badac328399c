"""One SQLite connection that writes; whole transactions as functions.

`await db.run(fn, *args)` runs `fn(conn, *args)` as one transaction in the database's own thread.
Functions that wait at the same time share one commit (group commit): each has its own savepoint, so
one that raises takes nothing else with it. A result is handed out only after the commit reached the
disk (`synchronous=FULL`). `await db.read(...)` uses a second, read-only connection on its own thread,
so that history and search never wait behind a commit or a lock. No SQL runs on a loop.

How long a caller waits for either is said at `waiting_at_most`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from trayagent.model.errors import TrayagentError
from trayagent.store import (
    admission,
    batches,
    clients,
    downloads,
    drop_lists,
    facts,
    library,
    listing,
    queue_order,
    sync_runs,
    transitions,
)
from trayagent.store.connection import Connection, Reading, Writing

REQUEST_SECONDS: Final = 4.0
"""What a request may wait for one transaction; it has 5 s for everything."""

_limit: ContextVar[tuple[float, asyncio.Task[object] | None] | None] = ContextVar(
    "database patience", default=None
)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Inside, and in this task only, no transaction is waited for longer.

    Tasks that are started inside copy the context, but outlive the request: they wait as long as it takes.
    """
    before = _limit.set((seconds, asyncio.current_task()))
    try:
        yield
    finally:
        _limit.reset(before)


def seconds_to_wait() -> float | None:
    """What the running task may wait for one transaction; None: as long as it takes."""
    limit = _limit.get()
    if limit is None or limit[1] is not asyncio.current_task():
        return None
    return limit[0]


MIGRATIONS = (
    downloads.SCHEMA
    + facts.SCHEMA
    + batches.SCHEMA
    + drop_lists.SCHEMA
    + admission.SCHEMA
    + clients.SCHEMA
    + library.SCHEMA
    + sync_runs.SCHEMA,
    downloads.UNREADABLE,
    transitions.SETTLED_RECORDS,
    listing.NAMES,
    queue_order.LAST,
)
"""Script i brings version i to version i+1."""


P = ParamSpec("P")
T = TypeVar("T")

LOCK_AT_START = 10.0
"""Seconds to wait at start for another program that has the database locked."""
LOCK_OF_READS = 2.0
"""Seconds a read waits for the moments in which another program keeps even readers out."""
CHECKED = 64 << 20
"""Databases up to so many bytes are checked whole at start; larger ones would make the start slow."""


class DatabaseError(TrayagentError):
    """The database cannot be used at all; raised at start."""


class Database:
    """Open with `Database.open`; `close()` is idempotent and finishes what was asked before it."""

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the database, bringing its schema up to date.

        A damaged file is kept aside and a new one made; one from a newer version raises
        DatabaseError and is left alone.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        conn = _open_or_set_aside(path)
        writer = Connection("database", conn, Writing(conn, path))
        reader_conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            check_same_thread=False,
            timeout=LOCK_OF_READS,
        )
        reader_conn.row_factory = sqlite3.Row
        return cls(path, writer, Connection("database reader", reader_conn, Reading(reader_conn)))

    async def run(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `fn(conn, ...)` as one transaction; durable when it returns.

        Raises StoreUnavailableError when the disk will not have it, or not in time; else what `fn` raises.
        """
        result: T = await self._writer.submit(
            lambda conn: fn(conn, *args, **kwargs), seconds_to_wait()
        )
        return result

    async def read(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `fn(conn, ...)` on the read-only connection; it sees every commit made before."""
        result: T = await self._reader.submit(
            lambda conn: fn(conn, *args, **kwargs), seconds_to_wait()
        )
        return result

    def when_late(self, act: Callable[[], None]) -> None:
        """Have `act` called on the loop after something was saved that nobody waited for any more."""
        self._writer.when_late = act

    def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        self._reader.close()
        self._writer.close()


def _open_or_set_aside(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise DatabaseError(
                "database_unavailable",
                f"The database {path} cannot be opened ({error}).",
                "Check that its folder is writable and the disk is not full.",
            ) from error
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{path}.damaged-{stamp}{suffix}")
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.close(fd)
    os.chmod(path, 0o600)
    conn = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=LOCK_AT_START,
        cached_statements=256,
    )
    try:
        conn.row_factory = sqlite3.Row
        _refuse_newer(conn, path)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "journal_size_limit=16777216",
        ):
            conn.execute(f"PRAGMA {pragma}")
        if (
            path.stat().st_size < CHECKED
            and conn.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
        ):
            raise sqlite3.DatabaseError("quick_check failed")
        _migrate(conn)
        conn.execute("PRAGMA busy_timeout=0")  # from here on waiting is ours to do
    except BaseException:
        conn.close()
        raise
    return conn


def _refuse_newer(conn: sqlite3.Connection, path: Path) -> None:
    version: int = conn.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise DatabaseError(
            "newer_database",
            f"The database {path} was made by a newer trayagent (version {version}, we know {len(MIGRATIONS)}).",
            "Update trayagent, or move the file away to start anew.",
        )


def _migrate(conn: sqlite3.Connection) -> None:
    version: int = conn.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        conn.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")


def open_read_only(path: Path) -> sqlite3.Connection | None:
    """A read-only connection; None when there is no database yet, or none we understand."""
    if not path.exists():
        return None
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        conn.row_factory = sqlite3.Row
        conn.execute("SELECT 1 FROM downloads LIMIT 1")
    except sqlite3.Error:
        return None
    return conn


def damage(path: Path) -> str | None:
    """What is wrong with a database file, in a few words; None when it is sound."""
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found: str = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
            version: int = conn.execute("PRAGMA user_version").fetchone()[0]
        finally:
            conn.close()
    except sqlite3.Error as error:
        return str(error)
    if version > len(MIGRATIONS):
        return "it was made by a newer trayagent"
    return None if found == "ok" else found
