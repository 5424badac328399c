"""The bytes of one download are never another's, whatever their names: also when both are at work at once."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable
from functools import partial
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import TransferRig, mp4, noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Made, Target
from trayagent.transfer import folders
from trayagent.transfer.part_file import Part
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import sidecar_of

SIZE = 3_000_000
ONE, OTHER = noise(SIZE, 1), noise(SIZE, 2)


async def interrupted(rig: TransferRig, url: str, served: Served, owner: str) -> None:
    """Fetch until the server's gate, then cancel."""
    served.gate, served.gate_at = asyncio.Event(), 2_000_000
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(rig.get(url, owner=owner), name="interrupted")
        await until(lambda: rig.told.last[0] >= 2_000_000)
        task.cancel()
    served.gate.set()


async def error_of(fetch: Awaitable[object]) -> DownloadError:
    """What it fails with."""
    with pytest.raises(DownloadError) as failed:
        await fetch
    return failed.value


@pytest.mark.parametrize("owner", ["theirs", "ours"])
async def test_two_programs_with_one_name_make_two_whole_files(tmp_path: Path, owner: str) -> None:
    """Each has a transfer of its own, as two processes have; even the same command started twice."""
    gate = asyncio.Event()
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority) as first,
        transferring(tmp_path, server.authority) as second,
    ):
        one = server.at("/1/f.bin", Served(ONE, gate=gate, gate_at=2_000_000))
        other = server.at("/2/f.bin", Served(OTHER))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(first.get(one, owner="ours"), name="first")
            await until(lambda: first.told.last[0] >= 2_000_000)
            fetched = await second.get(other, owner=owner)
            gate.set()
        assert (task.result().path.name, fetched.path.name) == ("f.bin", "f (1).bin")
        assert first.files() == {"f.bin": ONE, "f (1).bin": OTHER}


async def test_the_same_size_and_etag_elsewhere_are_not_the_same_file(tmp_path: Path) -> None:
    """nginx makes an ETag of time and size; what an interrupted download left is for that one only."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(ONE)
        url = server.at("/1/f.bin", served)
        await interrupted(rig, url, served, "one")
        kept = rig.files()
        assert kept.keys() == {"f.bin.part", "f.bin.part.json"}
        await rig.get(server.at("/2/f.bin", Served(OTHER)), owner="other")
        assert rig.files() == kept | {"f (1).bin": OTHER}
        await rig.get(url, owner="one")
        assert rig.files() == {"f.bin": ONE, "f (1).bin": OTHER}
        assert server.asked("/1/f.bin")[-1].header("Range") == "bytes=2000000-"


async def test_a_mirrors_validator_is_the_mirrors_own(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(ONE, cut=[2_000_000, 0, 0, 0, 0]))
        mirror = server.at("/m.bin", Served(OTHER))
        await rig.get(url, mirrors=(mirror,))
        assert rig.files() == {"f.bin": OTHER}


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', None])
async def test_the_same_download_goes_on_whatever_gave_it_its_name(
    tmp_path: Path, etag: str | None
) -> None:
    """Or starts over in its place where nothing can be proven; never beside what it left."""
    extra = {"Content-Disposition": 'attachment; filename="named.bin"'}
    served = Served(ONE, etag, modified=None, extra=extra)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/get", served)
        await interrupted(rig, url, served, "one")
        assert rig.files().keys() == {"named.bin.part", "named.bin.part.json"}
        fetched = await rig.get(url, owner="one")
        assert fetched.path.name == "named.bin"
        assert rig.files() == {"named.bin": ONE}
        resumed = server.asked("/get")[-1].header("Range") == "bytes=2000000-"
        assert resumed is (etag == '"v1"')


@pytest.mark.parametrize("sidecar", [None, b"", b'{"theirs": 1}'])
async def test_a_part_that_is_not_ours_is_left_alone(tmp_path: Path, sidecar: bytes | None) -> None:
    """Browsers and other programs call their unfinished files so, too."""
    (tmp_path / "f.bin.part").write_bytes(b"theirs")
    if sidecar is not None:
        (tmp_path / "f.bin.part.json").write_bytes(sidecar)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", Served(ONE)), owner="one")
        assert rig.files() == before | {"f (1).bin": ONE}


async def test_a_name_of_before_that_is_anothers_by_now_is_given_up(tmp_path: Path) -> None:
    """An agent remembers its names; a program without that memory may have begun the same one since."""
    for make in (Part.create, partial(Part.settle, mtime=None)):
        theirs = Part(tmp_path / "f.bin", "theirs")
        theirs.write((OTHER,), 0)
        theirs.vouch(Record(SIZE, '"v1"', ((0, 2_000_000),)))
        theirs.close()
        (tmp_path / "f.bin.part").unlink()
        ours = Part(tmp_path / "f.bin", "ours")
        ours.write((ONE,), 0)
        make(ours)
        assert not sidecar_of(tmp_path / "f.bin").exists()
        ours.discard()
        ours.close()
        assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_sidecar_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "f.bin.part.json").write_text("{}")
    with pytest.raises(FileExistsError):
        Part(tmp_path / "f.bin", "ours").create()
    assert {path.name for path in tmp_path.iterdir()} == {"f.bin.part.json"}


async def test_a_made_file_is_not_kept_by_a_sidecar_of_another(tmp_path: Path) -> None:
    part = Part(tmp_path / "film.mp4", "theirs")
    part.vouch(None)
    part.close()
    (tmp_path / "film.mp4.part").unlink()
    scratch = tmp_path / "scratch"
    scratch.write_bytes(mp4(5000))
    async with transferring(tmp_path) as rig:
        target = Target(tmp_path, owner="ours")
        await rig.publish(Made(scratch, "film.mp4"), target)
        assert rig.files() == {"film.mp4": mp4(5000)}


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_cancellation_at_the_first_look_keeps_no_lock(
    tmp_path: Path, remembered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That look is in another thread; what it opened must be closed all the same."""
    looking, go = threading.Event(), threading.Event()
    claim = Part._claim

    def slow(part: Part, *, signed: bool) -> None:
        claim(part, signed=signed)
        looking.set()
        assert go.wait(10)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(ONE)
        url = server.at("/f.bin", served)
        await interrupted(rig, url, served, "one")
        path = tmp_path / "f.bin" if remembered else None
        monkeypatch.setattr(Part, "_claim", slow)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url, owner="one", path=path), name="cancelled")
            await asyncio.to_thread(looking.wait)
            task.cancel()
            go.set()
        monkeypatch.setattr(Part, "_claim", claim)
        assert (await rig.get(url, owner="one", path=path)).path == tmp_path / "f.bin"
        assert rig.files() == {"f.bin": ONE}


async def test_what_is_missing_is_all_that_needs_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(ONE)
        url = server.at("/f.bin", served)
        await interrupted(rig, url, served, "one")
        monkeypatch.setattr(folders, "free_bytes", lambda _: SIZE - 500_000)
        await rig.get(url, owner="one")
        assert rig.files() == {"f.bin": ONE}


async def test_a_mirror_goes_on_after_a_cut_and_proves_nothing_later(tmp_path: Path) -> None:
    """Its validator is good for itself, within this attempt."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        urls = server.url("/gone.bin"), server.at("/m.bin", Served(OTHER, cut=[2_000_000]))
        await rig.get(urls[0], mirrors=urls[1:])
        assert rig.files() == {"m.bin": OTHER}
        assert server.asked("/m.bin")[-1].header("Range") == "bytes=2000000-"
        server.at("/m.bin", Served(OTHER, cut=[2_000_000, 0, 0, 0, 0]))
        with pytest.raises(DownloadError):
            await rig.get(urls[0], mirrors=urls[1:])
        assert rig.files() == {"m.bin": OTHER}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
async def test_a_part_that_somebody_removed_leaves_nothing_behind(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(ONE, gate=gate, gate_at=2_000_000))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(error_of(rig.get(url)), name="fetch")
            await until(lambda: rig.told.last[0] >= 2_000_000)
            (tmp_path / "f.bin.part").unlink()
            gate.set()
        assert "another program" in task.result().message
        assert rig.files() == {}


async def test_a_file_that_keeps_changing_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each answer is another version, cut: there is nothing to go on from, and so nothing to keep."""
    versions = iter(range(100))

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:

        async def changing(exchange: object) -> None:
            served = Served(ONE, f'"v{next(versions)}"', if_range=False, cut=[2_000_000])
            await served(exchange)  # type: ignore[arg-type]

        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", changing))
        assert failed.value.code == "changed_on_server"
        assert rig.files() == {}
