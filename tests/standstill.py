"""A watch over event loops: a test fails when code of ours kept one from turning for a fifth of a second.

A busy machine keeps a loop waiting, too, and that is nobody's fault. So time alone does not count:

    the loop's thread worked all the while (its own processor time)          → our code was too long
    it slept in a call, and no other thread of ours wanted a processor       → our code blocked
    anything else: it, or whoever held the interpreter, was not let run      → the machine was busy

A second thread looks at the stack meanwhile: only what stands in `trayagent/` is counted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

LIMIT: Final = 0.2
"""Seconds."""
LOOK: Final = 0.02
"""Seconds between two looks of the second thread."""
FAIR: Final = 0.5
"""The share of looks that must have come in time, and of them that must say the same."""
OURS: Final = f"{os.sep}trayagent{os.sep}"
AT_START_AND_END: Final = ("database.py:open", "database.py:close", "connection.py:close")
"""What only the beginning and the end of the program do, before anybody asks and after the last answer."""


@dataclass
class Turn:
    """One callback of a loop."""

    thread: int
    task: int
    """The system's number of the thread."""
    began: float
    worked: float
    """Seconds of processor time of the thread, at its beginning."""
    collecting: float = 0.0
    """Seconds of processor time that the collector took: that is Python's, and the size of a test run's heap."""
    looks: int = 0
    blocked: int = 0
    places: Counter[str] = field(default_factory=Counter)


class Standstills:
    """What was found, one sentence each."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._turns: dict[int, Turn] = {}
        self._collected = 0.0
        self._over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at every loop of this process meanwhile."""
        original = asyncio.Handle._run
        watch = self

        def run(handle: asyncio.Handle) -> None:
            thread = threading.get_ident()
            outer = watch._turns.get(thread)
            turn = Turn(thread, threading.get_native_id(), time.monotonic(), time.thread_time())
            watch._turns[thread] = turn
            try:
                original(handle)
            finally:
                watch._end(turn, outer)

        looker = threading.Thread(target=self._look, name="standstill watch", daemon=True)
        asyncio.Handle._run = run  # type: ignore[method-assign]
        gc.callbacks.append(self._collect)
        looker.start()
        try:
            yield
        finally:
            asyncio.Handle._run = original  # type: ignore[method-assign]
            gc.callbacks.remove(self._collect)
            self._over.set()
            looker.join()

    def _collect(self, phase: str, _: dict[str, Any]) -> None:
        turn = self._turns.get(threading.get_ident())
        if turn is None:
            return
        if phase == "start":
            self._collected = time.thread_time()
        else:
            turn.collecting += time.thread_time() - self._collected

    def _end(self, turn: Turn, outer: Turn | None) -> None:
        if outer is None:
            self._turns.pop(turn.thread, None)
        else:
            self._turns[turn.thread] = outer
        took = time.monotonic() - turn.began
        if took < LIMIT:
            return
        worked = time.thread_time() - turn.worked - turn.collecting
        if (reason := judge(turn, took, worked)) is not None:
            self.found.append(reason)

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            now = time.monotonic()
            for turn in list(self._turns.values()):
                if now - turn.began < LOOK:
                    continue
                frame = sys._current_frames().get(turn.thread)
                turn.looks += 1
                turn.blocked += is_blocked(turn.task)
                while frame is not None and OURS not in frame.f_code.co_filename:
                    frame = frame.f_back
                if frame is not None:
                    code = frame.f_code
                    turn.places[f"{Path(code.co_filename).name}:{code.co_name}"] += 1


def judge(turn: Turn, took: float, worked: float) -> str | None:
    """Why a long turn is our fault; None: it is not, or nobody can tell."""
    if turn.looks * LOOK < took * FAIR or not turn.places:
        return None  # the watch itself was kept waiting, or nothing of ours ran
    place, seen = turn.places.most_common(1)[0]
    if turn.places.total() < turn.looks * FAIR or place in AT_START_AND_END:
        return None
    if worked >= LIMIT:
        return f"{place} worked for {worked:.2f} s on the loop"
    if turn.blocked * LOOK >= LIMIT * 0.8 and turn.blocked >= turn.looks * FAIR <= seen:
        return f"{place} blocked the loop for {took:.2f} s"
    return None


def is_blocked(task: int) -> bool:
    """Whether a thread sleeps in a call while no other thread of this process wants to run."""
    own = threading.get_native_id()
    states = {}
    try:
        for thread in Path("/proc/self/task").iterdir():
            text = (thread / "stat").read_text()
            states[int(thread.name)] = text.rpartition(")")[2].split()[0]
    except OSError:  # no such system, or a thread has ended
        return False
    running = {number for number, state in states.items() if state == "R"} - {own}
    return not running and states.get(task) in ("S", "D")


@pytest.fixture(autouse=True)
def no_standstill() -> Iterator[Standstills]:
    """Fail a test in which code of ours kept a loop from turning; one that provokes it clears what was found."""
    watch = Standstills()
    with watch.watching():
        yield watch
    assert watch.found == []
