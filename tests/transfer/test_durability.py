"""The order of what reaches the disk: bytes, then what vouches for them, then the name, then the folder."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.transfer import attempt, folders, unnamed_file
from trayagent.transfer import publish as publishing
from trayagent.transfer.part_file import Part
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import sidecar_of

posix = pytest.mark.skipif(not hasattr(os, "fdatasync"), reason="watches the calls of Linux")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done to the disk from here on, in order."""
    done: list[str] = []
    write, write_pieces = os.pwrite, os.pwritev
    sync, sync_all, move = os.fdatasync, os.fsync, publishing.move_new
    link = os.link

    def writing(fd: int, data: bytes, at: int) -> int:
        done.append(f"write {os.fstat(fd).st_ino}")
        return write(fd, data, at)

    def writing_pieces(fd: int, pieces: Sequence[bytes], at: int) -> int:
        done.append(f"write {os.fstat(fd).st_ino}")
        return write_pieces(fd, pieces, at)

    def syncing(fd: int) -> None:
        done.append(f"sync {os.fstat(fd).st_ino}")
        sync(fd)

    def syncing_all(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            done.append("sync folder")
        sync_all(fd)

    def moving(part: str, final: Path) -> None:
        done.append("name")
        move(part, final)

    def linking(part: str, final: Path, *, src_dir_fd: int) -> None:
        done.append("name")
        link(part, final, src_dir_fd=src_dir_fd)

    monkeypatch.setattr(os, "link", linking)
    monkeypatch.setattr(os, "pwrite", writing)
    monkeypatch.setattr(os, "pwritev", writing_pieces)
    monkeypatch.setattr(os, "fdatasync", syncing)
    monkeypatch.setattr(os, "fsync", syncing_all)
    monkeypatch.setattr(publishing, "move_new", moving)
    return done


@posix
def test_a_record_is_written_after_the_bytes_it_vouches_for_are_on_the_disk(
    tmp_path: Path, steps: list[str]
) -> None:
    part = Part(tmp_path / "f")
    part.create()
    part.write((b"x" * 100,), 0)
    part.vouch(Record(500, '"v"', ((0, 100),)))
    part.close()
    bytes_, record = (Path(p).stat().st_ino for p in (part.path, sidecar_of(part.final)))
    assert steps == [f"write {bytes_}", f"sync {bytes_}", f"write {record}"]


@posix
@pytest.mark.parametrize("size", [1000, 2_000_000])
async def test_a_file_gets_its_name_after_its_bytes_are_on_the_disk_and_the_name_follows(
    tmp_path: Path, steps: list[str], size: int
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        fetched = await rig.get(server.at("/f.bin", Served(noise(size))))
    assert steps[-3:] == [f"sync {fetched.path.stat().st_ino}", "name", "sync folder"]


@posix
def test_a_folder_that_cannot_be_synced_is_told_of_unless_its_file_system_never_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> Callable[[int], None]:
        def sync(fd: int) -> None:
            raise OSError(number, os.strerror(number))

        return sync

    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    publishing.sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="error"):
        publishing.sync_folder(tmp_path)


def test_a_record_that_got_shorter_is_read_as_it_is(tmp_path: Path) -> None:
    """Nothing of the longer one stays behind it."""
    part, short = Part(tmp_path / "f"), Record(500, '"v"', ((0, 100),))
    part.write((b"x" * 300,), 0)
    part.vouch(Record(500, '"v"', ((0, 100), (200, 300))))
    part.vouch(short)
    assert part.record() == short
    part.close()


def test_a_part_that_was_never_made_takes_nobody_elses_with_it(tmp_path: Path) -> None:
    """A download that fails before its first byte is on the disk has no file to remove there."""
    part = Part(tmp_path / "f")
    part.write((b"x",), 0)
    Path(part.path).write_bytes(b"somebody else's")
    part.discard()
    assert Path(part.path).read_bytes() == b"somebody else's"


async def test_a_disk_that_fills_up_meanwhile_ends_the_download_before_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room that is to be kept is looked at again and again, whoever else fills the disk."""
    monkeypatch.setattr(attempt, "SAVE_EVERY", 0.01)
    gate, looks = asyncio.Event(), list[Path]()

    def full(path: Path) -> int:
        looks.append(path)
        return -1

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(4_000_000), gate=gate, gate_at=2_000_000))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(outcome(rig.get(url)), name="fetching")
            await until(lambda: rig.told.last[0] == 2_000_000)
            monkeypatch.setattr(folders, "free_bytes", full)
            await until(lambda: len(looks) > 1 or task.done())
            gate.set()
    assert task.result().startswith("disk_full: ")
    assert "(2.0 MB more needed, " in task.result()


async def outcome(work: object) -> str:
    try:
        await work  # type: ignore[misc]
    except DownloadError as error:
        return str(error)
    return "done"


@pytest.mark.parametrize("etag", [None, '"v"'])
async def test_a_name_that_was_given_is_not_asked_for_again(
    tmp_path: Path, etag: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails just after: the file has its name, and the next attempt finds it there."""

    def fail(folder: str) -> None:
        raise OSError(errno.EMFILE, "too many open files", folder)

    async with Lying() as server, transferring(tmp_path / "d", server.authority) as rig:
        url = server.at("/f.bin", Served(noise(3000), etag=etag))
        with monkeypatch.context() as broken:
            broken.setattr(publishing, "sync_folder", fail)
            broken.setattr(unnamed_file, "sync_folder", fail)
            with pytest.raises(DownloadError):
                await rig.get(url, owner="d1")
        assert rig.files() == {"f.bin": noise(3000)}

        fetched = await rig.get(url, owner="d1", path=tmp_path / "d" / "f.bin")
        assert fetched.path.name == "f.bin"
        assert rig.files() == {"f.bin": noise(3000)}
        assert len(server.requests) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
@pytest.mark.parametrize("number", [errno.ENOENT, errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV])
async def test_a_small_file_comes_also_where_one_without_a_name_cannot_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Where nobody has mounted /proc, or the file system knows no links."""

    def refuse(source: str, final: str, **how: object) -> None:
        raise OSError(number, os.strerror(number), source)

    monkeypatch.setattr(os, "link", refuse)
    async with Lying() as server, transferring(tmp_path / "d", server.authority) as rig:
        fetched = await rig.get(server.at("/f.bin", Served(noise(3000))), owner="d1")
        assert fetched.path.name == "f.bin"
        assert rig.files() == {"f.bin": noise(3000)}
        assert len(server.requests) == 1
