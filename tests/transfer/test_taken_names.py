"""A name that somebody else has is left to them, whatever it is that has it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings
from trayagent.transfer.part_file import Part, part_of
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import sidecar_of

BODY = noise(3000)


async def test_the_same_bytes_under_a_name_that_was_never_ours_are_somebody_elses(
    tmp_path: Path,
) -> None:
    """Else undoing the download would throw the user's own copy away."""
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(BODY, gate=gate, gate_at=600))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url), name="fetch")
            await until(lambda: bool(rig.told.names))
            (tmp_path / "f.bin").write_bytes(BODY)
            gate.set()
        assert task.result().path.name == "f (1).bin"
        assert rig.files() == {"f.bin": BODY, "f (1).bin": BODY}
        (tmp_path / "f.bin").unlink()
        assert (await rig.get(url)).path.name == "f.bin"  # a name that is free again is used again


async def test_a_retry_leaves_its_name_to_a_download_that_has_it_meanwhile(tmp_path: Path) -> None:
    """Two that wrote into one file would make a file of neither."""
    gate, other = asyncio.Event(), noise(200_000, 2)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        first = server.at("/f.bin", Served(other, gate=gate, gate_at=100_000))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(first), name="fetch")
            await until((tmp_path / "f.bin.part").exists)
            again = await rig.get(server.at("/g.bin", Served(BODY)), path=tmp_path / "f.bin")
            gate.set()
        assert again.path.read_bytes() == BODY
        assert task.result().path == tmp_path / "f.bin"
        assert task.result().path.read_bytes() == other


def a_link(path: Path) -> None:
    path.with_name("other").write_bytes(BODY)
    path.symlink_to(path.with_name("other"))


def a_broken_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are a thing of POSIX")
@pytest.mark.parametrize("plant", [a_link, a_broken_link, a_pipe, Path.mkdir])
async def test_a_reserved_name_that_something_odd_has_taken_costs_the_name_only(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    """A retry whose name is a link, a pipe or a folder by now goes on under the next name."""
    plant(tmp_path / "f.bin")
    async with (
        asyncio.timeout(10),
        Lying() as server,
        transferring(tmp_path, server.authority) as rig,
    ):
        fetched = await rig.get(server.at("/f.bin", Served(BODY)), path=tmp_path / "f.bin")
    assert fetched.path == tmp_path / "f (1).bin"
    assert fetched.path.read_bytes() == BODY
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are a thing of POSIX")
@pytest.mark.timeout(10)
def test_a_pipe_in_the_place_of_a_record_is_no_record_and_keeps_nobody_waiting(
    tmp_path: Path,
) -> None:
    final = tmp_path / "f.bin"
    Path(part_of(final)).write_bytes(BODY)
    os.mkfifo(sidecar_of(final))
    part = Part.reopen(final)
    assert part is not None
    assert part.record() is None
    part.close()


def test_a_part_that_moves_on_leaves_no_record_beside_somebody_elses_file(tmp_path: Path) -> None:
    part = Part(tmp_path / "f.bin")
    part.write((BODY,), 0)
    part.vouch(Record(9000, '"v"', ((0, 3000),)))
    part.move(tmp_path / "f (1).bin")
    assert [path.name for path in tmp_path.iterdir()] == ["f (1).bin.part"]
    part.close()


def test_a_record_that_cannot_be_true_is_not_read(tmp_path: Path) -> None:
    """Also if its check fits: a program of an older version, or another one, may have written it."""
    final = tmp_path / "f.bin"
    Path(part_of(final)).write_bytes(BODY)
    part = Part.reopen(final)
    assert part is not None
    part.vouch(Record(3000, '"v"', ((10, 3000), (0, 20))))
    assert part.record() is None
    part.vouch(Record(3000, '"v"', ((0, 20),)))
    assert part.record() is not None
    part.close()


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_the_largest_size_is_meant_to_the_byte(tmp_path: Path, framing: str) -> None:
    """One byte more than allowed is too many, said or not."""
    settings = DownloadSettings(keep_free="0", max_size="3000B")
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, downloads=settings) as rig,
    ):
        await rig.get(server.at("/f.bin", Served(BODY, framing=framing)))
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/g.bin", Served(BODY + b"x", framing=framing)))
    assert failed.value.code == "too_large"
    said = "it has 3001 bytes, the limit is 3000 bytes"
    assert failed.value.detail == (said if framing == "length" else "the limit is 3.0 KB")
    assert rig.files() == {"f.bin": BODY}
