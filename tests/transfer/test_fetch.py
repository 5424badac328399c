"""The final name appears exactly when the bytes are complete and right; resuming needs proof."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import sys
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.links import link
from tests.servers.lying import Exchange, Lying, Served, in_turn, replying
from tests.transfer.rig import mp4, noise, transferring, until
from tests.wine import resets_at_once
from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.transfer import publish
from trayagent.transfer.attempt import Attempt
from trayagent.transfer.writer import Writer


async def test_a_correct_answer_becomes_a_file(tmp_path: Path) -> None:
    body = noise(3_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        fetched = await rig.get(server.at("/a/film.bin", Served(body)))
        assert fetched.path == tmp_path / "film.bin"
        assert fetched.size == len(body)
        assert rig.files() == {"film.bin": body}
        assert rig.told.names == [tmp_path / "film.bin"]
        assert rig.told.last == (len(body), len(body))
        assert fetched.path.stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [1, 511, 4096, 70_000, 2_000_000])
async def test_every_framing_and_size_arrives(tmp_path: Path, framing: str, size: int) -> None:
    body = noise(size)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        fetched = await rig.get(server.at("/f.bin", Served(body, framing=framing)))
        assert rig.files() == {"f.bin": body}
        assert (fetched.warning is not None) == (framing == "close")


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("size", "cut"), [(100, 50), (3_000_000, 1_500_001)])
async def test_a_cut_is_continued_at_once_with_proof(
    tmp_path: Path, size: int, cut: int, reset: bool
) -> None:
    body = noise(size)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(body, cut=[cut], reset=reset)
        if reset:
            served.rate = 20_000_000  # a reset throws away what has not been read
        await rig.get(server.at("/f.bin", served))
        assert rig.files() == {"f.bin": body}
        second = server.requests[1]
        assert second.header("If-Range") == '"v1"'
        if not reset:
            assert second.header("Range") == f"bytes={cut}-"


@resets_at_once
@pytest.mark.parametrize("size", [300, 100_000])
async def test_a_reset_is_not_the_end_that_only_a_close_tells(tmp_path: Path, size: int) -> None:
    body = noise(size)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:

        async def breaking(exchange: Exchange) -> None:
            await exchange.head("200 OK", Connection="close")
            await exchange.raw(body[:-1])
            if size > 512:
                await until(lambda: bool(rig.told.names))  # it is being received
            else:
                await asyncio.sleep(0.1)
            exchange.close = True
            exchange.reset()

        whole = Served(body, framing="close")
        url = server.at("/f.bin", in_turn(breaking, whole))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.code == "network"
        assert rig.files() == {}
        assert (await rig.get(url)).warning
        assert rig.files() == {"f.bin": body}


async def test_cuts_again_and_again_keep_the_bytes_for_the_next_attempt(tmp_path: Path) -> None:
    body = noise(100_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body, cut=[10_000] * 5))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.code == "truncated"
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        starts = [request.header("Range") for request in server.requests]
        assert starts == [None, *(f"bytes={n}0000-" for n in (1, 2, 3, 4, 5))]


@pytest.mark.parametrize(
    ("etag", "modified"), [('W/"v1"', 1_700_000_000.0), (None, None), ('"v1', None)]
)
async def test_without_a_strong_validator_it_starts_over(
    tmp_path: Path, etag: str | None, modified: float | None
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(noise(100_000), etag=etag, modified=modified, cut=[50_000])
        url = server.at("/f.bin", served)
        with pytest.raises(DownloadError):
            await rig.get(url)
        assert rig.files() == {}
        served.body = noise(100_000, seed=2)
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": served.body}
        assert all(request.header("Range") is None for request in server.requests)


async def test_an_old_date_is_proof_enough(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(noise(100_000), etag=None, cut=[50_000])
        await rig.get(server.at("/f.bin", served))
        assert rig.files() == {"f.bin": served.body}
        assert server.requests[1].header("If-Range") == "Tue, 14 Nov 2023 22:13:20 GMT"


async def changed_between(
    tmp_path: Path, change: dict[str, object]
) -> tuple[dict[str, bytes], Served, str]:
    """Cut a file, change the server, try again: what is in the folder, the server, how it ended."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(noise(100_000), cut=[50_000] + [0] * 4)
        url = server.at("/f.bin", served)
        with pytest.raises(DownloadError):
            await rig.get(url)
        served.cut.clear()
        for name, value in change.items():
            setattr(served, name, value)
        try:
            await rig.get(url, path=tmp_path / "f.bin")
        except DownloadError as error:
            return rig.files(), served, error.code
        return rig.files(), served, "done"


@pytest.mark.parametrize(
    "change",
    [
        {"body": noise(100_000, 2), "etag": '"v2"'},
        {"body": noise(80_000, 2), "etag": '"v2"'},
        {"body": noise(120_000, 2), "etag": '"v2"', "if_range": False},
        {"body": noise(100_000, 2), "etag": '"v2"', "if_range": False},
        {"body": noise(100_000, 2), "etag": None, "if_range": False},
        {"body": noise(40_000, 2), "etag": '"v1"', "if_range": False},
        {"body": noise(100_000, 2), "ranges": False},
        {"body": noise(120_000, 2), "if_range": False},
        {"body": noise(100_000), "content_range": "bytes 0-4/100000"},
        {"body": noise(100_000), "content_range": "bytes 50000-99999/200000"},
        {"body": noise(100_000), "content_range": "bytes 50000-*/*"},
        {"body": noise(100_000), "content_range": "nonsense"},
        {
            "body": noise(100_000),
            "extra": {"Content_Type": "multipart/byteranges; boundary=x"},
            "content_range": "x",
        },
    ],
)
async def test_whatever_the_server_became_the_file_is_its_file(
    tmp_path: Path, change: dict[str, object]
) -> None:
    files, served, ended = await changed_between(tmp_path, change)
    assert ended == "done"
    assert files == {"f.bin": served.body}


@pytest.mark.parametrize("named", [True, False])
async def test_the_rest_of_a_file_under_the_status_of_a_whole_one_is_not_taken_for_it(
    tmp_path: Path, named: bool
) -> None:
    body = noise(100_000)

    async def rest(exchange: Exchange) -> None:
        start = int((exchange.header("Range") or "bytes=0-")[6:-1])
        said = f"bytes {start}-99999/100000" if named and start else None
        await exchange.reply("200 OK", body[start:], ETag='"v1"', Content_Range=said)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        cutting = Served(body, cut=[50_000, 0])
        url = server.at("/f.bin", in_turn(cutting, cutting, rest))
        with pytest.raises(DownloadError):
            await rig.get(url)
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        asked = [request.header("Range") for request in server.requests]
        assert asked == [None, "bytes=50000-", "bytes=50000-", None]


async def test_a_server_that_always_lies_about_ranges_gets_one_restart(tmp_path: Path) -> None:
    body = noise(100_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body, cut=[50_000] * 9, content_range="bytes 0-4/5"))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.code in ("truncated", "changed_on_server")
        assert len(server.requests) <= 5
        assert "f.bin" not in rig.files()


async def test_a_cancelled_download_keeps_its_bytes(tmp_path: Path) -> None:
    body = noise(4_000_000)
    gate = asyncio.Event()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body, gate=gate, gate_at=2_000_000))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url), name="fetch")
            await until(lambda: rig.told.last[0] >= 1_900_000)
            task.cancel()
        gate.set()
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        start = int((server.requests[-1].header("Range") or "bytes=0-")[6:-1])
        assert start >= 1_900_000


async def test_a_fresh_link_for_the_same_file_continues(tmp_path: Path) -> None:
    body = noise(100_000)
    async with (
        Lying() as one,
        Lying() as two,
        transferring(tmp_path, one.authority, two.authority) as rig,
    ):
        with pytest.raises(DownloadError):
            await rig.get(one.at("/f.bin", Served(body, cut=[50_000] + [0] * 4)))
        await rig.get(two.at("/g", Served(body)) + "?sig=2", path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        assert two.requests[0].header("Range") == "bytes=50000-"


async def test_an_existing_file_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "f.bin").write_bytes(b"mine")
    before = (tmp_path / "f.bin").stat()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(1000)))
        assert (await rig.get(url)).path.name == "f (1).bin"
        assert (await rig.get(url)).path.name == "f (2).bin"
        assert (tmp_path / "f.bin").read_bytes() == b"mine"
        assert (tmp_path / "f.bin").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path, size: int) -> None:
    gate = asyncio.Event()
    body = noise(size)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body, gate=gate, gate_at=600))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(url), name="fetch")
            await until(lambda: bool(rig.told.names))
            (tmp_path / "f.bin").write_bytes(b"mine")
            gate.set()
        assert task.result().path.name == "f (1).bin"
        assert rig.files() == {"f.bin": b"mine", "f (1).bin": body}
        assert rig.told.names[-1].name == "f (1).bin"


async def test_two_at_once_never_share_a_name(tmp_path: Path) -> None:
    body = noise(5000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/F.bin", Served(body))
        other = server.at("/f.bin", Served(body))
        async with asyncio.TaskGroup() as group:
            for n in range(20):
                group.create_task(rig.get(url if n % 2 else other), name=f"{n}")
        assert len(rig.files()) == 20
        assert set(rig.files().values()) == {body}


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_the_name_that_the_server_gives_decides_the_folder(tmp_path: Path, size: int) -> None:
    """Also where the address has no ending; a folder that is not there yet is made."""
    extra = {"Content-Disposition": 'attachment; filename="Annual report.pdf"'}
    by_type = {"document": tmp_path / "papers" / "2026", "video": tmp_path / "films"}
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/dl", Served(noise(size), extra=extra))
        fetched = await rig.get(url, by_type=by_type)
    assert fetched.path == tmp_path / "papers" / "2026" / "Annual report.pdf"
    assert rig.told.names[-1] == fetched.path
    assert not (tmp_path / "films").exists()


@pytest.mark.parametrize("way", ["file", "broken link", "file above"])
async def test_what_is_in_the_folders_place_is_said(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "in"
    if way == "file above":
        folder.write_bytes(b"mine")
        folder /= "deeper"
    elif way == "file":
        folder.write_bytes(b"mine")
    else:
        link(folder, tmp_path / "nowhere" / "at all")
    async with Lying() as server, transferring(tmp_path / "other", server.authority) as rig:
        rig.folder = folder
        with pytest.raises(DownloadError, match="is where the folder should be") as failed:
            await rig.get(server.at("/f.bin", Served(b"x")))
    assert failed.value.code == "permission_denied"
    assert server.requests == []


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0,
    reason="only root can give a link to somebody else",
)
async def test_a_folder_that_is_another_users_link_gets_nothing(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    planted = tmp_path / "in" / "example.com"
    planted.parent.mkdir()
    planted.symlink_to(ours)
    os.chown(planted, 65534, 65534, follow_symlinks=False)
    async with Lying() as server, transferring(tmp_path / "other", server.authority) as rig:
        rig.folder = planted / "2026-11-28"
        with pytest.raises(DownloadError, match="another user has put a link") as failed:
            await rig.get(server.at("/f.bin", Served(b"x")))
    assert failed.value.code == "permission_denied"
    assert server.requests == []
    assert list(ours.iterdir()) == []


async def test_planted_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "in"
    folder.mkdir()
    link(folder / "f.bin", outside)
    link(folder / "f (1).bin.part", outside)
    async with Lying() as server, transferring(folder, server.authority) as rig:
        fetched = await rig.get(server.at("/f.bin", Served(noise(2_000_000))))
        assert fetched.path.name == "f (2).bin"
        assert not outside.exists()
        link(folder / "g.bin.part", outside)
        with pytest.raises(DownloadError):
            await rig.get(server.url("/f.bin"), path=folder / "g.bin")
        assert not outside.exists()


@pytest.mark.parametrize("is_known", [True, False], ids=["its name known", "its name unknown"])
async def test_a_published_file_that_was_never_noted_is_recognised(
    tmp_path: Path, is_known: bool
) -> None:
    """The settled record tells, without a request, for whoever's file it is and no other."""
    body, progress = noise(50_000), Progress()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        request = Request(server.at("/f.bin", Served(body)), named=rig.named)
        path = tmp_path / "f.bin"
        await rig.transfer.fetch(request, Target(tmp_path, owner="a"), progress)
        target = Target(tmp_path, path=path if is_known else None, owner="a")
        assert await rig.transfer.find_settled(replace(target, owner="b")) is None
        fetched = await rig.transfer.find_settled(target)
        assert fetched == Fetched(path, len(body), hashlib.sha256(body).hexdigest())
        if is_known:
            assert await rig.transfer.fetch(request, target, progress) == fetched
        assert len(server.asked("/f.bin")) == 1
        await rig.transfer.forget([(path, "a")])
        assert rig.files() == {"f.bin": body}


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_settled_record_counts_for_the_very_file_only(
    tmp_path: Path, is_replaced: bool
) -> None:
    body = noise(50_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        request = Request(server.at("/f.bin", Served(body)), named=rig.named)
        await rig.transfer.fetch(request, Target(tmp_path, owner="a"), Progress())
        path = tmp_path / "f.bin"
        if is_replaced:
            path.with_name("new").write_bytes(body)
            path.with_name("new").replace(path)
        else:
            path.unlink()
        assert await rig.transfer.find_settled(Target(tmp_path, path=path, owner="a")) is None


async def test_a_cancellation_in_the_last_step_leaves_a_whole_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, here, go = noise(3_000_000), asyncio.Event(), threading.Event()
    loop, sync = asyncio.get_running_loop(), publish.sync_folder

    def slow(folder: Path) -> None:
        loop.call_soon_threadsafe(here.set)
        go.wait(5)
        sync(folder)

    monkeypatch.setattr(publish, "sync_folder", slow)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(server.at("/f.bin", Served(body))), name="fetching")
            await here.wait()
            task.cancel()
            go.set()
        assert task.cancelled()
        fetched = await rig.transfer.find_settled(Target(tmp_path, path=tmp_path / "f.bin"))
        assert fetched is not None
        await rig.transfer.forget([(fetched.path, "")])
        assert rig.files() == {"f.bin": body}


async def test_checksums_are_verified(tmp_path: Path) -> None:
    body = noise(2_000_000)
    good, bad = hashlib.sha256(body).hexdigest(), hashlib.sha256(b"").hexdigest()
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(body))
        assert (await rig.get(url, checksum=f"sha-256={good}")).sha256 == good
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, checksum=f"sha-256={bad}", filename="bad.bin")
        assert failed.value.code == "checksum_mismatch"
        assert rig.files() == {"f.bin": body}


async def test_the_checksum_of_a_short_file_is_known_at_once(tmp_path: Path) -> None:
    body = noise(5000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        fetched = await rig.get(server.at("/f.bin", Served(body)))
    assert fetched.sha256 == hashlib.sha256(body).hexdigest()


async def test_a_mirror_serves_when_the_first_does_not(tmp_path: Path) -> None:
    body = noise(5000)
    async with (
        Lying() as one,
        Lying() as two,
        transferring(tmp_path, one.authority, two.authority) as rig,
    ):
        mirror = two.at("/f.bin", Served(body))
        await rig.get(
            one.at("/f.bin", replying("500 No")),
            mirrors=(mirror,),
            headers={"X-Key": "secret"},
            referer="http://a/",
        )
        assert rig.files() == {"f.bin": body}
        assert not {"x-key", "referer"} & two.requests[0].names()


async def test_size_and_space_are_looked_at_before_the_first_byte(tmp_path: Path) -> None:
    async with Lying() as server:
        huge = server.at("/huge", replying("200 OK", noise(600), Content_Length=10**15))
        async with transferring(tmp_path, server.authority) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(huge)
            assert failed.value.code == "too_large"
            assert failed.value.detail == "it has 1.0 PB, the limit is 50.0 GB"
        settings = DownloadSettings(keep_free="0", max_size="10000TB")
        async with transferring(tmp_path, server.authority, downloads=settings) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(huge)
            assert failed.value.code == "disk_full"
            assert "1.0 PB needed" in failed.value.detail
        settings = DownloadSettings(keep_free="0", max_size="100KB")
        async with transferring(tmp_path, server.authority, downloads=settings) as rig:
            endless = server.at("/endless", Served(noise(400_000), framing="close"))
            with pytest.raises(DownloadError) as failed:
                await rig.get(endless)
            assert failed.value.code == "too_large"
            assert failed.value.detail == "the limit is 100 KB"
            assert rig.files() == {}


async def test_a_truncated_container_without_a_length_is_noticed(tmp_path: Path) -> None:
    body = mp4(300_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        cut = server.at("/cut.mp4", Served(body[:200_000], framing="close"))
        with pytest.raises(DownloadError) as failed:
            await rig.get(cut)
        assert failed.value.code == "truncated"
        assert rig.files() == {}
        fetched = await rig.get(server.at("/whole.mp4", Served(body, framing="close")))
        assert fetched.warning is None


async def test_an_attempt_is_gone_when_it_is_over(tmp_path: Path) -> None:
    """Held by a cycle, each would keep its file's bytes until the collector comes."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/warm.bin", Served(noise(100))))
        gc.collect()
        gc.disable()
        earlier = [one for one in gc.get_objects() if isinstance(one, Attempt | Writer)]
        try:
            for name in "abc":
                await rig.get(server.at(f"/{name}.bin", Served(noise(3000))))
            await rig.get(server.at("/big.bin", Served(noise(700_000))))
            await rig.get(server.at("/last.bin", Served(noise(100))))
            left = [one for one in gc.get_objects() if isinstance(one, Attempt | Writer)]
        finally:
            gc.enable()
    assert len(left) <= len(earlier) + 2, left
