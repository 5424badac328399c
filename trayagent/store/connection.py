"""A connection with a thread of its own, which takes calls in groups; or one at a time, right here.

A call is a function that gets the connection first. Of a writing connection it is a transaction.
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
from typing import Any, Protocol

from trayagent.model.errors import StoreUnavailableError

GROUP = 64
"""At most so many waiting transactions share a commit."""

PATIENCE = 10.0
"""Seconds to wait for another program that has locked the database."""


class LockedError(Exception):
    """Another program has locked the database just now."""


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
        if isinstance(error, StopIteration):  # which no future takes
            error = RuntimeError("a transaction ended with StopIteration")
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self.result)


class Work(Protocol):
    """What is done with calls."""

    def __call__(self, group: list[_Call], patience: float) -> BaseException | None:
        """Fill in result or error of each; returns why none of them counts. `patience`: seconds for a lock."""


class Writing:
    """Runs groups of calls, one commit for each group."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        self._conn = conn
        self._path = str(path)
        self._inode = path.stat().st_ino

    def __call__(self, group: list[_Call], patience: float) -> BaseException | None:
        try:
            self._same_file()
            self._begin(patience)
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
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
            raise
        return None

    def _begin(self, patience: float) -> None:
        until = time.monotonic() + patience
        while True:
            try:
                self._conn.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # whatever extends it
                    raise
                if not patience:
                    raise LockedError from error
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

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
            inode = os.stat(self._path).st_ino  # noqa: PTH116  half the time of Path.stat
        except FileNotFoundError:
            inode = -1
        if inode != self._inode:
            raise OSError("the database file was moved or replaced; restart trayagent")


class Reading:
    """Runs calls on the read-only connection."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def __call__(self, group: list[_Call], patience: float) -> BaseException | None:
        del patience  # readers never wait for writers (WAL)
        for call in group:
            try:
                call.result = call.fn(self._conn, *call.args, **call.kwargs)
            except sqlite3.OperationalError as error:
                call.error = StoreUnavailableError(f"The database cannot be read now ({error}).")
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked, on the loop
                call.error = error
        return None


class Connection:
    """A thread that owns one connection and takes calls in groups."""

    def __init__(
        self,
        name: str,
        conn: sqlite3.Connection,
        work: Work,
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
        """Have a call done by the thread; the future gets what it returns or raises."""
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
        """Run one call on the loop's own thread while the other is idle. Raises what it raises.

        Does not wait for a lock: raises LockedError.
        """
        call = _Call(fn, args, kwargs)
        error = self._work([call], 0.0) or call.error
        if error is not None:
            raise error
        return call.result

    def close(self) -> None:
        """Finish what was asked, then close the connection; idempotent."""
        if not self._closed.is_set():
            self._closed.set()
            self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._calls.get()) is not None:
            group, last = self._drain(first)
            self._answer(group, self._work(group, PATIENCE))
            if last:
                break
        self._conn.close()

    def _answer(self, group: list[_Call], failure: BaseException | None) -> None:
        # The loop is woken once for all of them: that costs more than most of the calls.
        with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, group, failure)

    def _settle(self, group: list[_Call], failure: BaseException | None) -> None:
        for call in group:
            call.settle(failure)
        # Whoever waited goes on before the connection counts as idle: else a `do` could overtake what
        # they tell of their transactions.
        self._loop.call_soon(self._settled, len(group))

    def _settled(self, count: int) -> None:
        self._pending -= count

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
