"""Whether a container is whole, by what it says about its own length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def whole(ext: str, size: int, read: Callable[[int, int], bytes]) -> bool | None:
    """Whether a container of `size` bytes is complete, None where its format cannot tell.

    `read(count, at)` gives bytes of it.
    """
    check = _CONTAINERS.get(ext)
    return None if check is None else check(size, read)


def _whole_mp4(size: int, read: Callable[[int, int], bytes]) -> bool:
    at, has_movie = 0, False
    while at < size:
        header = read(16, at)
        if len(header) < 8:
            return False
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        has_movie = has_movie or name in (b"moov", b"moof", b"meta")
        # 0: the box goes on to the end of the file. 1: a length of eight bytes follows (ISO 14496-12 §4.2).
        if length == 0:
            return has_movie
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return False
        at += length
    return at == size and has_movie


def _whole_png(size: int, read: Callable[[int, int], bytes]) -> bool:
    at = 8
    while at + 12 <= size:
        header = read(8, at)
        at += 12 + int.from_bytes(header[:4], "big")
        if header[4:8] == b"IEND":
            return at <= size
    return False


def _whole_jpeg(size: int, read: Callable[[int, int], bytes]) -> bool:
    at = 2
    while at + 4 <= size:
        header = read(4, at)
        if header[0] != 0xFF:
            return False
        if header[1] == 0xDA:
            start = max(at, size - 65536)
            return b"\xff\xd9" in read(size - start, start)
        at += 1 if header[1] == 0xFF else 2 + int.from_bytes(header[2:4], "big")
    return False


def _whole_gif(size: int, read: Callable[[int, int], bytes]) -> bool:
    return read(64, max(0, size - 64)).rstrip(b"\x00").endswith(b";")


def _whole_riff(size: int, read: Callable[[int, int], bytes]) -> bool | None:
    said = int.from_bytes(read(4, 4), "little")
    return None if said in (0, 0xFFFFFFFF) else said + 8 <= size


def _whole_webm(size: int, read: Callable[[int, int], bytes]) -> bool | None:
    _, at = _ebml_size(read(8, 4))
    length, _ = _ebml_size(read(8, 4))
    if length is None:
        return None
    segment = 4 + at + length
    if read(4, segment) != b"\x18\x53\x80\x67":
        return None if segment + 4 <= size else False
    length, used = _ebml_size(read(8, segment + 4))
    return None if length is None else segment + 4 + used + length <= size


def _ebml_size(field: bytes) -> tuple[int | None, int]:
    """An EBML variable-length size and its own length (RFC 8794 §4); None for "unknown"."""
    if not field or not field[0]:
        return None, 1
    used = 9 - field[0].bit_length()
    value = int.from_bytes(field[:used], "big") & ((1 << (7 * used)) - 1)
    return (None if value == (1 << (7 * used)) - 1 else value), used


_CONTAINERS: Final[dict[str, Callable[[int, Callable[[int, int], bytes]], bool | None]]] = {
    **dict.fromkeys(("mp4", "mov", "m4v", "m4a", "m4b", "avif", "heic"), _whole_mp4),
    "png": _whole_png,
    "jpg": _whole_jpeg,
    "gif": _whole_gif,
    **dict.fromkeys(("webp", "avi", "wav"), _whole_riff),
    **dict.fromkeys(("webm", "mkv"), _whole_webm),
}
