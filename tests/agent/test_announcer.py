"""What others say on the bus reaches the screen once; what the announcer says is not heard by itself."""

from __future__ import annotations

import asyncio

import pytest

from trayagent.agent import announcer
from trayagent.agent.announcer import Announcer
from trayagent.agent.bus import Bus
from trayagent.model.events import Event, Notice


class Screen:
    """Remembers what it was to show."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def show(self, notice: Notice) -> None:
        self.shown.append(notice.title)


@pytest.mark.parametrize(
    ("level", "shown"),
    [("all", ["Paired", "Broken", "Told"]), ("errors", ["Broken"]), ("none", [])],
)
async def test_every_notice_is_shown_once_as_far_as_it_is_wanted(
    level: str, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer, "BREATH", 0.01)
    bus, screen = Bus(), Screen()
    heard: list[Event] = []
    bus.subscribe(heard.append)
    speaker = Announcer(bus, screen, level)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(speaker.run())
        bus.publish(Notice("Paired", "A browser"))
        bus.publish(Notice("Broken", "A list", level="error"))
        async with asyncio.timeout(10):
            while speaker._said:  # noqa: ASYNC110 - the list is all there is to see
                await asyncio.sleep(0.01)
        await speaker.tell(Notice("Told", "Directly"))
        task.cancel()

    assert screen.shown == shown
    assert [event.title for event in heard if isinstance(event, Notice)] == [
        "Paired",
        "Broken",
        *(["Told"] if level == "all" else []),
    ]
