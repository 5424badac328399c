"""A slow disk loses nothing of what is on its way to it, and promises nothing that it has not got."""

from __future__ import annotations

import asyncio
import errno
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served, in_turn
from tests.transfer.rig import TransferRig, noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Progress
from trayagent.transfer.lane import Lane
from trayagent.transfer.part_file import Part
from trayagent.transfer.writer import MOST_QUEUED, Writer

SIZE = 6_000_000

Write = Callable[[Part, Sequence[bytes | memoryview], int], None]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Callable[[Write], None]:
    """Replaces how a part is written."""
    return lambda write: monkeypatch.setattr(Part, "write", write)


async def stop_at(rig: TransferRig, url: str, received: int) -> Path:
    """Begin a download and cancel it once so many bytes came; returns its path."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(rig.get(url, owner="o", segments=4), name="get")
        await until(lambda: rig.told.received >= received)
        task.cancel()
    assert rig.told.path is not None
    return rig.told.path


async def test_a_stop_vouches_for_nothing_that_the_disk_has_not_got(
    tmp_path: Path, slow: Callable[[Write], None]
) -> None:
    """What waits for the disk when a download is paused is asked for again."""
    body, write = noise(SIZE), Part.write
    done = 0

    def halting(part: Part, data: Sequence[bytes | memoryview], at: int) -> None:
        nonlocal done
        done += 1
        if done > 12:
            time.sleep(0.1)
        write(part, data, at)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body))
        slow(halting)
        path = await stop_at(rig, url, 4_000_000)
        slow(write)
        await rig.get(url, owner="o", path=path)
        assert rig.files() == {"f.bin": body}
        assert len(server.requests) > 1


async def test_what_a_full_disk_has_not_taken_is_asked_for_again(
    tmp_path: Path, slow: Callable[[Write], None]
) -> None:
    """Also where what comes behind it was written."""
    body, write, behind = noise(SIZE), Part.write, 0

    def filling_up(part: Part, data: Sequence[bytes | memoryview], at: int) -> None:
        nonlocal behind
        behind += at > SIZE * 3 // 4
        if behind > 2 and at < SIZE // 4:
            raise OSError(errno.ENOSPC, "full")
        write(part, data, at)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body, rate=3_000_000))
        slow(filling_up)
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, owner="o", segments=4)
        assert failed.value.code == "disk_full"
        slow(write)
        await rig.get(url, owner="o", path=rig.told.path)
        assert rig.files() == {"f.bin": body}


async def test_what_waits_for_the_disk_does_not_outlive_its_file(
    tmp_path: Path, slow: Callable[[Write], None]
) -> None:
    """A file that changed starts over: bytes of the old one do not follow."""
    gate = asyncio.Event()
    old = Served(noise(SIZE, 1), gate=gate, gate_at=2_000_000)
    new = Served(noise(1_000_000, 2), etag='"v2"')
    write = Part.write

    def halting(part: Part, data: Sequence[bytes | memoryview], at: int) -> None:
        time.sleep(0.02)
        write(part, data, at)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        slow(halting)
        try:
            await rig.get(server.at("/f.bin", in_turn(old, new)), owner="o", segments=2)
        finally:
            gate.set()
        assert rig.files() == {"f.bin": new.body}


def test_what_waits_is_counted_to_the_byte(tmp_path: Path, slow: Callable[[Write], None]) -> None:
    """Two threads count: the engine's what comes, whoever drives the file what is written."""
    slow(lambda part, data, at: None)
    part = Part(tmp_path / "f")
    writer, turns = Writer(part, lambda: None, lambda: None), 20_000
    over = threading.Event()

    def engine() -> None:
        for _ in range(turns):
            writer.put((b"x" * 1000,), 1000, 0)
        over.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=engine)
        thread.start()
        while not over.is_set():
            writer.drain()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    writer.drain()
    assert writer.takes(2)
    writer.put((b"xx",), 2, 0)
    assert not writer.takes(MOST_QUEUED - 1)
    assert writer.takes(MOST_QUEUED - 2)


def test_a_lane_never_holds_the_engine_up_for_a_slow_disk(
    tmp_path: Path, slow: Callable[[Write], None]
) -> None:
    """Both threads take the file's lock for a lane: nobody writes meanwhile."""
    locked: list[bool] = []
    lock = threading.Lock()
    slow(lambda part, data, at: locked.append(lock.locked()))
    writer = Writer(Part(tmp_path / "f"), lambda: None, lambda: None)
    lane = Lane(writer, 0, 100, limit=100, buckets=(), progress=Progress(), lock=lock)
    lane.take((b"x" * 10,), 10)
    lane.take_all((b"x" * 10,), 10)
    assert locked == []
    writer.drain()
    assert locked == [False, False]


def test_two_that_write_what_is_queued_lose_none_of_it(
    tmp_path: Path, slow: Callable[[Write], None]
) -> None:
    """One saves, and waits until all is written; who drives the file meanwhile leaves it to that one."""
    at_work, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def halting(part: Part, data: Sequence[bytes | memoryview], at: int) -> None:
        at_work.set()
        assert go_on.wait(10)
        written.append(at)

    slow(halting)
    writer = Writer(Part(tmp_path / "f"), lambda: None, lambda: None)
    for at in range(3):
        writer.put([b"x"], 1, at)
    saver = threading.Thread(target=writer.drain)
    saver.start()
    assert at_work.wait(10)
    driver = threading.Thread(target=lambda: writer.drain(waits=False))
    driver.start()
    driver.join(10)
    assert not driver.is_alive(), "it waits for no disk"
    go_on.set()
    saver.join(10)
    assert written == [0, 1, 2]
    assert writer.drop() == []
