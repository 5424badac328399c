"""Threads of their own for work that waits for networks and disks, so that nothing else does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

GIVE_UP: Final = 3.0
"""Seconds that a cancelled caller waits for work which does not stop: a disk may stand still for ever."""
PATIENCE: Final = 0.02
"""Seconds that a turn is waited for."""
IDLE: Final = 10.0
"""Seconds after which a thread without work ends."""


class StoppedError(Exception):
    """The work was told to stop."""


class Turns:
    """One at a time, among threads that work on quick disks.

    Each system call hands the interpreter's lock to another thread and has to wait for it again: four
    threads that finish small files at once pass it around 180 times a file and take four times as
    long (measured). So one of them works while the others wait for their turn, which it gives away
    whenever it waits itself. A turn that lasts (a slow disk) is waited for once; until it is over,
    everybody works as he comes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_stuck = False

    def take(self) -> bool:
        """Wait for a turn, not for long; returns whether there is one to `give` back."""
        # One that lasts may be over by now, even if its end was missed here.
        if self._lock.acquire(timeout=0 if self._is_stuck else PATIENCE):
            return True
        self._is_stuck = True
        return False

    def give(self) -> None:
        """The next one's turn."""
        self._is_stuck = False
        self._lock.release()

    def __repr__(self) -> str:
        return f"<Turns{', one of which lasts' if self._is_stuck else ''}>"


class Threads:
    """Runs work in threads that are used again. They are daemons: a stuck one keeps no process alive."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None]]] = []
        self._count = 0

    async def run(self, act: Callable[[], T], stop: Callable[[], None]) -> T:
        """Run `act` in a thread of its own until it is done.

        A cancellation calls `stop`, which may be called from any thread, and takes effect once the
        work is over; what the work raised then is lost.
        """
        run = _Run(act)
        self._start(run.work)
        try:
            return await run.done
        except asyncio.CancelledError:
            stop()
            await run.wait_for_end()
            raise

    def _start(self, work: Callable[[], None]) -> None:
        with suppress(IndexError):  # no thread is idle; one that ends goes by itself
            self._idle.pop().put(work)
            return
        self._count += 1
        jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        jobs.put(work)
        name = f"transfer {self._count}"
        threading.Thread(target=self._serve, args=(jobs,), name=name, daemon=True).start()

    def _serve(self, jobs: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            try:
                work = jobs.get(timeout=IDLE)
            except Empty:
                try:
                    self._idle.remove(jobs)
                except ValueError:
                    continue  # somebody has just chosen this thread: the work is on its way
                return
            work()
            self._idle.append(jobs)

    def __repr__(self) -> str:
        return f"<Threads: {self._count}, {len(self._idle)} idle>"


class _Run(Generic[T]):
    """One piece of work on its way through a thread and back."""

    def __init__(self, act: Callable[[], T]) -> None:
        self._loop = asyncio.get_running_loop()
        self._act = act
        self._over = asyncio.Event()
        self.done: asyncio.Future[T] = self._loop.create_future()

    def work(self) -> None:
        """Do it; called by the thread."""
        try:
            result, error = self._act(), None
        except BaseException as raised:  # noqa: BLE001  whatever it is, it is the caller's
            result, error = None, raised
        try:
            self._loop.call_soon_threadsafe(self._finish, result, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    def _finish(self, result: T | None, error: BaseException | None) -> None:
        self._over.set()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(result)  # type: ignore[arg-type]
        else:
            self.done.set_exception(error)

    async def wait_for_end(self) -> None:
        """Wait for work that was stopped, but not for ever; a second cancellation changes nothing."""
        ends = self._loop.time() + GIVE_UP
        while not self._over.is_set() and self._loop.time() < ends:
            try:
                async with asyncio.timeout_at(ends):
                    await self._over.wait()
            except (asyncio.CancelledError, TimeoutError):
                continue
