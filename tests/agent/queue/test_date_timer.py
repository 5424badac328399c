"""Clocks are set, and machines sleep: what waits, waits as long as was meant, or until the date that was told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.agent.running_queue import running_queue
from tests.clock import Clock
from trayagent.agent.queue import date_timer
from trayagent.agent.queue.date_timer import DateTimer
from trayagent.model.errors import DownloadError
from trayagent.model.events import DownloadEvent, Event
from trayagent.model.retry import CoolHosts, NextTry


class TwoClocks:
    """The clock on the wall, and the one that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.steady = Clock(1.8e9), Clock(50.0)

    def pass_by(self, seconds: float) -> None:
        self.wall.now += seconds
        self.steady.now += seconds


def test_only_a_clock_that_is_set_back_moves_dates() -> None:
    clocks = TwoClocks()
    timer = DateTimer(lambda: None, clocks.wall, clocks.steady)
    clocks.pass_by(3600)
    assert timer.set_back_by() == 0
    clocks.wall.now += 7200  # set ahead, or the machine has slept
    assert timer.set_back_by() == 0
    clocks.wall.now -= 7200
    assert timer.set_back_by() == pytest.approx(7200)
    assert timer.set_back_by() == 0
    for _ in range(10):  # brought into line, a little at a time
        clocks.wall.now -= 1
        assert timer.set_back_by() == 0


async def test_a_date_that_comes_while_the_machine_sleeps_is_seen_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop's timer stands still with the machine: it rings now and then, not only in the end."""
    clocks, rung = TwoClocks(), asyncio.Event()
    monkeypatch.setattr(date_timer, "LOOK_SECONDS", 0.05)
    timer = DateTimer(rung.set, clocks.wall, clocks.steady)
    timer.arm(None, clocks.wall.now + 1800, clocks.wall.now + 3600)
    async with asyncio.timeout(10):
        await rung.wait()
    rung.clear()
    timer.arm(None)
    await asyncio.sleep(0.1)
    assert not rung.is_set()


@pytest.mark.parametrize("step", [-1800.0, -4 * 3600.0, 4 * 3600.0])
async def test_a_retry_comes_in_time_whatever_happens_to_the_clock(
    tmp_path: Path, step: float
) -> None:
    offset = 0.0
    async with running_queue(tmp_path, now=lambda: time.time() + offset) as h:
        is_first = True

        async def fail_once() -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                raise DownloadError("server_error")

        h.transfer.scripts = {"http://h/a": fail_once}
        waits = asyncio.Event()

        def hear(event: Event) -> None:
            if isinstance(event, DownloadEvent) and event.what == "requeued":
                waits.set()

        with h.bus.subscribe(hear):
            (id,) = await h.add("http://h/a")
            async with asyncio.timeout(10):
                await waits.wait()
        assert (await h.queries.download(id)).not_before is not None
        async with asyncio.timeout(10):
            offset = step
            (done,) = await h.settled(id)
    assert done.state == "completed"


def test_a_host_cools_down_as_long_as_it_asked() -> None:
    hosts = CoolHosts()
    hosts.note("h:80", DownloadError("server_busy"), NextTry(60.0), 10_000.0)
    hosts.bring_forward(3000.0)
    assert hosts.until("h:80", 7_059.0) == 7_060.0
    assert hosts.current(7_061.0) == {}
