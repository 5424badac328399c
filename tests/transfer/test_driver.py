"""A quick disk costs a small file no thread; a disk that stands still holds up nobody but its own file."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.net import turns
from trayagent.transfer import driver, folders
from trayagent.transfer.destination import Destination
from trayagent.transfer.part_file import Part
from trayagent.transfer.transfer import Begun

PIECE = 3000


@pytest.fixture
def ran_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads in which files got their names, as they get them."""
    names: list[str] = []
    save = Destination.save_whole

    def noted(destination: Destination, *words: Any) -> Fetched | None:
        names.append(threading.current_thread().name)
        return save(destination, *words)

    monkeypatch.setattr(Destination, "save_whole", noted)
    return names


async def test_small_files_pass_through_the_engines_thread_alone(
    tmp_path: Path, ran_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SLOW", 10.0)  # whatever else this machine does
    monkeypatch.setattr(turns, "LONGEST_TURN", 10.0)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        for number in range(20):
            await rig.get(server.at(f"/{number}.bin", Served(noise(PIECE))))
    assert ran_in == ["engine"] * 20


async def test_a_disk_that_is_always_slow_gets_threads_of_its_own(
    tmp_path: Path, ran_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then four files wait for it at once, and not one after the other; until it has become quick."""
    monkeypatch.setattr(turns, "LONGEST_TURN", 10.0)
    monkeypatch.setattr(folders, "SLOW", 0.0)
    monkeypatch.setattr(folders, "SURELY_SLOW", 1)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/0.bin", Served(noise(PIECE))))
        await rig.get(server.at("/1.bin", Served(noise(PIECE))))
        monkeypatch.setattr(folders, "SURELY_SLOW", 9)
        await rig.get(server.at("/2.bin", Served(noise(PIECE))))
    assert ran_in == ["engine", "transfer", "engine"]


async def test_a_list_goes_back_to_the_engine_when_its_disk_is_quick_again(
    tmp_path: Path, ran_in: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_TURN", 10.0)
    monkeypatch.setattr(folders, "SLOW", 0.0)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        enough = iter([1, 1, 9, 9, 9])

        def following() -> tuple[Request, Target, Progress] | None:
            if (count := next(enough, None)) is None:
                return None
            monkeypatch.setattr(folders, "SURELY_SLOW", count)
            url = server.at(f"/{len(ran_in)}.bin", Served(noise(PIECE)))
            return Request(url, named=rig.named), Target(tmp_path, owner=url), Progress()

        await rig.transfer.fetch_each(following, lambda fetched: None)
        assert ran_in == ["engine", "transfer", "engine", "engine", "engine"]


@pytest.mark.parametrize(("owner", "where"), [(Part, "write"), (Destination, "save_whole")])
async def test_a_disk_that_stands_still_holds_up_its_own_file_alone(
    tmp_path: Path, owner: type, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked of it: the engine goes on with the others in another thread."""
    stands, go = threading.Event(), threading.Event()
    act = getattr(owner, where)

    def standing(of: Part | Destination, *words: object) -> object:
        name = of.final.name if isinstance(of, Part) else words[0]
        if name == "stands.bin" and not go.is_set():
            stands.set()
            go.wait(20)
        return act(of, *words)

    monkeypatch.setattr(owner, where, standing)
    size = 2_000_000 if where == "write" else PIECE
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/known.bin", Served(noise(10))))
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            url = server.at("/stands.bin", Served(noise(size)))
            group.create_task(rig.get(url), name="stands")
            await until(stands.is_set)
            for number in range(5):
                began = time.monotonic()
                await rig.get(server.at(f"/{number}.bin", Served(noise(PIECE))))
                await rig.get(server.at(f"/{number}-long.bin", Served(noise(900_000))))
                if number:
                    assert time.monotonic() - began < 5
            go.set()
        assert rig.files()["stands.bin"] == noise(size)
        assert len(rig.files()) == 12


async def test_two_disks_may_stand_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine moves as often as it has to, and each file ends in the thread it is stuck in."""
    go, standing = threading.Event(), set[str]()
    save = Destination.save_whole

    def stuck(destination: Destination, name: str, *words: Any) -> Fetched | None:
        if name.startswith("stands"):
            standing.add(name)
            go.wait(20)
        return save(destination, name, *words)

    monkeypatch.setattr(Destination, "save_whole", stuck)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for number in range(4):
                url = server.at(f"/stands{number}.bin", Served(noise(PIECE)))
                group.create_task(rig.get(url), name=f"{number}")
            await until(lambda: len(standing) == 4)
            await rig.get(server.at("/quick.bin", Served(noise(PIECE))))
            go.set()
        assert len(rig.files()) == 5


async def test_the_engine_may_move_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while what has a turn sends its request: what it asked for then was lost once."""
    monkeypatch.setattr(turns, "LONGEST_TURN", 0.0002)
    monkeypatch.setattr(turns, "LOOK", 0.0002)
    monkeypatch.setattr(folders, "SLOW", 0.0006)
    monkeypatch.setattr(folders, "SURELY_SLOW", 2)
    monkeypatch.setattr(folders, "PROBED_AFTER", 0.01)
    long = noise(1_500_000)
    async with Lying() as server, asyncio.timeout(60):
        for number in range(30):
            folder = tmp_path / f"{number}"
            async with transferring(folder, server.authority) as rig, asyncio.TaskGroup() as group:
                for name in "abc":
                    url = server.at(f"/{name}.bin", Served(noise(PIECE)))
                    group.create_task(rig.get(url), name=name)
                group.create_task(rig.get(server.at("/d.bin", Served(long))), name="long")
            assert rig.files() == {f"{n}.bin": noise(PIECE) for n in "abc"} | {"d.bin": long}


async def test_who_left_the_engine_in_a_long_turn_is_driven_by_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It got a thread of its own just before the turn was too long: the old thread must not stay, too.

    Two threads once sent to one coroutine, here while a thread took long to start: the file failed, was
    fetched again, and came as a second copy.
    """
    start = driver._start

    def start_slowly(act: Callable[..., None], *arguments: object) -> None:
        start(act, *arguments)
        time.sleep(4 * turns.LONGEST_TURN)

    monkeypatch.setattr(driver, "_start", start_slowly)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:

        def begin(one: driver.Driver[str]) -> Begun[str]:
            async def work() -> str:
                await driver.place(is_alone=True)
                one.wake()
                time.sleep(8 * turns.LONGEST_TURN)  # noqa: ASYNC251  it has a thread of its own
                return threading.current_thread().name

            return work(), lambda: None

        results = driver.Results(asyncio.get_running_loop())
        assert await results.drive(rig.client.transport, begin) == "transfer"


async def test_lists_are_fetched_once_wherever_they_are_driven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file once, and told once by its own list, while the engine moves all the time."""
    monkeypatch.setattr(turns, "LONGEST_TURN", 0.0005)
    monkeypatch.setattr(turns, "LOOK", 0.0002)
    monkeypatch.setattr(folders, "SLOW", 0.0005)
    monkeypatch.setattr(folders, "SURELY_SLOW", 1)
    monkeypatch.setattr(folders, "PROBED_AFTER", 0.002)
    names = [f"{n}.bin" for n in range(400)]
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        urls = {name: server.at(f"/{name}", Served(noise(PIECE))) for name in names}

        async def fetch_list(names: list[str]) -> None:
            left, told = iter(names), list[str]()

            def following() -> tuple[Request, Target, Progress] | None:
                if (name := next(left, None)) is None:
                    return None
                request = Request(urls[name], named=rig.named)
                return request, Target(tmp_path, owner=name), Progress()

            await rig.transfer.fetch_each(following, lambda got: told.append(got.path.name))
            assert told == names

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for first in range(8):
                group.create_task(fetch_list(names[first::8]), name=f"list {first}")
    assert sorted(rig.files()) == sorted(names)
    assert len(server.requests) == len(names)


async def test_a_stop_is_heard_while_the_disk_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever waits; the file itself hears of it once the disk answers."""
    monkeypatch.setattr(driver, "GIVE_UP", 0.2)
    stands, go, left = threading.Event(), threading.Event(), threading.Event()
    save, leave = Destination.save_whole, Destination.leave

    def stuck(destination: Destination, *words: Any) -> Fetched | None:
        stands.set()
        go.wait(20)
        return save(destination, *words)

    def leaving(destination: Destination) -> None:
        leave(destination)
        left.set()

    monkeypatch.setattr(Destination, "save_whole", stuck)
    monkeypatch.setattr(Destination, "leave", leaving)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(PIECE)))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url), name="stands")
            await until(stands.is_set)
            task.cancel()
        assert task.cancelled()
        go.set()
        assert await asyncio.to_thread(left.wait, 10)


async def test_what_the_engine_leaves_behind_ends_by_itself(tmp_path: Path) -> None:
    """Closed while downloads run: each hears of it, in a thread of its own if need be."""
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(4_000_000), gate=gate, gate_at=2_000_000))

        async def left() -> None:
            with pytest.raises(DownloadError):
                await rig.get(url)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(left(), name="left")
            await until(lambda: rig.told.received > 1_000_000)
            await asyncio.to_thread(rig.client.close)
        gate.set()


async def test_ends_that_come_together_wake_the_loop_once(tmp_path: Path) -> None:
    del tmp_path
    loop, calls = asyncio.get_running_loop(), 0
    results = driver.Results(loop)
    call = loop.call_soon_threadsafe

    def counted(act: Callable[..., object], *words: object) -> object:
        nonlocal calls
        calls += 1
        return call(act, *words)

    loop.call_soon_threadsafe = counted  # type: ignore[method-assign,assignment]
    go = threading.Barrier(9)

    async def work() -> int:
        go.wait(10)
        return 1

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(results.drive(None, lambda _: (work(), lambda: None)), name=f"{n}")
            for n in range(8)
        ]
        await asyncio.sleep(0)
        go.wait(10)
        time.sleep(0.2)  # noqa: ASYNC251  the loop stands still: all of them end meanwhile
    assert [task.result() for task in tasks] == [1] * 8
    assert calls == 1
