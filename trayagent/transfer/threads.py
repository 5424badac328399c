"""Threads of their own for work that waits for networks and disks, so that nothing else does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")

GIVE_UP: Final = 3.0
"""Seconds that a cancelled caller waits for work which does not stop: a disk may stand still for ever."""
IDLE: Final = 10.0
"""Seconds after which a thread without work ends."""


class StoppedError(Exception):
    """The work was told to stop."""


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
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = act()
            except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
                _post(loop, _fail, done, error)
            else:
                _post(loop, _succeed, done, result)

        self._start(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            stop()
            await _wait_for_end(done)
            raise

    def _start(self, work: Callable[[], None]) -> None:
        if self._idle:
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


async def _wait_for_end(done: asyncio.Future[T]) -> None:
    """Wait for stopped work, but not for ever; a second cancellation changes nothing."""
    ends = asyncio.get_running_loop().time() + GIVE_UP
    while not done.done() and (left := ends - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.wait((done,), timeout=left)
        except asyncio.CancelledError:
            continue
    if done.done() and not done.cancelled():
        done.exception()


def _post(loop: asyncio.AbstractEventLoop, act: Callable[..., None], *arguments: object) -> None:
    try:
        loop.call_soon_threadsafe(act, *arguments)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def _succeed(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
