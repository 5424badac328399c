"""Several connections bring one file, identical to the byte, or give way to one."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, Served
from tests.transfer.rig import noise, replace_writes, transferring, until
from tests.wine import keeps_time
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Progress, Target
from trayagent.net.exchange import EnoughError
from trayagent.transfer import folders
from trayagent.transfer.connections import Connections, SegmentConnection
from trayagent.transfer.destination import Destination
from trayagent.transfer.lane import Lane
from trayagent.transfer.names import Names
from trayagent.transfer.part_file import Part
from trayagent.transfer.settled import SettledFiles
from trayagent.transfer.width import FlowSample, Width
from trayagent.transfer.writer import Writer

SIZE = 6_000_000


@pytest.mark.parametrize("segments", [2, 3, 16])
async def test_many_connections_one_file(tmp_path: Path, segments: int) -> None:
    body = noise(SIZE)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served, used = Served(body, rate=3_000_000), set[int]()

        async def behave(exchange: Exchange) -> None:
            # The server's own count lags behind: it notices late that a connection was given up.
            used.add(16 - rig.client.transport.spare(server.authority))
            await served(exchange)

        await rig.get(server.at("/f.bin", behave), segments=segments)
        assert rig.files() == {"f.bin": body}
        assert 2 <= max(used) <= segments


async def test_a_server_that_throttles_by_connection_gets_more_of_them(tmp_path: Path) -> None:
    body = noise(40_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", Served(body, rate=4_000_000)))
        assert rig.files() == {"f.bin": body}
        assert server.most_open > 1


@keeps_time
@pytest.mark.alone
async def test_a_quick_server_is_left_alone(tmp_path: Path) -> None:
    """Where another program takes the processor, bytes stop for a moment, as from a server that doles them out.

    So it has ten tries to be quick: whoever takes more connections from a quick one takes them every time.
    """
    body, most = noise(20_000_000), list[int]()
    while 1 not in most and len(most) < 10:
        async with Lying() as server, transferring(tmp_path, server.authority) as rig:
            path = (await rig.get(server.at("/f.bin", Served(body)))).path
            most.append(server.most_open)
            path.unlink()
    assert 1 in most, most


async def test_the_allowance_of_a_host_is_shared(tmp_path: Path) -> None:
    body = noise(SIZE)
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, connections_per_host=5) as rig,
    ):
        url = server.at("/f.bin", Served(body, rate=4_000_000))
        spare: list[int] = []

        async def watch() -> None:
            while True:
                spare.append(rig.client.transport.spare(server.authority))
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(), name="watch")
            async with asyncio.TaskGroup() as downloads:
                for n in range(3):
                    downloads.create_task(rig.get(url, segments=16), name=f"{n}")
            watching.cancel()
        assert min(spare) <= 0  # below: requests that wait for a connection
        assert rig.client.transport.spare(server.authority) == 5
        assert set(rig.files().values()) == {body}


async def test_a_file_that_changes_between_segments_comes_as_one_stream(tmp_path: Path) -> None:
    old, new = Served(noise(SIZE, 1), rate=6_000_000), Served(noise(SIZE, 2), etag='"v2"')
    served = 0

    async def changing(exchange: Exchange) -> None:
        nonlocal served
        served += 1
        await (old if served == 1 else new)(exchange)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", changing), segments=4)
        assert rig.files() == {"f.bin": new.body}


@pytest.mark.parametrize("status", ["400 No parts", "405 No", "501 No"])
async def test_segments_refused_for_good_become_one_stream(tmp_path: Path, status: str) -> None:
    body = noise(SIZE)
    file = Served(body, rate=30_000_000)

    async def no_parts(exchange: Exchange) -> None:
        if exchange.header("Range"):
            await exchange.reply(status)
        else:
            await file(exchange)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", no_parts), segments=4)
        assert rig.files() == {"f.bin": body}
        assert len(server.requests) < 10


async def test_a_segment_that_is_cut_is_taken_up_by_others(tmp_path: Path) -> None:
    body = noise(SIZE)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(body, rate=6_000_000, cut=[3_000_000, 200_000, 100_000])
        await rig.get(server.at("/f.bin", served), segments=4)
        assert rig.files() == {"f.bin": body}


async def test_a_cancelled_segmented_download_goes_on_with_its_gaps(tmp_path: Path) -> None:
    body = noise(SIZE)
    served = Served(body, rate=2_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", served)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url, segments=4), name="fetch")
            await until(lambda: rig.told.last[0] > SIZE // 3)
            task.cancel()
        asked = len(server.requests)
        served.rate = 0
        await rig.get(url, path=tmp_path / "f.bin", segments=4)
        assert rig.files() == {"f.bin": body}
        again = 0
        for request in server.requests[asked:]:
            first, _, last = (request.header("Range") or "bytes=0-")[6:].partition("-")
            again += int(last or SIZE - 1) + 1 - int(first)
        assert again < SIZE


async def test_without_ranges_or_proof_there_is_one_connection(tmp_path: Path) -> None:
    body = noise(SIZE)
    for n, served in enumerate(
        (Served(body, ranges=False), Served(body, etag=None, modified=None))
    ):
        served.rate = 12_000_000
        async with Lying() as server, transferring(tmp_path / str(n), server.authority) as rig:
            await rig.get(server.at("/f.bin", served), segments=8)
            assert rig.files() == {"f.bin": body}
            assert len(server.requests) == 1


async def test_disk_trouble_ends_all_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(SIZE), rate=4_000_000))

        def fail(*_: object) -> int:
            raise OSError(28, "No space left on device")

        async def spoil() -> None:
            await until(lambda: rig.told.last[0] > SIZE // 4)
            replace_writes(monkeypatch, fail)
            monkeypatch.setattr(folders, "free_bytes", lambda folder: 4096)

        async with asyncio.TaskGroup() as group:
            group.create_task(spoil(), name="spoil")
            with pytest.raises(DownloadError) as failed:
                await rig.get(url, segments=4)
        monkeypatch.undo()
        assert failed.value.code == "disk_full"
        assert re.search(r"MB more needed, .* free", failed.value.detail)


def seen(now: float, received: int, *, last: float, newest: int, left: int = 10**9) -> FlowSample:
    return FlowSample(now=now, received=received, left=left, last=last, newest=newest)


def test_width_stays_one_while_bytes_flow() -> None:
    width = Width(0.0, 0.001)
    for step in range(1, 200):
        now = step * 0.05
        rate = 100_000_000
        assert width.look(seen(now, int(now * rate), last=now, newest=1, left=rate), 16) == 1


def test_width_leaves_a_gigabit_alone_however_much_is_left() -> None:
    width = Width(0.0, 0.001, received=10**9)
    for step in range(1, 200):
        now = step * 0.05
        # Ten milliseconds of bytes, then silence, again and again: a busy machine.
        here = 10**9 + int(now * 130_000_000)
        assert width.look(seen(now, here, last=now - 0.04, newest=1, left=10**12), 16) == 1


def test_width_grows_while_doubling_brings_something_and_takes_the_last_step_back() -> None:
    width, received, now, history = Width(0.0, 0.001), 0.0, 0.0, []
    for _ in range(200):
        now += 0.1
        received += min(width.lanes, 5) * 100_000
        history.append(width.look(seen(now, int(received), last=now, newest=int(received)), 16))
    assert max(history) == 8
    assert history[-1] == 4


def test_width_takes_a_hush_for_a_sign_only_if_a_new_connection_proves_it() -> None:
    width = Width(0.0, 0.001)
    assert width.look(seen(0.01, 2_000_000, last=0.005, newest=2_000_000), 16) == 1
    assert width.look(seen(0.03, 2_000_000, last=0.005, newest=2_000_000), 16) == 2
    assert width.hushed
    assert width.look(seen(0.04, 2_050_000, last=0.005, newest=50_000), 16) == 2
    assert width.look(seen(0.05, 4_000_000, last=0.005, newest=2_000_000), 16) == 16
    other = Width(0.0, 0.001)
    other.look(seen(0.03, 2_000_000, last=0.005, newest=2_000_000), 16)
    assert other.look(seen(0.05, 4_000_000, last=0.04, newest=2_000_000), 16) == 2
    assert not other.hushed


def test_width_keeps_to_what_the_host_has_room_for() -> None:
    width = Width(0.0, 0.001)
    width.look(seen(0.03, 2_000_000, last=0.005, newest=2_000_000), 16)
    assert width.look(seen(0.05, 4_000_000, last=0.005, newest=2_000_000), 3) == 3


def test_a_share_that_was_given_up_is_not_taken_back(tmp_path: Path) -> None:
    """The engine may bring more for it until it hears of that: those bytes are another's by then."""
    names, settled = Names(), SettledFiles(tmp_path / "settled")
    target = Target(tmp_path)
    destination = Destination(names, settled, target, Progress(), 0)
    lock = threading.Lock()
    connections = Connections(
        destination,
        ask=lambda _: pytest.fail("nothing is asked"),
        new_lane=lambda start, end: pytest.fail("nothing is begun"),
        spare=lambda: 0,
        wait=lambda _: pytest.fail("nothing is waited for"),
        end=lambda _: pytest.fail("nothing is ended"),
        lock=lock,
    )
    writer = Writer(Part(tmp_path / "f"), lambda: None, lambda: None)
    lane = Lane(writer, 0, 100, limit=1000, buckets=(), progress=Progress(), lock=lock)
    lane.reach, lane.extend = 100, connections._extend
    given_up = SegmentConnection(lane, 0.0)
    connections._active.append(given_up)
    lane.take((b"x" * 10,), 10)
    connections._drop(given_up)
    with pytest.raises(EnoughError):
        lane.take((b"x" * 10,), 10)
    assert (lane.at, connections._todo) == (10, [(10, 100)])
