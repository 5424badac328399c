"""Who drives an attempt: the engine's thread while that is quick, else a thread of its own.

An attempt is a coroutine without a loop. It waits by one of three awaitables; whoever drives it calls
`send` again once what it waits for is here:

    awaits            goes on                                                where
    ----------------  -----------------------------------------------------  ------------------------
    news(seconds)     when `wake` was called or the time is over; maybe      the same
                      earlier, so that the attempt looks for itself
    aside(act)        when `act` has run in another thread, which nobody     the same
                      else waits for
    place(is_alone)   at once                                                a thread of its own, or
                                                                             the engine's

    state      driven by                                     until
    ---------  --------------------------------------------  ----------------------------------------
    inline     the engine, between two calls of libcurl      `place(True)`; a step that lasted: the
                                                             engine goes on in another thread, and
                                                             this one stays with the attempt
    alone      a thread of its own, which may wait for its   `place(False)`
               disk as long as it likes
    over       nobody

So a small file costs no hand-over between threads (each costs as much as a request), and a disk that
stands still holds up the other transfers for a moment only.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from types import coroutine
from typing import Any, Final, Generic, TypeVar

from trayagent.net.turns import Waker

T = TypeVar("T")

GIVE_UP: Final = 3.0
"""Seconds that a cancelled caller waits for work which does not stop: a disk may stand still for ever."""


class StoppedError(Exception):
    """The work was told to stop."""


class _Place:
    def __init__(self, *, is_alone: bool) -> None:
        self.is_alone = is_alone


class _Aside(Generic[T]):
    """Work in another thread, and what became of it."""

    def __init__(self, act: Callable[[], T], meanwhile: Callable[[], None]) -> None:
        self.act = act
        self.meanwhile = meanwhile
        self.is_over = False
        self._value: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self.act()
        except BaseException as raised:  # noqa: BLE001  whatever it is, it is the attempt's
            self._error = raised
        self.is_over = True

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


_Wish = float | _Place | _Aside[Any]


@coroutine
def news(seconds: float = inf) -> Generator[_Wish, None, None]:
    """Wait until there is something to look at, or so many seconds; maybe less."""
    yield seconds


@coroutine
def _wait_for(work: _Aside[T]) -> Generator[_Wish, None, T]:
    while not work.is_over:
        yield work
    return work.result()


async def aside(act: Callable[[], T], meanwhile: Callable[[], None] = lambda: None) -> T:
    """Have something long done that only this attempt waits for; returns and raises what `act` does.

    `meanwhile` is called when there is news before that.
    """
    return await _wait_for(_Aside(act, meanwhile))


@coroutine
def place(*, is_alone: bool) -> Generator[_Wish, None, None]:
    """Go on in a thread of its own, or in the engine's."""
    yield _Place(is_alone=is_alone)


class Driver(Generic[T]):
    """Drives one coroutine to its end. `wake` is for every thread, the rest for whoever drives."""

    def __init__(self, engine: Waker | None, deliver: Callable[[], None]) -> None:
        """`deliver` is told of the end, in the thread that came to it. No `engine`: there is no engine."""
        self._engine = engine
        self._deliver = deliver
        self._coroutine: Coroutine[_Wish, None, T] | None = None
        self._aside: _Aside[Any] | None = None
        self._due = inf
        self._goes_back = False
        self._words: SimpleQueue[None] | None = None if engine else SimpleQueue()
        """What wakes a thread of its own; None: the engine drives."""
        self._detaching = Lock()
        self.error: BaseException | None = None
        self.value: T | None = None

    def begin(self, coroutine: Coroutine[_Wish, None, T]) -> None:
        """Start it; raises nothing of what it does."""
        self._coroutine = coroutine
        if self._engine is None:
            self.wake()
            _start(self.stay)
        else:
            self._engine.wake(self)

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self._coroutine is None

    @property
    def is_alone(self) -> bool:
        """Whether a thread of its own drives it."""
        return self._words is not None

    def wake(self) -> None:
        """There is something to look at."""
        words, engine = self._words, self._engine
        if words is not None:
            words.put(None)
        elif engine is not None:
            engine.wake(self)

    # -- what the engine calls (`turns.Waiter`)

    def step(self) -> float | None:
        """Go on as far as there is news; returns when (monotonic seconds) to come again without any.

        None: the engine is needed for this no more.
        """
        if self._words is not None:
            self._words.put(None)  # the word was on its way while the engine let go of this
        else:
            self._advance()
        return self._due if self._words is None and self._coroutine is not None else None

    def detach(self) -> bool:
        """The engine is with it no more. True, for one caller only: he has a thread call `stay`.

        A turn that lasts and a `place(True)` within it detach at the same moment. Two threads that stay
        would send to one coroutine: that fails, and the file is fetched twice.
        """
        with self._detaching:
            if self._words is not None:
                return False
            words: SimpleQueue[None] = SimpleQueue()
            words.put(None)  # whatever came until now is looked at once more
            self._words = words
            return True

    def stay(self) -> None:
        """Drive it in this thread, as long as it is alone."""
        words = self._words
        assert words is not None
        while self._coroutine is not None and not self._goes_back:
            left = None if self._due == inf else max(0.0, self._due - time.monotonic())
            with suppress(Empty):
                words.get(timeout=left)
                while True:
                    words.get_nowait()  # one look is enough for all of them
            self._advance()
        if self._goes_back:
            self._goes_back = False
            assert self._engine is not None
            self._words = None  # from here on it is the engine's
            self._engine.wake(self)

    # -- going on

    def _advance(self) -> None:
        """Let the coroutine go on to its next wait."""
        coroutine, work = self._coroutine, self._aside
        self._due = inf
        if coroutine is None:
            return
        if work is not None and not work.is_over:
            work.meanwhile()
            return
        self._aside = None
        try:
            while self._is_done(wish := coroutine.send(None)):
                pass
        except StopIteration as ended:
            self.value = ended.value
        except BaseException as raised:  # noqa: BLE001  whatever it is, it is the caller's
            self.error = raised
        else:
            if isinstance(wish, _Aside):
                self._aside = wish
                _start(self._work_aside, wish)
            elif not isinstance(wish, _Place):
                self._due = time.monotonic() + wish
            elif wish.is_alone:
                if self.detach():
                    _start(self.stay)
            else:
                self._goes_back = True
            return
        self._coroutine = None  # it knows this driver: a circle would keep both
        self._deliver()

    def _is_done(self, wish: _Wish) -> bool:
        """Do at once what a thread of its own can; whether the coroutine may go on."""
        is_alone = self._words is not None
        # In a thread of its own an attempt may wait for a disk; in the engine's it may not.
        if type(wish) is _Place:
            return wish.is_alone == is_alone or self._engine is None
        if type(wish) is _Aside and is_alone:
            wish.run()  # nobody else waits for this thread
            return True
        return False

    def _work_aside(self, work: _Aside[Any]) -> None:
        work.run()
        self.wake()

    def __repr__(self) -> str:
        state = "over" if self.is_over else "alone" if self._words else "inline"
        return f"<Driver, {state}>"


class Results:
    """Brings the ends of drivers to a loop, all that are there at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[list[asyncio.Future[None]]] = deque()
        self._is_called = False

    async def drive(
        self,
        engine: Waker | None,
        begin: Callable[[Driver[T]], tuple[Coroutine[_Wish, None, T], Callable[[], None]]],
    ) -> T:
        """Drive a coroutine to its end.

        `begin` makes it, and what stops it: a cancellation calls that and takes effect once the work is
        over; what the work raised then is lost.
        """
        waits = [self.loop.create_future()]
        driver: Driver[T] = Driver(engine, partial(self._deliver, waits))
        work, stop = begin(driver)
        driver.begin(work)
        try:
            await waits[0]
        except asyncio.CancelledError:
            stop()
            ends = self.loop.time() + GIVE_UP
            # For a moment, not for ever; a second cancellation changes nothing.
            while not driver.is_over and (left := ends - self.loop.time()) > 0:
                waits[0] = self.loop.create_future()
                with suppress(asyncio.CancelledError, TimeoutError):
                    async with asyncio.timeout(left):
                        await waits[0]
            raise
        if driver.error is not None:
            raise driver.error
        return driver.value  # type: ignore[return-value]

    def _deliver(self, waits: list[asyncio.Future[None]]) -> None:
        self._ended.append(waits)
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._is_called = False
        while self._ended:
            done = self._ended.popleft()[0]
            if not done.done():
                done.set_result(None)

    def __repr__(self) -> str:
        return f"<Results: {len(self._ended)} on their way>"


def _start(act: Callable[..., None], *arguments: Any) -> None:
    """In a daemon thread: one that is stuck keeps no process alive."""
    Thread(target=act, args=arguments, name="transfer", daemon=True).start()
