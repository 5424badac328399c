"""What a sidecar vouches for is believed as long as nobody else has written to its part."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import TransferRig, noise, transferring, until
from trayagent.transfer import part_file, sidecar
from trayagent.transfer.disk_calls import write_all
from trayagent.transfer.part_file import Part
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import (
    SAMPLE_BYTES,
    USUAL_SLACK,
    Mark,
    is_ours_still,
    read_mark,
    sample_places,
    sidecar_of,
)

BODY = noise(900_000)
SECOND = 10**9


def _edit(part: Path, at: int) -> None:
    with part.open("r+b") as file:
        file.seek(at)
        file.write(b"somebody else's")


def _replace(part: Path) -> None:
    part.write_bytes(noise(part.stat().st_size, 9))


@pytest.mark.parametrize(
    "change", [lambda part: _edit(part, 0), lambda part: _edit(part, 200_000), _replace]
)
async def test_a_part_that_somebody_edited_is_fetched_anew(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Its size is as it was; only the time of its last change tells."""
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url, final = (
            server.at("/f.bin", Served(BODY, gate=gate, gate_at=500_000)),
            tmp_path / "f.bin",
        )
        await _fetch_half(rig, server, url, None)
        gate.set()
        part = final.with_name("f.bin.part")
        # A file system's clock ticks some hundred times a second.
        tick = sidecar_of(final).stat().st_mtime_ns
        while part.stat().st_mtime_ns <= tick:
            change(part)
        await rig.get(url, path=final, owner="me")
        assert rig.files() == {"f.bin": BODY}
        assert server.requests[-1].header("Range") is None


async def test_a_part_that_nobody_edited_goes_on(tmp_path: Path) -> None:
    """Also after a second stop, and where nothing new came between the two."""
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url, final = (
            server.at("/f.bin", Served(BODY, gate=gate, gate_at=500_000)),
            tmp_path / "f.bin",
        )
        for path in (None, final, final):
            await _fetch_half(rig, server, url, path)
        gate.set()
        await rig.get(url, path=final, owner="me")
        assert rig.files() == {"f.bin": BODY}
        assert [one.header("Range") for one in server.requests[1:]] == ["bytes=500000-"] * 3


async def _fetch_half(rig: TransferRig, server: Lying, url: str, path: Path | None) -> None:
    """Fetch what the gate lets through, and stop."""
    count = len(server.requests)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(rig.get(url, path=path, owner="me"), name="fetch")
        await until(lambda: len(server.requests) > count and rig.told.last[0] == 500_000)
        task.cancel()


KILLED = """
import os, signal, sys
from pathlib import Path
from trayagent.transfer.part_file import Part
from trayagent.transfer.ranges import Record

part = Part(Path(sys.argv[1]), "me")
part.create(signed=True)
part.write((b"x" * 400_000,), 0)
part.vouch(Record(900_000, '"v"', ((0, 400_000),)))
part.write((b"y" * 100_000,), 400_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes no samples")
@pytest.mark.parametrize("at", [None, 0, 399_990, 450_000])
def test_a_killed_part_is_believed_unless_its_certain_bytes_changed(
    tmp_path: Path, at: int | None
) -> None:
    """Bytes of ours that came between the last record and the kill are no edit."""
    final = tmp_path / "f"
    subprocess.run([sys.executable, "-c", KILLED, str(final)], check=False, timeout=60)
    if at is not None:
        _edit(final.with_name("f.part"), at)
    part = Part.reopen(final, "me")
    assert part is not None
    record = part.record()
    part.close()
    assert (record is None) == (at is not None and at < 400_000)


@pytest.mark.skipif(sys.platform == "win32", reason="dates are not set by descriptor there")
def test_a_share_that_dates_a_file_by_its_closing_makes_no_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samba does so, after our last word; not where the date was set."""
    final, record = tmp_path / "f", Record(900, '"v"', ((0, 100),))
    close, set_by_name, utime = os.close, set[int](), os.utime

    def closing(fd: int) -> None:
        if fd not in set_by_name and os.fstat(fd).st_ino == final.with_name("f.part").stat().st_ino:
            later = time.time_ns() + SECOND
            utime(fd, ns=(later, later))
        close(fd)

    def setting(path: int, ns: tuple[int, int]) -> None:
        set_by_name.add(path)
        utime(path, ns=ns)

    part = Part(final, "me")
    part.create(signed=True)
    part.write((b"x" * 100,), 0)
    monkeypatch.setattr(os, "close", closing)
    monkeypatch.setattr(os, "utime", setting)
    part.vouch(record, is_last=True)
    part.close()
    monkeypatch.undo()
    again = Part.reopen(final, "me")
    assert again is not None
    assert again.record() == record
    again.close()


def test_what_is_written_first_says_again_what_was_vouched_for(tmp_path: Path) -> None:
    """Else a kill within the first second would make our own new bytes look like somebody's edit."""
    final, record = tmp_path / "f", Record(900, '"v"', ((0, 100),))
    part = Part(final, "me")
    part.create(signed=True)
    part.write((b"x" * 100,), 0)
    part.vouch(record, is_last=True)
    part.close()
    hour_ago = time.time() - 3600
    for path in (final.with_name("f.part"), sidecar_of(final)):
        os.utime(path, (hour_ago, hour_ago))
    for n in range(3):
        again = Part.reopen(final, "me")
        assert again is not None
        assert again.record() == record
        again.write((b"y",), 100 + n)
        again.close()  # as a kill would: nothing more is said


@pytest.mark.skipif(sys.platform == "win32", reason="dates are not set by descriptor there")
def test_a_share_whose_clock_is_behind_makes_no_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its part has a date of ours. So it is where our clock was set back before the last word."""
    final, record = tmp_path / "f", Record(900, '"v"', ((0, 100),))

    def written_there(fd: int, data: bytes, at: int) -> None:
        write_all(fd, data, at)
        hour_ago = time.time_ns() - 3600 * SECOND
        os.utime(fd, ns=(hour_ago, hour_ago))

    part = Part(final, "me")
    part.create(signed=True)
    part.write((b"x" * 100,), 0)
    monkeypatch.setattr(sidecar, "write_all", written_there)
    part.vouch(record, is_last=True)
    part.close()
    again = Part.reopen(final, "me")
    assert again is not None
    assert again.record() == record
    again.close()


class _KilledError(Exception):
    """The disk was still at it."""


@pytest.mark.parametrize(("seconds", "goes_on"), [(2.0, True), (0.01, False)])
def test_a_kill_while_a_slow_disk_still_writes_loses_no_more_than_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, goes_on: bool
) -> None:
    """A stick takes minutes for what memory has for it, and bytes come meanwhile. A quick disk never does."""
    final, record = tmp_path / "f", Record(900, '"v"', ((0, 100),))
    clock = [0.0]

    def slowly(fd: int) -> None:
        clock[0] += seconds

    def for_ever(fd: int) -> None:
        raise _KilledError

    part = Part(final, "me")
    part.create(signed=True)
    part.write((b"x" * 100,), 0)
    with monkeypatch.context() as slow:
        slow.setattr(part_file, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        slow.setattr(part_file, "sync", slowly)
        part.vouch(record)
        part.write((b"y" * 100,), 100)
        slow.setattr(part_file, "sync", for_ever)
        with pytest.raises(_KilledError):
            part.vouch(Record(900, '"v"', ((0, 200),)))
    part.close()
    later = sidecar_of(final).stat().st_mtime_ns + 120 * SECOND
    os.utime(final.with_name("f.part"), ns=(later, later))
    again = Part.reopen(final, "me")
    assert again is not None
    assert again.record() == (record if goes_on else None)
    again.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes no samples")
def test_only_what_came_lately_is_read_again_while_a_file_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has it still. Of a file longer than memory each other place would be a visit to the disk."""
    piece, count = 1 << 18, 48
    looked: list[int] = []
    read = Part.read

    def noting(part: Part, count: int, at: int) -> bytes:
        looked.append(at)
        return read(part, count, at)

    monkeypatch.setattr(Part, "read", noting)
    monkeypatch.setattr(part_file, "sync", lambda fd: None)
    part = Part(tmp_path / "f", "me")
    part.create(signed=True)
    for n in range(count):
        before, end = n * piece, (n + 1) * piece
        part.write((bytes([n]) * piece,), before)
        looked.clear()
        part.vouch(Record(count * piece, '"v"', ((0, end),)))
        assert all(at >= before - SAMPLE_BYTES for at in looked)
    part.close()


def test_the_times_of_both_files_decide() -> None:
    cut, ended = Mark("me", sample="s"), Mark("me", slack=0.0)

    def never() -> str:
        raise AssertionError

    slack = int(USUAL_SLACK * SECOND)
    for mark in (cut, ended):
        assert is_ours_still(mark, 5 * SECOND, 5 * SECOND, never)
        assert is_ours_still(mark, 4 * SECOND, 5 * SECOND, never)
        assert not is_ours_still(mark, 5 * SECOND + slack + 1, 5 * SECOND, never)
    assert not is_ours_still(ended, 5 * SECOND + 1, 5 * SECOND, never)
    assert is_ours_still(cut, 5 * SECOND + slack, 5 * SECOND, lambda: "s")
    assert not is_ours_still(cut, 5 * SECOND + slack, 5 * SECOND, lambda: "t")


@pytest.mark.parametrize(
    "done",
    [
        *((), ((0, 1),), ((0, 4096),), ((0, 10**9),), ((7, 8), (10**11, 10**12))),
        ((0, 5000), (9000, 9001), (20_000, 10**7)),
    ],
)
def test_samples_lie_in_what_is_certain(done: tuple[tuple[int, int], ...]) -> None:
    places = sample_places(done)
    assert len(places) <= sidecar.MOST_SAMPLES
    assert all(any(a <= start < end <= b for a, b in done) for start, end in places)
    assert all(end - start <= SAMPLE_BYTES for start, end in places)
    if done:
        assert places[0][0] == done[0][0]
        assert places[-1][1] == done[-1][1]


def test_a_sidecar_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    text = b'{"owner":"me","record":{"size":9,"validator":"\\"v\\"","done":[[0,4]]}}'
    sidecar_of(tmp_path / "f").write_bytes(text + b" %d" % zlib.crc32(text))
    assert read_mark(sidecar_of(tmp_path / "f")) == Mark("me", Record(9, '"v"', ((0, 4),)))
