"""The status follows the settings as well as the events."""

from __future__ import annotations

from trayagent.agent.bus import Bus
from trayagent.agent.keeper import Keeper
from trayagent.model.events import QueueEvent
from trayagent.model.status import Status


def test_the_status_says_how_many_workers_there_are_now() -> None:
    bus = Bus()
    keeper = Keeper(bus, Status(workers=4))

    keeper.employ(2)
    bus.publish(QueueEvent("paused"))

    assert (keeper.status.workers, keeper.status.paused) == (2, True)
