"""Turns on one thread, for those who wait for what the engine brings; where one lasts, it moves on without.

What has a turn may touch a disk, and a disk may stand still. So there is a watch while there are turns:

    engine's thread      watch                        then
    -------------------  ---------------------------  ------------------------------------------------
    waits, or works      sees no long turn            it ends after a second without turns
    gives a turn, which  waits for `LONGEST_TURN`     the watch becomes the engine and goes on with all
    lasts                                             the others; the old one stays with its waiter
    the same, but its    the same                     the watch becomes the engine, the old one ends:
    waiter went away                                  the waiter has a thread of its own already
    in that turn
    gives a turn; never  the same                     as above: a thread is lost, and nothing else
    gets it back

Only one thread may ever be with a waiter. `detach` decides that: whoever gets True from it sees to the
thread that stays, and nobody else does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from threading import get_ident
from typing import Final, Protocol

from msgspec import Struct

LONGEST_TURN: Final = 0.05
"""Seconds; a waiter whose turn lasts longer keeps the thread, and the engine goes on in another."""
LOOK: Final = LONGEST_TURN / 2
"""Seconds between two looks of the watch."""
WATCHED: Final = 40
"""Looks without a turn after which the watch ends."""


class Waiter(Protocol):
    """Whoever waits for exchanges, and does something with what came: that may touch a disk."""

    def step(self) -> float | None:
        """Go on as far as there is news. Called on the engine's thread, never inside libcurl.

        Returns when (monotonic seconds) to be called again without news; None: never again.
        """

    def detach(self) -> bool:
        """The engine is with it no more. True, for one caller only: he has a thread call `stay`."""

    def stay(self) -> None:
        """Do everything else here, blocking; called after `detach`, once `step` has returned."""


class Waker(Protocol):
    """Whoever can give waiters a turn."""

    def wake(self, waiter: Waiter) -> None:
        """There is news for it; for any thread."""


class _Turn(Struct, eq=False):
    """One turn, from its begin to its end."""

    waiter: Waiter
    began: float
    is_to_stay: bool = False
    """Whether the thread that gives this turn is to stay with the waiter."""


class Turns:
    """Who is to have a turn, and in which thread; only that one calls, but for a look at `number` with the `role` held.

    `go_on` is what another thread does in its place: everything, until the engine ends.
    """

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on = go_on
        self.thread = threading.current_thread()
        """The engine's, once it has begun."""
        self.number = 0
        """Of that thread, which is here where `get_ident` says the same; 0: there is none any more."""
        self._ready: dict[Waiter, None] = {}
        """Who is to have a turn, in order."""
        self._dates: dict[Waiter, float] = {}
        """When each waiter wants a turn without news."""
        self.due = inf
        """When the next turn is to be given, in monotonic seconds."""
        self.role = threading.RLock()
        """Held while a turn begins or ends, while what has a turn asks something of the engine, and while
        the engine moves to another thread: what asks must not lose the role in the midst of that."""
        self._current: _Turn | None = None
        """The turn that the engine's thread gives now. One that was taken from it is not its any more."""
        self._is_watched = False

    def begin(self) -> None:
        """The thread that calls this is the engine's."""
        self.thread, self.number = threading.current_thread(), get_ident()

    def end(self) -> None:
        """No thread is the engine's any more: the next one may get its number."""
        with self.role:
            self.number = 0

    def ask(self, waiter: Waiter) -> None:
        """There is news for it."""
        self._ready[waiter] = None
        self.due = 0.0

    def give(self) -> bool:
        """Let those who wait go on, each once. False: this thread is not the engine any more."""
        now = time.monotonic()
        if now < self.due:
            return True
        for waiter, date in self._dates.items():
            if date <= now:
                self._ready[waiter] = None
        for waiter in list(self._ready):
            del self._ready[waiter]
            if not self._give_turn(waiter):
                return False
        # Also when nobody had a turn: the one who wanted it may have left with the thread that had the
        # role before, and a date that has passed keeps the engine from waiting at all.
        self.due = 0.0 if self._ready else min(self._dates.values(), default=inf)
        return True

    def _give_turn(self, waiter: Waiter) -> bool:
        """Let one that waits go on. False: that took long, and another thread is the engine meanwhile."""
        turn = _Turn(waiter, time.monotonic())
        with self.role:
            self._current = turn
            is_watched, self._is_watched = self._is_watched, True
        if not is_watched:
            threading.Thread(target=self._watch, name="engine watch", daemon=True).start()
        date = waiter.step()
        with self.role:
            # Another turn that stands here is that of the new engine: the watch must not lose sight of it.
            is_still = self._current is turn
            if is_still:
                self._current = None
        if turn.is_to_stay:
            waiter.stay()
        elif is_still and date is None:
            self._dates.pop(waiter, None)
        elif is_still and date is not None:
            self._dates[waiter] = date
        return is_still

    def _watch(self) -> None:
        """Become the engine if a turn lasts."""
        looks = 0
        while looks < WATCHED or not self._leave_watch():
            time.sleep(LOOK)
            looks += 1
            turn = self._current
            if turn is None:
                continue
            looks = 0
            if time.monotonic() - turn.began > LONGEST_TURN and self._take_over(turn):
                self._go_on()
                return

    def _leave_watch(self) -> bool:
        with self.role:
            self._is_watched = self._current is not None
            return not self._is_watched

    def _take_over(self, turn: _Turn) -> bool:
        """Be the engine from now on, if this turn lasts still."""
        with self.role:
            if self._current is not turn:
                return False
            self._current = None
            turn.is_to_stay = turn.waiter.detach()
            self._dates.pop(turn.waiter, None)
            self.begin()
            self._is_watched = False
        return True

    def leave_all_alone(self) -> None:
        """The engine is over."""
        for waiter in {**self._dates, **self._ready}:
            leave_alone(waiter)

    def __repr__(self) -> str:
        return f"<Turns for {len(self._dates)}, {len(self._ready)} of them now>"


def leave_alone(waiter: Waiter) -> None:
    """The engine is over: what is left to do is done in a thread of its own."""
    if waiter.detach():
        threading.Thread(target=waiter.stay, name="transfer", daemon=True).start()
