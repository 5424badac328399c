"""What a list says of a file, its size and the digests of its pieces, holds; else the file is none."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Made, Target

BODY = noise(100_000)
OTHER = BODY[:70_000] + b"?" + BODY[70_001:]


def pieces(data: bytes, length: int = 32_768) -> str:
    """The digests of a file's pieces, as a list has them."""
    parts = (data[at : at + length] for at in range(0, len(data), length))
    return f"sha-1:{length}:{''.join(hashlib.sha1(part).hexdigest() for part in parts)}"


TOLD = pytest.mark.parametrize(
    "served", [Served(BODY), Served(BODY, framing="chunked")], ids=["told", "untold"]
)
"""Whether the answer says how long it is."""


@TOLD
@pytest.mark.parametrize("said", [99_999, 100_001, 0])
async def test_a_file_of_another_size_is_no_file(tmp_path: Path, served: Served, said: int) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", served), size=said)
        assert failed.value.code == "checksum_mismatch"
        assert rig.files() == {}
        assert len(server.requests) == 1


async def test_the_wrong_length_is_refused_before_the_file_comes(tmp_path: Path) -> None:
    """The answer alone tells: the rest of a file that cannot be the right one is not waited for."""
    gate = asyncio.Event()
    endless = Served(BODY, gate=gate, gate_at=20_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", endless), size=99_999)
        gate.set()
        assert failed.value.code == "checksum_mismatch"
        assert "100000 bytes" in failed.value.message
        assert rig.files() == {}


async def test_the_next_mirror_may_have_the_right_one(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        short, spoilt, right = (
            server.at(f"/{name}.bin", Served(data))
            for name, data in (("short", BODY[:-1]), ("spoilt", OTHER), ("right", BODY))
        )
        await rig.get(short, mirrors=(spoilt, right), size=100_000, pieces=pieces(BODY))
        assert list(rig.files().values()) == [BODY]


@pytest.mark.parametrize("said", [pieces(OTHER), pieces(BODY[:-1]), pieces(BODY + b"?" * 40_000)])
async def test_a_file_with_another_piece_is_no_file(tmp_path: Path, said: str) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", Served(BODY)), pieces=said)
        assert failed.value.code == "checksum_mismatch"
        assert "piece" in failed.value.message
        assert rig.files() == {}


@TOLD
async def test_a_file_that_is_as_it_was_said_is_one(tmp_path: Path, served: Served) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", served), size=100_000, pieces=pieces(BODY))
        assert rig.files() == {"f.bin": BODY}


@pytest.mark.parametrize("changed", [{"size": 9}, {"pieces": pieces(OTHER)}])
async def test_it_holds_for_what_is_made_here_as_well(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    folder, scratch = tmp_path / "files", tmp_path / "scratch.bin"
    scratch.write_bytes(BODY)
    async with transferring(folder) as rig:
        target = replace(Target(folder, filename="f.bin", owner="d1"), **changed)
        for made in (Content(BODY), Made(scratch, "f.bin")):
            with pytest.raises(DownloadError) as failed:
                await rig.publish(made, target)
            assert failed.value.code == "checksum_mismatch"
            assert rig.files() == {}


@pytest.mark.parametrize(
    ("declared", "name"), [("audio/flac", "s.flac"), ("audio/x-aac", "s.aac"), ("", "s.mp3")]
)
async def test_a_sound_behind_its_cover_is_what_its_server_says(
    tmp_path: Path, declared: str, name: str
) -> None:
    """A tag with a picture is longer than what is looked at; what follows it then tells nothing."""
    sound = b"ID3\x04\x00\x00\x00\x7f\x7f\x7f" + noise(2_200_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/s", Served(sound, kind=declared)))
        assert list(rig.files()) == [name]
