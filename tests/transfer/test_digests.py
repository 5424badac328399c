"""Checksums: every one that was given must fit, and the user's counts for more than the server's."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served, in_turn
from tests.transfer.rig import noise, transferring
from trayagent.model.errors import DownloadError

BODY = noise(100_000)


def said(name: str, data: bytes) -> str:
    """A digest as a server says it (RFC 9530)."""
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


@pytest.mark.parametrize(
    ("checksum", "headers"),
    [
        (f"md5={hashlib.md5(b'other').hexdigest()}", {}),
        (f"sha-512={hashlib.sha512(b'other').hexdigest()}", {}),
        (f"sha-256={hashlib.sha256(b'other').hexdigest()}", {"Repr-Digest": said("sha-256", BODY)}),
        (f"sha-256={hashlib.sha256(BODY).hexdigest()}", {"Repr-Digest": said("sha-512", b"other")}),
        ("shake_128=00", {}),
        ("crc=00", {}),
        (None, {"Repr-Digest": said("sha-256", b"other")}),
        (None, {"Digest": "SHA-256=" + said("sha-256", b"other")[9:-1]}),
        (None, {"Content-Digest": said("sha-256", b"other")}),
        (None, {"Repr-Digest": f"{said('sha-256', BODY)}, {said('sha-512', b'other')}"}),
    ],
)
async def test_a_file_that_fails_one_checksum_is_no_file(
    tmp_path: Path, checksum: str | None, headers: dict[str, str]
) -> None:
    """Nothing is left behind, and what came whole is not fetched again in the hope of another answer."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", Served(BODY, extra=headers)), checksum=checksum)
        assert failed.value.code == "checksum_mismatch"
        assert rig.files() == {}
        assert len(server.requests) == 1


@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_what_the_first_answer_promised_holds_after_a_cut(tmp_path: Path, size: int) -> None:
    """The rest comes without a word about it, and the bytes are not those that were promised."""
    body = noise(size)
    first = Served(body, cut=[50_000], extra={"Repr-Digest": said("sha-256", b"other")})
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", in_turn(first, Served(body)))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, segments=1)
        assert failed.value.code == "checksum_mismatch"
        assert rig.files() == {}


async def test_the_second_line_of_a_header_counts(tmp_path: Path) -> None:
    lines = {"Repr-Digest": said("sha-256", BODY), "repr-digest": said("sha-512", b"other")}
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", Served(BODY, extra=lines)))
        assert failed.value.code == "checksum_mismatch"


async def test_the_digest_of_one_answer_is_that_of_the_file_if_it_is_all_of_it(
    tmp_path: Path,
) -> None:
    """A part has a digest of its own, which says nothing of the file (RFC 9530 §2)."""
    whole = Served(BODY, cut=[50_000], extra={"Content-Digest": said("sha-256", BODY)})
    rest = Served(BODY, extra={"Content-Digest": said("sha-256", BODY[50_000:])})
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", in_turn(whole, rest)))
        assert rig.files() == {"f.bin": BODY}
        coded = Served(BODY, extra={**rest.extra, "Content-Encoding": "gzip"})
        await rig.get(server.at("/g.tgz", coded))
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/h.bin", rest))
        assert failed.value.code == "checksum_mismatch"


async def test_a_file_that_passes_them_all_is_one(tmp_path: Path) -> None:
    headers = {"Repr-Digest": f"{said('sha-256', BODY)}, {said('sha-512', BODY)}, odd=:AAAA:"}
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", Served(BODY, extra=headers))
        fetched = await rig.get(url, checksum=f"md5={hashlib.md5(BODY).hexdigest()}")
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
