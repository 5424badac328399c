"""The database: one SQLite connection that writes, and one that reads.

`await db.run(fn, *args)` runs `fn(conn, *args)` as one transaction in the writer's own thread; the
result comes once the commit has reached the disk (`synchronous=FULL`). Transactions that wait at the
same time share that commit; see `database_thread`. `await db.read(...)` uses the read-only connection
in a thread of its own, so that history and search never wait behind a commit or a lock (WAL). No SQL
runs on a loop.

How long a caller waits: as long as it takes, but inside `waiting_at_most` only so many seconds. A
request of the hook is answered within seconds, also while another program has the database locked or
its disk hangs. What no person waits for (a finished download, a line of a list) waits on.
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

from trayagent.files import replace_shared
from trayagent.model.errors import TrayagentError
from trayagent.store import (
    admission,
    batches,
    clients,
    downloads,
    drop_lists,
    facts,
    handovers,
    library,
    listing,
    moves,
    outbox,
    queue_order,
    recovery,
    sync_runs,
    tasks,
)
from trayagent.store.database_thread import DatabaseThread, ReadGroup, WriteGroup

REQUEST_SECONDS: Final = 4.0
"""What a request may wait for one transaction; it has 5 s for everything."""

# With the task that set it: a task started inside copies the context, but must not inherit the
# limit.
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
    recovery.SETTLED_RECORDS,
    listing.NAMES,
    queue_order.LAST,
    listing.NAMES_KEPT,
    handovers.SCHEMA,
    tasks.GIDS + clients.KINDS,
    moves.SCHEMA,
    outbox.SCHEMA,
    moves.BY_HAND,
)
"""Script i brings version i to version i+1; a released script is never edited."""


P = ParamSpec("P")
T = TypeVar("T")

LOCK_AT_START_SECONDS = 10.0
"""Seconds to wait at start for another program that has the database locked."""
LOCK_OF_READS_SECONDS = 2.0
"""Seconds a read waits for the moments in which another program keeps even readers out."""
CHECKED_BYTES = 64 << 20
"""Databases up to so many bytes are checked whole at start; larger ones would make the start slow."""


class DatabaseError(TrayagentError):
    """The database cannot be used at all; raised at start."""


class Database:
    """Open with `Database.open`; `close()` is idempotent and finishes what was asked before it."""

    def __init__(self, path: Path, writer: DatabaseThread, reader: DatabaseThread) -> None:
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
        writer = DatabaseThread("database", conn, WriteGroup(conn, path))
        # A second connection for reading: in WAL mode it never waits for the writer, so a page of the
        # dashboard comes while a large list is being saved.
        reader_conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            check_same_thread=False,
            timeout=LOCK_OF_READS_SECONDS,
        )
        reader_conn.row_factory = sqlite3.Row
        return cls(
            path, writer, DatabaseThread("database reader", reader_conn, ReadGroup(reader_conn))
        )

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

    def begin_read(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> asyncio.Future[T]:
        """As `read`, for a caller that may stop waiting while others want the result all the same."""
        return self._reader.submit(lambda conn: fn(conn, *args, **kwargs))

    def when_late(self, act: Callable[[], None]) -> None:
        """Have `act` called on the loop after something was saved that nobody waited for any more."""
        self._writer.when_late = act

    def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        self._reader.close()
        self._writer.close()


def _open_or_set_aside(path: Path) -> sqlite3.Connection:
    """The writing connection. A damaged file is kept aside, and the agent begins with a new one."""
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        # OperationalError says that the file cannot be used now (locked, no room, not readable). Only
        # the others say that it is damaged; moving a sound database away would lose the queue.
        if isinstance(error, sqlite3.OperationalError):
            raise DatabaseError(
                "database_unavailable",
                f"The database {path} cannot be opened ({error}).",
                "Check that its folder is writable and the disk is not full.",
            ) from error
    stamp = time.strftime("%Y%m%d-%H%M%S")
    # The log goes with its database: left behind, it would be replayed into the new one.
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            replace_shared(f"{path}{suffix}", f"{path}.damaged-{stamp}{suffix}")
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    """Open, check and migrate. Raises sqlite3.DatabaseError, DatabaseError."""
    # SQLite would make the file with the umask's rights, and the history is nobody else's business.
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.close(fd)
    os.chmod(path, 0o600)
    conn = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        timeout=LOCK_AT_START_SECONDS,
        cached_statements=256,
    )
    try:
        conn.row_factory = sqlite3.Row
        version: int = conn.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise DatabaseError(
                "newer_database",
                f"The database {path} was made by a newer trayagent"
                f" (version {version}, we know {len(MIGRATIONS)}).",
                "Update trayagent, or move the file away to start anew.",
            )
        for pragma in (
            "journal_mode=WAL",  # readers do not wait for the writer
            "synchronous=FULL",  # what was acknowledged survives a power cut, too
            "foreign_keys=ON",
            "journal_size_limit=16777216",  # the log shrinks again after a burst
        ):
            conn.execute(f"PRAGMA {pragma}")
        is_small = path.stat().st_size < CHECKED_BYTES
        if is_small and conn.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check failed")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            # A script and its version are one transaction: a kill leaves the one before.
            conn.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;"
            )
        # From here on `database_thread` waits for locks itself: it can be refused and closed meanwhile.
        conn.execute("PRAGMA busy_timeout=0")
    except BaseException:
        conn.close()
        raise
    return conn


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
