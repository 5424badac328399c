"""Names, parts, publishing and marks: nothing is replaced, nothing is followed, nothing is trusted blindly."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.links import link
from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Target
from trayagent.transfer import disk_calls, driver, folders
from trayagent.transfer import publish as publishing
from trayagent.transfer.checksums import verify
from trayagent.transfer.driver import Results, StoppedError
from trayagent.transfer.finish import choose_name
from trayagent.transfer.folders import Folders, check_room, explain, full_disk, has_room
from trayagent.transfer.marks import mark, quarantine, zone_identifier
from trayagent.transfer.names import Names
from trayagent.transfer.part_file import Part, part_of
from trayagent.transfer.publish import copy_new, publish
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import sidecar_of
from trayagent.transfer.unnamed_file import open_unnamed, publish_unnamed


async def in_thread(act: Callable[[], object], stop: Callable[[], None] = lambda: None) -> object:
    """Drive something that only waits for a disk."""

    async def work() -> object:
        return act()

    return await Results(asyncio.get_running_loop()).drive(None, lambda _: (work(), stop))


WAYS = ["_rename_exclusively", "_link_then_unlink", "neither"]


@pytest.mark.parametrize("way", WAYS)
def test_publishing_never_replaces(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(part: Path, final: Path) -> None:
        raise OSError(errno.EINVAL, "not here")

    for name in WAYS[:2]:
        if name != way:
            monkeypatch.setattr(publishing, name, unsupported)
    part, final, other = tmp_path / "a.part", tmp_path / "a", tmp_path / "l"
    part.write_bytes(b"new")
    publish(str(part), final)
    assert final.read_bytes() == b"new"
    assert not part.exists()
    part.write_bytes(b"newer")
    link(other, tmp_path / "nowhere")
    for taken in (final, other):
        with pytest.raises(FileExistsError):
            publish(str(part), taken)
    assert final.read_bytes() == b"new"
    assert part.read_bytes() == b"newer"
    assert not (tmp_path / "nowhere").exists()


def test_a_record_is_believed_only_if_it_is_whole_and_fits(tmp_path: Path) -> None:
    final = tmp_path / "f"
    part = Part(final)
    part.create()
    part.write((b"x" * 100,), 0)
    record = Record(500, '"v"', ((0, 100),))
    part.vouch(record)
    part.vouch(Record(500, '"v"', ((0, 50),)))
    part.vouch(record)
    part.close()
    if sys.platform != "win32":  # there its folder keeps it private
        assert sidecar_of(final).stat().st_mode & 0o777 == 0o600

    def read() -> Record | None:
        again = Part.reopen(final)
        assert again is not None
        try:
            return again.record()
        finally:
            again.close()

    text = sidecar_of(final).read_bytes()
    assert read() == record
    for spoilt in (text[:-1], text.replace(b"100", b"900"), b"", b"null 0", b"\xff" * 50, text[5:]):
        sidecar_of(final).write_bytes(spoilt)
        assert read() is None
    sidecar_of(final).write_bytes(text)
    os.truncate(part_of(final), 99)
    assert read() is None


def test_a_part_or_record_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    final = tmp_path / "f"
    link(Path(part_of(final)), outside)
    with pytest.raises(OSError, match=r".*"):
        Part.reopen(final)
    with pytest.raises(FileExistsError):
        Part(final).create()
    Path(part_of(final)).unlink()
    if sys.platform != "win32":
        os.mkfifo(part_of(final))
        with pytest.raises(PermissionError):
            Part.reopen(final)
        Path(part_of(final)).unlink()
    part = Part(final)
    part.create()
    link(sidecar_of(final), outside)
    with pytest.raises(OSError, match=r".*"):
        part.vouch(Record(500, '"v"', ((0, 1),)))
    part.close()
    assert outside.read_bytes() == b"precious"


def test_names_are_held_without_regard_to_case_or_composition(tmp_path: Path) -> None:
    names = Names()
    assert names.hold(tmp_path / "A.mp4")
    assert not names.hold(tmp_path / "a.MP4")
    assert names.hold(tmp_path / "é")
    assert not names.hold(tmp_path / "e\u0301")
    names.release(tmp_path / "A.mp4")
    assert names.hold(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EFBIG, "too_large"),
        (errno.EACCES, "permission_denied"),
        (errno.EROFS, "permission_denied"),
        (errno.ENOENT, "permission_denied"),
        (errno.ENAMETOOLONG, "permission_denied"),
        (errno.EIO, "internal"),
    ],
)
def test_a_disk_says_why(number: int, code: str) -> None:
    assert explain(OSError(number, os.strerror(number), "/a/secret/path")).code == code
    assert "secret" not in explain(OSError(number, os.strerror(number), "/a/secret/path")).message


@pytest.mark.parametrize(
    ("number", "sentence", "action"),
    [
        (5, "We may not write to the folder.", "Check the folder's permissions"),
        (19, "We may not write to the folder (the disk is write-protected).", "permissions"),
        (21, "We may not write to the folder (the drive is not ready).", "Connect the drive again"),
        (32, "We may not write to the folder (another program holds the file open).", "Close"),
        (39, "There is not enough free space on the disk.", "Free some space"),
        (53, "We may not write to the folder (the network drive is away).", "Connect the drive"),
        (64, "We may not write to the folder (the network drive is away).", "Connect the drive"),
        (67, "We may not write to the folder (the network drive is away).", "Connect the drive"),
        (112, "There is not enough free space on the disk.", "Free some space"),
        (123, "We may not write to the folder (Windows takes no such path).", "another folder"),
        (206, "We may not write to the folder (the path is too long for Windows).", "shorter path"),
        (225, "This machine's virus protection refused the file.", "Look into its history"),
        (1117, "We may not write to the folder (the disk is damaged).", "chkdsk"),
        (1295, "There is not enough free space on the disk (a quota is used up).", "Free some"),
        (1326, "We may not write to the folder (the network drive asks for a login).", "Explorer"),
    ],
)
def test_windows_numbers_have_plain_words_and_a_next_step(
    number: int, sentence: str, action: str
) -> None:
    # As Python makes it of Windows' number: the errno is one of three, whatever was wrong.
    error = OSError(errno.EACCES if number < 40 else errno.EINVAL, "", "C:\\a\\secret")
    error.winerror = number  # type: ignore[attr-defined,unused-ignore]
    if sys.platform == "win32":
        error = OSError(0, "", "C:\\a\\secret", number)
    found = explain(error)
    assert found.message == sentence
    assert action in found.action


@pytest.mark.parametrize("mtime", [-62135596800.0, -11644473601.0, -1.0, 0.0, 1e10, 1e18, 1e300])
def test_a_date_that_the_disk_does_not_know_is_no_failure(tmp_path: Path, mtime: float) -> None:
    """Servers of .NET send the year 1 for "never"; Windows' file systems begin in 1601."""
    part = Part(tmp_path / "f")
    part.create()
    part.write((b"bytes",), 0)
    assert part.settle(mtime) == 5
    part.close()
    assert Path(part_of(tmp_path / "f")).read_bytes() == b"bytes"


@pytest.mark.skipif(sys.platform != "win32", reason="other systems stamp a file that is open")
def test_the_date_is_set_after_the_close_which_would_set_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    close, utime = os.close, os.utime

    def note_close(fd: int) -> None:
        calls.append("close")
        close(fd)

    def note_stamp(path: str, times: tuple[float, float]) -> None:
        calls.append("stamp")
        utime(path, times)

    monkeypatch.setattr(os, "close", note_close)
    monkeypatch.setattr(os, "utime", note_stamp)
    part = Part(tmp_path / "f")
    part.create()
    part.write((b"bytes",), 0)
    part.settle(1_700_000_000.0)
    assert calls == ["close", "stamp"]
    assert Path(part.path).stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize("folder", ["downloads", "🎬" * 30])
def test_a_path_on_windows_has_room_for_every_suffix_and_for_the_mark(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path has 259 UTF-16 units there, of which a picture takes two; the name of a stream counts."""
    monkeypatch.setattr(sys, "platform", "win32")
    look = Folders().check(tmp_path / folder, 0, 0)
    target = Target(tmp_path / folder, filename=f"{'n' * 300}.mp4")
    name = choose_name(target, None, None, "", "", look)
    assert name.endswith("n.mp4")
    longest = f"{tmp_path / folder / name} (9999).part:Zone.Identifier"
    assert len(longest.encode("utf-16-le")) // 2 <= 259


def test_a_large_file_is_never_let_in_by_a_look_that_a_small_one_had(tmp_path: Path) -> None:
    """A folder is looked at once a second for small files, and for each large one."""
    folders = Folders(lambda: 1000.0)
    folders.check(tmp_path, 1, 0)
    with pytest.raises(DownloadError) as failed:
        folders.check(tmp_path, 2**62, 0)
    assert failed.value.code == "disk_full"


def test_a_disk_that_is_full_with_bytes_to_spare_is_told_without_numbers(tmp_path: Path) -> None:
    """Three megabytes needed and ten free explain nothing: the number of files, or a quota, does."""
    failed = full_disk(tmp_path, 1, 0)
    assert "quota" in failed.message
    assert "needed" not in failed.message
    assert "more needed" in full_disk(tmp_path, 2**60, 0).message


def test_a_copy_replaces_nothing_and_takes_its_source_away(tmp_path: Path) -> None:
    """Between two disks a file is moved by copying it."""
    source, final = tmp_path / "source", tmp_path / "final"
    source.write_bytes(b"new")
    final.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        copy_new(source, final)
    assert (source.read_bytes(), final.read_bytes()) == (b"new", b"mine")
    final.unlink()
    copy_new(source, final)
    assert final.read_bytes() == b"new"
    assert not source.exists()


def test_room_is_kept(tmp_path: Path) -> None:
    assert has_room(100, 60, 40)
    assert not has_room(100, 61, 40)
    check_room(tmp_path, 1, 0)
    with pytest.raises(DownloadError) as full:
        check_room(tmp_path, 5_000_000, 2**62)
    for fact in ("5.0 MB needed", " free, ", "to be kept by downloads.keep_free"):
        assert fact in full.value.message, "what is needed, what there is, and what is kept"
    with pytest.raises(DownloadError):
        check_room(tmp_path / "gone", 1, 0)


def test_a_part_that_could_not_be_written_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits in memory is written whole at the next try, after a disk that was full."""
    part, write = Part(tmp_path / "f"), disk_calls._write
    part.write((b"0123456789",), 0)

    def full(fd: int, data: bytes, at: int) -> int:
        if at:
            raise OSError(errno.ENOSPC, "full")
        return write(fd, data[:4], at)

    with monkeypatch.context() as patch:
        patch.setattr(disk_calls, "_write", full)
        with pytest.raises(OSError, match="full"):
            part.create()
    assert list(tmp_path.iterdir()) == []
    part.write((b"abc",), 10)
    part.create()
    assert Path(part.path).read_bytes() == b"0123456789abc"
    part.close()


async def test_a_cancellation_does_not_wait_for_the_checksum_of_a_long_file() -> None:
    """What is read for long looks now and then whether it is still wanted."""
    stopped, begun = threading.Event(), threading.Event()

    def check_stopped() -> None:
        begun.set()
        if stopped.is_set():
            raise StoppedError

    def act() -> None:
        verify(lambda count, _: bytes(count), {"sha256": b""}, check_stopped)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(act, stopped.set), name="verifying")
        await asyncio.to_thread(begun.wait)
        task.cancel()
    assert task.cancelled()


async def test_a_thread_that_does_not_stop_holds_up_a_cancellation_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A share that is gone may keep a thread for ever; quitting goes on without it."""
    monkeypatch.setattr(driver, "GIVE_UP", 0.05)
    begun, go = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        go.wait(20)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(act), name="stuck")
        await asyncio.to_thread(begun.wait)
        task.cancel()
    go.set()
    assert task.cancelled()


def test_marks_hold_no_query(tmp_path: Path) -> None:
    url = "https://user:pw@h.example/a/b.mp4?sig=CANARY#x"
    assert "CANARY" not in zone_identifier(url)
    assert "ZoneId=3" in zone_identifier(url)
    assert "pw" not in zone_identifier(url)
    assert quarantine(1_700_000_000).startswith(b"0081;6553f100;trayagent;")
    if sys.platform == "linux":
        path = tmp_path / "f"
        path.write_bytes(b"x")
        mark(path, url)
        if "user.xdg.origin.url" in os.listxattr(path):
            assert os.getxattr(path, "user.xdg.origin.url") == b"https://h.example/a/b.mp4"
    mark(tmp_path / "gone", url)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files without a name")
def test_a_file_without_a_name_keeps_its_mark(tmp_path: Path) -> None:
    """A small file gets its name last, and its mark before."""
    (tmp_path / "probe").write_bytes(b"x")
    try:
        os.setxattr(tmp_path / "probe", "user.probe", b"x")
    except OSError:
        pytest.skip("the file system keeps no marks")
    fd = open_unnamed(str(tmp_path))
    mark(fd, "https://h.example/a?sig=CANARY")
    publish_unnamed(fd, str(tmp_path), str(tmp_path / "f"))
    os.close(fd)
    assert os.getxattr(tmp_path / "f", "user.xdg.origin.url") == b"https://h.example/a"


async def test_a_cancellation_that_comes_with_the_end_waits_for_nothing() -> None:
    """The end is known to the loop, though not yet to whoever waits."""
    ended, began = threading.Event(), time.monotonic()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(in_thread(ended.set), name="run")
        await asyncio.sleep(0)
        ended.wait()
        time.sleep(0.05)  # noqa: ASYNC251  the loop stands still: the thread tells it meanwhile
        task.cancel()
    assert task.cancelled()
    assert time.monotonic() - began < driver.GIVE_UP / 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder with open files")
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    "act", [shutil.rmtree, lambda folder: folder.rename(folder.with_name("x"))]
)
async def test_a_folder_that_goes_just_before_the_end_is_said_to_be_gone(
    tmp_path: Path, framing: str, act: Callable[[Path], object]
) -> None:
    """Between two looks at it: so it is waited for, as a disk that was pulled out is."""
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path / "in", server.authority) as rig:
        served = Served(noise(900_000), framing=framing, gate=gate, gate_at=800_000)
        url = server.at("/f.bin", served)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_failure(rig.get(url)), name="fetch")
            await until(lambda: rig.told.last[0] == 800_000)
            act(rig.folder)
            gate.set()
        assert task.result().code == "permission_denied"
        assert folders.GONE in task.result().message
        await rig.get(url)
        assert rig.files() == {"f.bin": served.body}


async def _failure(fetch: Awaitable[object]) -> DownloadError:
    with pytest.raises(DownloadError) as failed:
        await fetch
    return failed.value
