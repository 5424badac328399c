"""Pieces tell which part of a file is wrong, whatever their length, and read no more than a little at a time."""

import hashlib

import pytest

from trayagent.model.pieces import Pieces

DATA = bytes(range(256)) * 20_000  # about 5 MB


def text(length: int, algorithm: str = "sha1", name: str = "sha-1") -> str:
    digests = [
        hashlib.new(algorithm, DATA[at : at + length]).hexdigest()
        for at in range(0, len(DATA), length)
    ]
    return f"{name}:{length}:{''.join(digests)}"


@pytest.mark.parametrize("length", [262_144, 1_000_000, 2_500_000, len(DATA), len(DATA) * 2])
def test_the_first_wrong_piece_is_named(length: int) -> None:
    pieces = Pieces.parse(text(length))
    assert pieces.first_wrong(lambda count, at: DATA[at : at + count], len(DATA)) is None
    spoilt = bytearray(DATA)
    spoilt[-1] ^= 1
    last = len(pieces.digests) - 1
    assert pieces.first_wrong(lambda count, at: bytes(spoilt[at : at + count]), len(DATA)) == last


def test_a_file_of_another_length_is_wrong() -> None:
    pieces = Pieces.parse(text(262_144))
    assert pieces.fits(len(DATA))
    longer, shorter = DATA + b"x" * 262_144, DATA[:-1]
    assert pieces.first_wrong(lambda count, at: longer[at : at + count], len(longer)) is not None
    assert pieces.first_wrong(lambda count, at: shorter[at : at + count], len(shorter)) is not None


def test_a_long_piece_is_read_bit_by_bit() -> None:
    asked: list[int] = []

    def read(count: int, at: int) -> bytes:
        asked.append(count)
        return DATA[at : at + count]

    assert Pieces.parse(text(len(DATA))).first_wrong(read, len(DATA)) is None
    assert max(asked) <= 1024 * 1024


@pytest.mark.parametrize(
    ("name", "algorithm"), [("md5", "md5"), ("sha-256", "sha256"), ("sha-512", "sha512")]
)
def test_other_algorithms(name: str, algorithm: str) -> None:
    pieces = Pieces.parse(text(1_000_000, algorithm, name))
    assert pieces.first_wrong(lambda count, at: DATA[at : at + count], len(DATA)) is None


@pytest.mark.parametrize(
    "wrong",
    ["", "sha-1:0:aa", "sha-1:1:aa", "sha-1:1:", "crc32:1:" + "00" * 4, "sha-1:x:" + "00" * 20],
)
def test_what_is_no_pieces(wrong: str) -> None:
    with pytest.raises(ValueError, match="pieces"):
        Pieces.parse(wrong)
