"""Listeners get every fact once and in order, or a reset; progress is only ever the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from trayagent.hook.events import EventRing
from trayagent.model.downloads import Download, State
from trayagent.model.events import DownloadEvent, DownloadProgress, QueueEvent, Tally


def fact(number: int) -> QueueEvent:
    return QueueEvent("paused", str(number))


def moved(id: str, received: int) -> DownloadProgress:
    return DownloadProgress(id, received, 100, 1)


async def piece(stream: AsyncGenerator[bytes, None]) -> str:
    async with asyncio.timeout(5):
        return (await anext(stream)).decode()


def last_id(text: str) -> str:
    return text.rpartition("id: ")[2].partition("\n")[0]


async def test_a_listener_hears_what_happens_from_now_on_in_order() -> None:
    ring = EventRing()
    ring.add(fact(1))
    stream = ring.follow()
    start = await piece(stream)
    ring.add(fact(2))
    ring.add(fact(3))

    heard = await piece(stream)

    assert start.startswith("retry: ")
    assert "data:" not in start
    assert heard.count("event: queue.paused\n") == 2
    assert heard.index('{"until":"2"}') < heard.index('{"until":"3"}')
    assert heard.endswith("\n\n")


async def test_a_listener_that_comes_back_misses_nothing() -> None:
    ring = EventRing()
    stream = ring.follow()
    mark = last_id(await piece(stream))
    await stream.aclose()
    ring.add(fact(1))
    ring.add(fact(2))

    again = ring.follow(mark)
    await piece(again)
    heard = await piece(again)

    assert [f'"{n}"' in heard for n in (1, 2)] == [True, True]
    assert "reset" not in heard


async def test_a_listener_away_for_too_long_is_told_to_read_anew() -> None:
    ring = EventRing(size=3)
    stream = ring.follow()
    mark = last_id(await piece(stream))
    for number in range(4):
        ring.add(fact(number))

    late = ring.follow(mark)
    await piece(late)
    heard = await piece(late)
    ring.add(fact(9))

    assert "event: reset\ndata: {}\n" in heard
    assert "queue.paused" not in heard
    assert '"9"' in await piece(late)


async def test_a_slow_listener_is_reset_instead_of_buffered() -> None:
    ring = EventRing(size=3)
    stream = ring.follow()
    await piece(stream)
    for number in range(10):
        ring.add(fact(number))

    assert "event: reset" in await piece(stream)


@pytest.mark.parametrize("mark", ["", "-", "nonsense", "00000000-0", "-1", "9" * 400])
async def test_an_id_of_another_run_is_a_reset(mark: str) -> None:
    ring = EventRing()
    ring.add(fact(1))
    stream = ring.follow(mark)
    await piece(stream)

    assert "event: reset" in await piece(stream)


async def test_an_id_from_the_future_is_a_reset() -> None:
    ring = EventRing()
    stream = ring.follow()
    run = last_id(await piece(stream)).partition("-")[0]
    late = ring.follow(f"{run}-7")
    await piece(late)

    assert "event: reset" in await piece(late)


async def test_progress_is_the_newest_of_each_download_and_is_not_replayed() -> None:
    ring = EventRing()
    stream = ring.follow()
    mark = last_id(await piece(stream))
    for received in range(50):
        ring.add(moved("d1", received))
    ring.add(moved("d2", 7))

    heard = await piece(stream)

    assert heard.count("event: download.progress") == 2
    assert '"received":49' in heard
    assert "id: " not in heard
    later = ring.follow(mark)
    await piece(later)
    ring.add(fact(1))
    assert "progress" not in await piece(later)


async def test_no_progress_comes_after_the_end() -> None:
    ring = EventRing()
    stream = ring.follow()
    await piece(stream)
    ring.add(moved("d1", 50))
    ring.add(
        DownloadEvent("completed", Download("d1", "http://a.example/", State.COMPLETED), "active")
    )

    heard = await piece(stream)

    assert "download.completed" in heard
    assert "progress" not in heard


async def test_a_tally_is_for_the_status_alone() -> None:
    ring = EventRing()
    stream = ring.follow()
    await piece(stream)
    ring.add(Tally(queued=500))
    ring.add(fact(1))

    assert "tally" not in await piece(stream)


async def test_silence_has_a_heartbeat() -> None:
    stream = EventRing(heartbeat_seconds=0.01).follow()
    await piece(stream)

    assert await piece(stream) == ":\n\n"


async def test_closing_ends_all_streams_at_once() -> None:
    ring = EventRing()
    streams = [ring.follow() for _ in range(3)]
    for stream in streams:
        await piece(stream)

    async def rest(stream: AsyncGenerator[bytes, None]) -> list[bytes]:
        return [piece async for piece in stream]

    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        tasks = [group.create_task(rest(stream)) for stream in streams]
        await asyncio.sleep(0)
        ring.close()

    assert [task.result() for task in tasks] == [[], [], []]
    assert repr(ring) == "<EventRing: 0 events, 0 listeners>"
