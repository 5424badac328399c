"""When all is done: told, or carried out after a countdown that a person can stop."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from trayagent.agent.bus import Bus
from trayagent.agent.status import LiveStatus
from trayagent.agent.when_done import WhenDoneControl
from trayagent.model.events import Event, Notice, Tally
from trayagent.model.status import Plan, Status


class Computer:
    """A queue that is full or empty, and a computer that only notes what it was to do."""

    def __init__(self, countdown: float) -> None:
        self.bus = Bus()
        self.heard: list[Event] = []
        self.bus.subscribe(self.heard.append)
        self.done: list[Plan] = []
        live_status = LiveStatus(self.bus, Status(queued=1))
        self.control = WhenDoneControl(self.bus, live_status, countdown)

    async def finish(self) -> None:
        """The last download ends."""
        await asyncio.sleep(0)
        self.bus.publish(Tally(-1))


async def until(look: Callable[[], object]) -> None:
    for _ in range(1000):
        if look():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


@pytest_asyncio.fixture
async def computer(request: pytest.FixtureRequest) -> AsyncIterator[Computer]:
    computer = Computer(getattr(request, "param", 0.05))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(computer.control.run(computer.done.append), name="when done")
        await asyncio.sleep(0)
        yield computer
        task.cancel()


async def test_sleeps_once_after_the_countdown(computer: Computer) -> None:
    computer.control.choose("sleep")
    await computer.finish()
    await until(lambda: computer.done == ["sleep"])
    assert computer.control.when_done.plan == "nothing", "asked each time"
    told = [event for event in computer.heard if isinstance(event, Notice)]
    assert [action.do for action in told[0].actions] == ["keep_on"]


@pytest.mark.parametrize("computer", [30.0], indirect=True)
async def test_a_countdown_is_stopped(computer: Computer) -> None:
    computer.control.choose("shutdown")
    await computer.finish()
    await until(lambda: computer.control.when_done.ends_at is not None)
    computer.control.choose("nothing")
    await asyncio.sleep(0.05)
    assert computer.control.when_done.ends_at is None
    assert computer.done == []


@pytest.mark.parametrize("computer", [30.0], indirect=True)
async def test_new_work_ends_the_countdown_and_keeps_the_plan(computer: Computer) -> None:
    computer.control.choose("shutdown")
    await computer.finish()
    await until(lambda: computer.control.when_done.ends_at is not None)
    computer.bus.publish(Tally(1))
    await until(lambda: computer.control.when_done.ends_at is None)
    assert computer.control.when_done.plan == "shutdown"
    assert computer.done == []
