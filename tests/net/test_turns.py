"""Turns on the engine's thread: one that lasts costs its own thread, and the engine goes on in another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from math import inf

import pytest

from trayagent.net.turns import Turns


class ScriptedWaiter:
    """Does something in its only turn, and notes who stayed with it."""

    def __init__(self, act: Callable[[], None], *, is_detached: bool = False) -> None:
        self._act = act
        self._is_detached = is_detached
        """Whether it gets away from the engine by itself, in its turn."""
        self.stayed = 0

    def step(self) -> float | None:
        self._act()
        return None

    def detach(self) -> bool:
        return not self._is_detached

    def stay(self) -> None:
        self.stayed += 1


@pytest.fixture
def ends() -> Iterator[threading.Event]:
    """Set when the test is over: nothing waits any longer."""
    over = threading.Event()
    yield over
    over.set()


def give(*waiters: ScriptedWaiter) -> list[threading.Thread]:
    """Give each a turn as the engine does; the threads that were the engine so far, in order."""
    engines: list[threading.Thread] = []

    def go_on() -> None:
        engines.append(threading.current_thread())
        while turns.give() and turns.due == 0.0:
            pass

    turns = Turns(go_on)

    def begin() -> None:
        turns.begin()
        go_on()

    for waiter in waiters:
        turns.ask(waiter)
    threading.Thread(target=begin, name="engine", daemon=True).start()
    return engines


def test_a_turn_that_was_taken_over_hides_no_later_one(ends: threading.Event) -> None:
    """Its end says nothing of the turn that stands still now: the engine moves once more."""
    second, third = threading.Event(), threading.Event()
    done = threading.Event()

    def stand_still() -> None:
        second.set()
        engines[0].join(5)  # by now the first turn has come to its end
        third.set()
        ends.wait(20)

    first = ScriptedWaiter(lambda: assert_set(second))
    engines = give(first, ScriptedWaiter(stand_still), ScriptedWaiter(done.set))

    assert_set(third)
    assert_set(done)
    assert first.stayed == 1
    assert len(engines) == 3


def test_who_has_a_thread_of_its_own_is_left_to_that(ends: threading.Event) -> None:
    """It got away in its turn, which lasted all the same: the old thread ends."""
    done = threading.Event()
    waiter = ScriptedWaiter(lambda: assert_set(done), is_detached=True)
    engines = give(waiter, ScriptedWaiter(done.set))

    assert_set(done)
    engines[0].join(5)
    assert waiter.stayed == 0
    assert len(engines) == 2


def test_an_engine_that_took_over_waits_again(ends: threading.Event) -> None:
    """What wanted a turn soon left with the old thread: nobody wants one now, so the engine may wait for ever."""
    rested = threading.Event()

    def go_on() -> None:
        turns.give()
        rested.set()

    turns = Turns(go_on)
    waiter = SoonWaiter(ends)

    def begin() -> None:
        turns.begin()
        turns.ask(waiter)
        turns.give()  # a date is set
        turns.ask(waiter)
        turns.give()  # and this turn lasts

    threading.Thread(target=begin, name="engine", daemon=True).start()
    assert_set(rested)
    assert turns.due == inf


class SoonWaiter:
    """Wants its second turn at once, and stands still in that."""

    def __init__(self, ends: threading.Event) -> None:
        self._ends = ends
        self._turns = 0

    def step(self) -> float | None:
        self._turns += 1
        if self._turns == 2:
            self._ends.wait(20)
        return time.monotonic()

    def detach(self) -> bool:
        return True

    def stay(self) -> None:
        pass


def assert_set(event: threading.Event) -> None:
    """It happens, sooner or later."""
    assert event.wait(10)
