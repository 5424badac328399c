"""The watch over loops finds what keeps one from turning, and blames nobody for a busy machine."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from tests.standstill import LIMIT, LOOK, Standstills, Turn, judge

CODE = """
import time

def block():
    time.sleep(1)

def compute():
    began = time.thread_time()
    while time.thread_time() - began < 0.4:
        pass

def call(act):
    act()
"""


@pytest.fixture
def ours(tmp_path: Path) -> object:
    """Functions that stand in a folder called trayagent."""
    path = tmp_path / "trayagent" / "slow.py"
    path.parent.mkdir()
    path.write_text(CODE)
    spec = importlib.util.spec_from_file_location("slow", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def found(act: Callable[[], object]) -> list[str]:
    watch = Standstills()

    async def main() -> None:
        await asyncio.sleep(0)
        act()

    with watch.watching():
        asyncio.run(main())
    return watch.found


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only work is seen, not sleep")
def test_a_call_that_blocks_is_found(ours: object) -> None:
    assert any("slow.py:block blocked the loop" in each for each in found(ours.block))  # type: ignore[attr-defined]


def test_work_without_end_is_found(ours: object) -> None:
    # The watch says nothing where it was kept waiting itself, as on a busy machine: then it is asked again.
    tries = (found(ours.compute) for _ in range(5))  # type: ignore[attr-defined]
    assert any("slow.py:compute worked" in each for each in chain.from_iterable(tries))


def test_a_test_may_sleep(ours: object) -> None:
    """What does not stand in our code is none of our faults."""
    assert found(lambda: time.sleep(0.3)) == []


def test_a_busy_machine_is_nobodys_fault() -> None:
    """It took long, and the thread neither worked nor slept by itself: it was not let run."""
    turn = Turn(1, 1, 0.0, 0.0, looks=round(1 / LOOK), blocked=0)
    turn.places["pool.py:run"] = turn.looks
    assert judge(turn, 1.0, worked=LIMIT / 2) is None
    turn.looks = 1  # the watch was kept waiting as well
    assert judge(turn, 1.0, worked=1.0) is None
