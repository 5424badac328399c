"""One SQLite connection on one thread; whole transactions as functions.

`await db.run(fn, *args)` runs `fn(conn, *args)` as one transaction. Functions that wait at the
same time share one commit (group commit): each has its own savepoint, so one that raises takes
nothing else with it. A result is handed out only after the commit reached the disk
(`synchronous=FULL`). `await db.read(...)` uses a second, read-only connection on its own thread,
so that history and search never wait behind a commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from trayagent.model.disk import Disk
from trayagent.model.errors import StoreUnavailableError, TrayagentError
from trayagent.store.schema import MIGRATIONS

P = ParamSpec("P")
T = TypeVar("T")

GROUP = 64
"""At most so many waiting transactions share a commit."""

CHECKED = 64 << 20
"""Databases up to so many bytes are checked whole at start; larger ones would make the start slow."""


class DatabaseError(TrayagentError):
    """The database cannot be used at all; raised at start."""


@dataclass(slots=True)
class _Call:
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    future: asyncio.Future[Any] | None = None
    result: Any = None
    error: BaseException | None = None

    def settle(self, failure: BaseException | None) -> None:
        error = self.error or failure
        if self.future is None or self.future.done():
            return  # whoever asked was cancelled
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self.result)


class Database:
    """Open with `Database.open`; `close()` is idempotent and finishes what was asked before it."""

    def __init__(self, path: Path, writer: _Thread, reader: _Thread) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._disk = Disk()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the database, bringing its schema up to date.

        A damaged file is kept aside and a new one made; one from a newer version raises
        DatabaseError and is left alone.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        conn = _open_or_set_aside(path)
        writer = _Thread("database", conn, _Writing(conn, path))
        reader_conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )
        reader_conn.row_factory = sqlite3.Row
        return cls(path, writer, _Thread("database reader", reader_conn, _Reading(reader_conn)))

    async def run(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `fn(conn, ...)` as one transaction; durable when it returns.

        Raises StoreUnavailableError when the disk will not have it; else what `fn` raises.
        """
        result: T = await self._writer.submit(fn, args, kwargs)
        return result

    async def step(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `run`, for a transaction of a few rows: at once on the loop where the disk is quick.

        A change of threads there and back takes longer than such a transaction on a quick disk, and
        every download has three.
        """
        if not (self._writer.idle and self._disk.quick):
            return await self.run(fn, *args, **kwargs)
        with self._disk.watched():
            result: T = self._writer.do(fn, args, kwargs)
        return result

    async def read(
        self,
        fn: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `fn(conn, ...)` on the read-only connection; it sees every commit made before."""
        result: T = await self._reader.submit(fn, args, kwargs)
        return result

    def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        self._reader.close()
        self._writer.close()


class _Writing:
    """Runs groups of calls, one commit for each group."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        self._conn = conn
        self._path = path
        self._inode = path.stat().st_ino

    def __call__(self, group: list[_Call]) -> BaseException | None:
        try:
            self._same_file()
            self._conn.execute("BEGIN IMMEDIATE")
            if len(group) > 1:
                for call in group:
                    self._attempt_apart(call)
            self._conn.execute(
                "COMMIT" if len(group) > 1 or self._attempt(group[0]) else "ROLLBACK"
            )
        except (sqlite3.Error, OSError) as error:
            with contextlib.suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            return StoreUnavailableError(f"The database cannot save now ({error}).")
        return None

    def _attempt(self, call: _Call) -> bool:
        """Whether it did not raise."""
        try:
            call.result = call.fn(self._conn, *call.args, **call.kwargs)
        except sqlite3.OperationalError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked, on the loop
            call.error = error
        return call.error is None

    def _attempt_apart(self, call: _Call) -> None:
        """As one of several: what it did is undone by itself when it raises."""
        self._conn.execute("SAVEPOINT call")
        if not self._attempt(call):
            self._conn.execute("ROLLBACK TO call")
        self._conn.execute("RELEASE call")

    def _same_file(self) -> None:
        # Writing into a file that was deleted or replaced would acknowledge what nobody can read again.
        try:
            inode = self._path.stat().st_ino
        except FileNotFoundError:
            inode = -1
        if inode != self._inode:
            raise OSError("the database file was moved or replaced; restart trayagent")


class _Reading:
    """Runs calls on the read-only connection."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def __call__(self, group: list[_Call]) -> BaseException | None:
        for call in group:
            try:
                call.result = call.fn(self._conn, *call.args, **call.kwargs)
            except sqlite3.OperationalError as error:
                call.error = StoreUnavailableError(f"The database cannot be read now ({error}).")
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked, on the loop
                call.error = error
        return None


class _Thread:
    """A thread that owns one connection and takes calls in groups."""

    def __init__(
        self,
        name: str,
        conn: sqlite3.Connection,
        work: Callable[[list[_Call]], BaseException | None],
    ) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._conn = conn
        self._work = work
        self._closed = threading.Event()
        self._pending = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> asyncio.Future[Any]:
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closed.is_set():
            future.set_exception(StoreUnavailableError("The database is closed."))
        else:
            self._pending += 1
            self._calls.put(_Call(fn, args, kwargs, future))
        return future

    @property
    def idle(self) -> bool:
        """Whether the thread has nothing to do, so that the connection is free. Asked on the loop."""
        return not self._pending and not self._closed.is_set()

    def do(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run one call on the loop's own thread while the other is idle. Raises what it raises."""
        call = _Call(fn, args, kwargs)
        error = self._work([call]) or call.error
        if error is not None:
            raise error
        return call.result

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._calls.get()) is not None:
            group, last = self._drain(first)
            self._answer(group, self._work(group))
            if last:
                break
        self._conn.close()

    def _answer(self, group: list[_Call], failure: BaseException | None) -> None:
        # The loop is woken once for all of them: that costs more than most of the calls.
        with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, group, failure)

    def _settle(self, group: list[_Call], failure: BaseException | None) -> None:
        self._pending -= len(group)
        for call in group:
            call.settle(failure)

    def _drain(self, first: _Call) -> tuple[list[_Call], bool]:
        group = [first]
        while len(group) < GROUP:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                break
            if call is None:
                return group, True
            group.append(call)
        return group, False


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
        path, isolation_level=None, check_same_thread=False, timeout=10, cached_statements=256
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
