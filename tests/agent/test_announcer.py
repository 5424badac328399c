"""What others say on the bus reaches the screen once; what the announcer says is not heard by itself."""

from __future__ import annotations

import asyncio

import pytest

from trayagent.agent import announcer
from trayagent.agent.announcer import Announcer
from trayagent.agent.bus import Bus
from trayagent.model.downloads import Download, ErrorInfo, State
from trayagent.model.errors import DownloadError
from trayagent.model.events import DownloadEvent, Event, Notice


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
    monkeypatch.setattr(announcer, "GATHERING_SECONDS", 0.01)
    bus, screen = Bus(), Screen()
    heard: list[Event] = []
    bus.subscribe(heard.append)
    speaker = Announcer(bus, screen, level)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(speaker.run())
        bus.publish(Notice("Paired", "A browser"))
        bus.publish(Notice("Broken", "A list", level="error"))
        async with asyncio.timeout(10):
            while speaker._to_show:  # noqa: ASYNC110 - the list is all there is to see
                await asyncio.sleep(0.01)
        await speaker.tell(Notice("Told", "Directly"))
        task.cancel()

    assert screen.shown == shown
    assert [event.title for event in heard if isinstance(event, Notice)] == [
        "Paired",
        "Broken",
        *(["Told"] if level == "all" else []),
    ]


async def test_that_a_folder_takes_no_files_is_said_once_until_one_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(announcer, "GATHERING_SECONDS", 0.01)
    bus, screen = Bus(), Screen()
    full = DownloadError("disk_full")
    error = ErrorInfo(full.code, full.message, full.action)
    waits = Download("d1", "http://h/a", State.QUEUED, error=error)
    here = Download("d2", "http://h/b", State.COMPLETED, "b.mp4")
    speaker = Announcer(bus, screen, "all")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(speaker.run())
        for count in (1, 2):
            for _ in range(3):
                bus.publish(DownloadEvent("requeued", waits, State.ACTIVE))
            bus.publish(DownloadEvent("completed", here, State.ACTIVE))
            while screen.shown.count("Download finished") < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        task.cancel()

    assert sorted(screen.shown) == ["Download finished"] * 2 + ["Downloads wait"] * 2
