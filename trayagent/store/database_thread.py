"""A thread with a connection of its own, which takes calls in groups.

A call is a function that gets the connection first. Of the writing connection it is a transaction;
calls that wait at the same moment share one commit, since a commit costs a disk far more than the
statements before it.

What becomes of a call; who asked waits for its future, on the loop:

| state    | what happens                        | next     | who asked gets                         |
|----------|-------------------------------------|----------|----------------------------------------|
| waiting  | the thread begins it                | begun    |                                        |
| waiting  | its time is up                      | refused  | StoreUnavailableError; it never runs   |
| begun    | it returns, and the commit succeeds | answered | the result                             |
| begun    | it raises                           | answered | its error; only its own work is undone |
| begun    | the commit, or BEGIN, fails         | answered | StoreUnavailableError                  |
| begun    | its time is up                      | late     | StoreUnavailableError, but it may      |
|          |                                     |          | still be saved: `when_late` tells      |
| any      | the task that asked is cancelled    | the same | nothing; what was asked is done        |

`PendingCall._lock` decides between "begun" and "refused": one thread sets each of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from trayagent.model.errors import FREE_SPACE, StoreUnavailableError

MOST_IN_GROUP: Final = 64
"""At most so many waiting transactions share a commit."""
LOCK_LOOK_SECONDS: Final = 0.02
"""Seconds between two looks whether another program still has the database locked."""
LOCK_AT_CLOSE_SECONDS: Final = 1.0
"""Seconds that closing waits for such a lock; then what was not saved is left to the next start."""


class PendingCall:
    """One function to be run with the connection, and who waits for it."""

    __slots__ = ("_begun", "_fn", "_lock", "_refused", "deadline", "error", "future", "result")

    def __init__(
        self,
        fn: Callable[[sqlite3.Connection], Any],
        future: asyncio.Future[Any],
        deadline: float | None,
    ) -> None:
        self._fn = fn
        self._lock = threading.Lock()
        self._begun = self._refused = False
        self.future = future
        self.deadline = deadline
        """By the monotonic clock; None: it waits as long as it takes."""
        self.result: Any = None
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.done()

    def begin(self) -> bool:
        """Whether it is to be run; asked by the thread, once it would."""
        with self._lock:
            self._begun = not self._refused
            return self._begun

    def refuse(self, error: StoreUnavailableError) -> None:
        """Its time is up: answer that, on the loop."""
        with self._lock:
            if not self.future.done():
                self._refused = True
                self.future.set_exception(error)

    def attempt(self, conn: sqlite3.Connection) -> bool:
        """Run it; whether it did not raise. Raises sqlite3.OperationalError, which concerns all of a group."""
        try:
            self.result = self._fn(conn)
        except sqlite3.OperationalError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked, on the loop
            self.error = error
        return self.error is None

    def settle(self, failure: BaseException | None) -> bool:
        """Answer, on the loop. True: it was saved, but who asked was refused before, or has gone."""
        error = self.error or failure
        if self.future.done():
            return self._begun and error is None
        if isinstance(error, StopIteration):  # which no future takes
            error = RuntimeError("a transaction ended with StopIteration")
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self.result)
        return False


class Work(Protocol):
    """How a group of calls is run."""

    def __call__(self, group: list[PendingCall], closing: threading.Event) -> BaseException | None:
        """Fill in result or error of each; returns why none of them counts."""


class WriteGroup:
    """Runs groups of calls, one commit for each group."""

    def __init__(self, conn: sqlite3.Connection, path: Path) -> None:
        self._conn = conn
        self._path = str(path)
        self._inode = path.stat().st_ino

    def __call__(self, group: list[PendingCall], closing: threading.Event) -> BaseException | None:
        try:
            self._check_file()
            if not self._begin(group, closing):
                return None
            begun = [call for call in group if call.begin()]
            if len(begun) == 1:
                # No savepoint: half of the time of a transaction of one row.
                self._conn.execute("COMMIT" if begun[0].attempt(self._conn) else "ROLLBACK")
                return None
            for call in begun:
                # Each is undone by itself when it raises, and takes nothing of the others with it.
                self._conn.execute("SAVEPOINT call")
                if not call.attempt(self._conn):
                    self._conn.execute("ROLLBACK TO call")
                self._conn.execute("RELEASE call")
            self._conn.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            return StoreUnavailableError(f"The database cannot save now ({error}).", FREE_SPACE)
        except BaseException:
            # The thread dies of it, but no half transaction stays open on the connection.
            self._roll_back()
            raise
        return None

    def _begin(self, group: list[PendingCall], closing: threading.Event) -> bool:
        """Wait for the lock as long as anybody waits for an answer; False when nobody does any more.

        Raises sqlite3.OperationalError.
        """
        until: float | None = None
        while True:
            try:
                self._conn.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                # The low byte is the primary code: SQLITE_BUSY_SNAPSHOT and its kin are locks, too.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if closing.is_set():
                    until = until or time.monotonic() + LOCK_AT_CLOSE_SECONDS
                    if time.monotonic() > until:
                        raise
                if all(call.is_over for call in group):
                    return False
                time.sleep(LOCK_LOOK_SECONDS)
            else:
                return True

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._conn.execute("ROLLBACK")

    def _check_file(self) -> None:
        # SQLite goes on writing into a file that was deleted or replaced: that would acknowledge what
        # nobody can read again.
        try:
            inode = os.stat(self._path).st_ino  # noqa: PTH116  half the time of Path.stat
        except FileNotFoundError:
            inode = -1
        if inode != self._inode:
            raise OSError("the database file was moved or replaced; restart trayagent")


class ReadGroup:
    """Runs calls on the read-only connection. Readers never wait for writers (WAL)."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn

    def __call__(self, group: list[PendingCall], closing: threading.Event) -> BaseException | None:
        del closing
        for call in group:
            try:
                if call.begin():
                    call.attempt(self._conn)
            except sqlite3.OperationalError as error:
                call.error = StoreUnavailableError(f"The database cannot be read now ({error}).")
        return None


class DatabaseThread:
    """A thread that owns one connection and takes calls in groups."""

    def __init__(self, name: str, conn: sqlite3.Connection, work: Work) -> None:
        self._calls: queue.SimpleQueue[PendingCall | None] = queue.SimpleQueue()
        self._conn = conn
        self._work = work
        self._closing = threading.Event()
        self._busy_since: float | None = None
        """Since when the thread is at its present group; written by the thread."""
        self._bounded: deque[PendingCall] = deque()
        """Calls with a deadline that may still be open, oldest first."""
        self._timer: asyncio.TimerHandle | None = None
        self.when_late: Callable[[], None] = lambda: None
        """Called on the loop after something was saved that nobody waited for any more."""
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, fn: Callable[[sqlite3.Connection], Any], patience: float | None = None
    ) -> asyncio.Future[Any]:
        """Have a call done by the thread; the future gets what it returns or raises.

        With `patience`, in seconds, it raises StoreUnavailableError after so long; at once when the
        thread has been stuck for that long already, because whatever holds it holds the next one, too.
        """
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._closing.is_set():
            future.set_exception(StoreUnavailableError("The database is closed."))
            return future
        if patience is None:
            self._calls.put(PendingCall(fn, future, None))
            return future
        now = time.monotonic()
        if self._busy_since is not None and now - self._busy_since >= patience:
            future.set_exception(_busy_error())
            return future
        call = PendingCall(fn, future, now + patience)
        self._calls.put(call)
        self._bounded.append(call)
        if self._timer is None:
            self._timer = self._loop.call_later(patience, self._refuse_late)
        return future

    def close(self) -> None:
        """Finish what was asked, then close the connection; idempotent."""
        # None is the last thing in the queue: every call before it is still done.
        if not self._closing.is_set():
            self._closing.set()
            self._calls.put(None)
        self._thread.join()
        if self._timer is not None:
            self._timer.cancel()

    # -- on the loop

    def _refuse_late(self) -> None:
        """Answer the calls whose time is up, and look again when the next one's is."""
        now = time.monotonic()
        for call in self._bounded:
            if call.deadline is not None and call.deadline <= now:
                call.refuse(_busy_error())
        self._forget_answered()
        due = [call.deadline for call in self._bounded if call.deadline is not None]
        self._timer = self._loop.call_later(min(due) - now, self._refuse_late) if due else None

    def _forget_answered(self) -> None:
        while self._bounded and self._bounded[0].is_over:
            self._bounded.popleft()

    def _settle(self, group: list[PendingCall], failure: BaseException | None) -> None:
        late = [call.settle(failure) for call in group]
        self._forget_answered()
        if any(late):
            self.when_late()

    # -- in the thread

    def _run(self) -> None:
        last = False
        while not last and (first := self._calls.get()) is not None:
            group, last = self._drain(first)
            self._busy_since = time.monotonic()
            failure = self._work(group, self._closing)
            self._busy_since = None
            # The loop is woken once for all of them: that costs more than most of the calls.
            with contextlib.suppress(RuntimeError):  # it is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle, group, failure)
        self._conn.close()

    def _drain(self, first: PendingCall) -> tuple[list[PendingCall], bool]:
        # What gathered while the last group was saved goes into one commit. Nobody waits for company: a
        # single call is saved at once.
        group = [first]
        while len(group) < MOST_IN_GROUP:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                break
            if call is None:
                return group, True
            group.append(call)
        return group, False


def _busy_error() -> StoreUnavailableError:
    return StoreUnavailableError("The database is busy or locked by another program.")
