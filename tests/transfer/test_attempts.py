"""What one attempt does about a server that fails it: no endless asking, and no wrong byte kept."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, Served, in_turn, replying
from tests.transfer.rig import noise, replace_writes, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Progress, Target
from trayagent.net.host_limits import Cooldown
from trayagent.transfer.destination import Destination
from trayagent.transfer.lane import Lane
from trayagent.transfer.names import Names
from trayagent.transfer.part_file import Part
from trayagent.transfer.settled import SettledFiles
from trayagent.transfer.sidecar import Sidecar, sidecar_of
from trayagent.transfer.writer import Writer

BODY = noise(100_000)


@pytest.mark.parametrize("proof", [{}, {"etag": None, "modified": None}])
async def test_a_server_that_always_cuts_is_not_asked_for_ever(
    tmp_path: Path, proof: dict[str, None]
) -> None:
    """The pool waits before the next attempt; whether what came can be proven makes no difference."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(BODY, cut=[1000] * 50, **proof)  # type: ignore[arg-type]
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", served))
        assert failed.value.code == "truncated"
        assert len(server.requests) <= 4


@pytest.mark.parametrize("size", [100_000, 3_000_000])
@pytest.mark.timeout(20)
async def test_a_server_that_ends_every_part_properly_but_empty_is_not_asked_for_ever(
    tmp_path: Path, size: int
) -> None:
    """The framing is whole and the bytes are missing: that is a cut, too."""

    async def nothing(exchange: Exchange) -> None:
        first, _, last = (exchange.header("Range") or "")[6:].partition("-")
        said = f"bytes {first}-{last or size - 1}/{size}"
        await exchange.head(
            "206 Part", ETag='"v1"', Content_Range=said, Transfer_Encoding="chunked"
        )
        await exchange.raw(b"0\r\n\r\n")

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", in_turn(Served(noise(size), cut=[50_000]), nothing))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, segments=2)
        assert failed.value.code == "truncated"
        assert len(server.requests) < 20


async def test_a_part_that_went_bad_on_the_disk_is_fetched_anew(tmp_path: Path) -> None:
    """Its record is honest and its bytes are not: the checksum tells, and nothing of it is used."""
    good = f"sha-256={hashlib.sha256(BODY).hexdigest()}"
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(BODY, cut=[50_000, 0]))
        with pytest.raises(DownloadError):
            await rig.get(url)
        part = tmp_path / "f.bin.part"
        part.write_bytes(b"\x00" * 1000 + part.read_bytes()[1000:])
        await rig.get(url, path=tmp_path / "f.bin", checksum=good)
        assert rig.files() == {"f.bin": BODY}
        assert [request.header("Range") for request in server.requests[-2:]] == [
            "bytes=50000-",
            None,
        ]


async def test_when_a_file_starts_over_its_old_record_is_gone_before_new_bytes_come(
    tmp_path: Path,
) -> None:
    """After a crash the record of the old file would vouch for bytes of the new one."""
    gate, new = asyncio.Event(), noise(300_000, 2)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError):
            await rig.get(server.at("/f.bin", Served(BODY, cut=[50_000, 0])))
        served = Served(new, etag=None, modified=None, gate=gate, gate_at=200_000)
        url, final = server.at("/f.bin", served), tmp_path / "f.bin"
        assert sidecar_of(final).exists()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url, path=final), name="fetching")
            await until(lambda: rig.told.last[0] == 200_000 or task.done())
            mark = Sidecar(final).read()
            assert mark is not None
            assert mark.record is None
            gate.set()
        assert rig.files() == {"f.bin": new}


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_no_attempt_leaves_a_file_open(tmp_path: Path) -> None:
    """Whatever becomes of it: published, given up, cancelled. (The log of settled records lies elsewhere.)"""
    folder = tmp_path / "in"

    def open_here() -> list[str]:
        links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        return [link for link in links if link.startswith(f"{folder}{os.sep}")]

    async with Lying() as server, transferring(folder, server.authority) as rig:
        await rig.get(server.at("/a.bin", Served(BODY)))
        with pytest.raises(DownloadError):
            await rig.get(server.at("/b.bin", Served(BODY, cut=[80_000, 0])))
        with pytest.raises(DownloadError):
            await rig.get(server.at("/c.bin", Served(BODY)), checksum="md5=00")
        gate = asyncio.Event()
        gated = Served(BODY, gate=gate, gate_at=80_000)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(server.at("/d.bin", gated)), name="fetching")
            await until(lambda: bool(open_here()))
            task.cancel()
        gate.set()
        await rig.get(server.at("/e.bin", Served(BODY)))
        assert open_here() == []


def test_bytes_that_the_disk_refused_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that counted them would vouch for a hole."""
    part, progress = Part(tmp_path / "f"), Progress()
    part.create()
    writer = Writer(part, lambda: None, lambda: None)
    lane = Lane(writer, 0, 1000, limit=10**6, buckets=(), progress=progress, lock=threading.Lock())
    target = Target(tmp_path)
    destination = Destination(Names(), SettledFiles(tmp_path / "settled"), target, progress, 0)
    destination.add(lane)
    assert lane.take((b"x" * 100,), 100) == 0
    writer.drain()

    def full(fd: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, "full")

    replace_writes(monkeypatch, full)
    lane.take((b"x" * 100,), 100)
    with pytest.raises(OSError, match="full"):
        writer.drain()
    destination.take_back(writer.drop())
    assert destination.received == progress.received == 100
    part.close()


async def test_an_answer_makes_good_for_an_earlier_refusal(tmp_path: Path) -> None:
    """A host that was busy once, and serves since, starts with a short wait the next time."""
    now = [1000.0]
    cooldown = Cooldown(lambda: now[0], lambda: 0.0)
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, cooldown=cooldown) as rig,
    ):
        busy, waits = replying("503 Busy"), list[float]()
        url = server.at("/f.bin", in_turn(busy, Served(BODY), busy))
        for _ in range(3):
            try:
                await rig.get(url)
            except DownloadError:
                waits.append(cooldown.remaining(server.authority))
                with pytest.raises(DownloadError):
                    await rig.get(url)
            now[0] += 10.0
        assert waits == [1.0, 1.0]
        assert len(server.requests) == 3
