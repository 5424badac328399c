"""What came is not what it seems: it is refused, fetched elsewhere, or said."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, Served, in_turn, saying
from tests.transfer.rig import mp4, noise, transferring, until
from trayagent.model.errors import DownloadError


async def test_a_mirror_serves_when_the_checksum_of_the_first_is_wrong(tmp_path: Path) -> None:
    for size in (5000, 3_000_000):
        body = noise(size)
        async with (
            Lying() as one,
            Lying() as two,
            transferring(tmp_path / str(size), one.authority, two.authority) as rig,
        ):
            await rig.get(
                one.at("/f.bin", Served(noise(size, 2))),
                mirrors=(two.at("/f.bin", Served(body)),),
                checksum=f"sha-256={hashlib.sha256(body).hexdigest()}",
            )
            assert rig.files() == {"f.bin": body}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that is open")
async def test_a_part_that_another_program_swapped_gets_no_name(tmp_path: Path) -> None:
    gate = asyncio.Event()
    folder, victim = tmp_path / "in", tmp_path / "victim"
    victim.write_bytes(b"precious")
    async with Lying() as server, transferring(folder, server.authority) as rig:
        url = server.at("/f.bin", Served(noise(3_000_000), gate=gate, gate_at=2_000_000))
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(_error_of(rig.get(url)), name="fetch")
            await until(lambda: rig.told.last[0] >= 1_900_000)
            part = folder / "f.bin.part"
            part.unlink()
            part.symlink_to(victim)
            gate.set()
        assert "another program" in task.result().message
        assert not (folder / "f.bin").exists()
        assert victim.read_bytes() == b"precious"


async def _error_of(fetch: object) -> DownloadError:
    with pytest.raises(DownloadError) as failed:
        await fetch  # type: ignore[misc]
    return failed.value


async def test_a_body_in_a_coding_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        url = server.at("/a.bin", saying(head + b"1\r\nx\r\n0\r\n\r\n"))
        assert (await _error_of(rig.get(url))).code == "server_error"
        assert rig.files() == {}


async def test_an_answer_with_two_ranges_is_refused(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        true = {"content-range": "bytes 50000-99999/100000"}
        first = Served(noise(100_000), cut=[50_000])
        second = Served(noise(100_000), content_range="bytes 0-4/5", extra=true)
        url = server.at("/a.bin", in_turn(first, second))
        assert (await _error_of(rig.get(url))).code == "server_error"
        assert "a.bin" not in rig.files()


PART_LIES: dict[str, dict[str, str]] = {
    "parts in one body": {"content-type": "multipart/byteranges; boundary=x"},
    "a coding": {"content-encoding": "gzip"},
    "two files at once": {"etag": '"v2"'},
}


@pytest.mark.parametrize("size", [100_000, 3_000_000])
@pytest.mark.parametrize("lie", PART_LIES)
async def test_a_part_that_is_not_what_it_seems_gets_no_place_in_the_file(
    tmp_path: Path, lie: str, size: int
) -> None:
    """Neither after a cut nor on one more connection; all in one stream it still comes."""
    body = noise(size)
    honest, lying = Served(body, cut=[50_000]), Served(body, extra=PART_LIES[lie])

    async def answer(exchange: Exchange) -> None:
        await (lying if exchange.header("Range") else honest)(exchange)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", answer)
        assert (await _error_of(rig.get(url))).code == "changed_on_server"
        assert "f.bin" not in rig.files()
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        before, honest.rate = len(server.requests), 6_000_000  # the others answer first
        await rig.get(url, segments=4, filename="g.bin")
        assert rig.files() == {"f.bin": body, "g.bin": body}
        wholes = [asked for asked in server.requests[before:] if asked.header("Range") is None]
        assert len(wholes) == (2 if size > 1_000_000 else 1)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tgz"])
async def test_a_coded_file_is_decoded_unless_its_name_says_that_it_is_compressed(
    tmp_path: Path, name: str
) -> None:
    text = b"a,b,c\n" * 1000
    sent = gzip.compress(text)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(sent, extra={"Content_Encoding": "gzip"})
        fetched = await rig.get(server.at(f"/{name}", served))
        assert rig.files() == {name: text if name == "a.csv" else sent}
        assert fetched.warning is None


async def test_what_calls_itself_coded_and_is_not_is_refused(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/a.csv", Served(noise(100), extra={"Content_Encoding": "gzip"}))
        assert (await _error_of(rig.get(url))).code == "server_error"
        assert rig.files() == {}


async def test_a_coded_film_that_ends_too_early_is_no_file(tmp_path: Path) -> None:
    """What was sent has the length that was said; what was coded in it had been cut before."""
    film = mp4(200_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:

        def coded(path: str, cut: int) -> str:
            data = gzip.compress(film)
            served = Served(data[: len(data) - cut], extra={"Content_Encoding": "gzip"})
            return server.at(path, served)

        whole = await rig.get(coded("/whole.mp4", 0))
        assert (whole.path.read_bytes(), whole.warning) == (film, None)
        assert (await _error_of(rig.get(coded("/cut.mp4", 1000)))).code == "truncated"


CUT_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "half of it": lambda coded: coded[: len(coded) // 2],
    "without its check": lambda coded: coded[:-8],
    "with another check": lambda coded: coded[:-8] + b"12345678",
    "with more behind it": lambda coded: coded + b"</html>",
}


@pytest.mark.parametrize("size", [10_000, 5_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("cut", CUT_CODINGS)
async def test_a_coded_file_that_was_cut_before_it_was_sent_is_no_file(
    tmp_path: Path, cut: str, framing: str, size: int
) -> None:
    """All was sent that was said: only the coding knows. The next attempt gets all, and has no doubt."""
    text = noise(size // 2) + bytes(size // 2)
    whole = gzip.compress(text)
    coded = {"Content_Encoding": "gzip"}
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        bad = Served(CUT_CODINGS[cut](whole), framing=framing, extra=coded)
        good = Served(whole, framing=framing, extra=coded)
        url = server.at("/table.csv", in_turn(bad, good))
        failed = await _error_of(rig.get(url, owner="one"))
        assert failed.code in {"truncated", "server_error"}
        assert failed.traits.is_retryable
        assert "table.csv" not in rig.files()
        fetched = await rig.get(url, owner="one", path=tmp_path / "table.csv")
        assert rig.files() == {"table.csv": text}
        assert fetched.warning is None
