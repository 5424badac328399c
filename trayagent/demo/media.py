"""Real media without an encoder: PNG pictures, and an MP4 whose frames are PNG; standard library only."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Final

RATE: Final = 10
"""Frames a second of the video."""


def picture(width: int, height: int, shade: int, noise: random.Random) -> bytes:
    """A PNG: a slanted gradient of one colour, grainy enough to have some weight."""
    ramp = bytearray()
    for x in range(width + height):
        value = x * 255 // (width + height)
        ramp += bytes(((value + shade) % 256, (value // 2 + 3 * shade) % 256, 255 - value))
    grain = noise.randbytes(width)
    rows = bytearray()
    for y in range(height):
        row = bytearray(ramp[3 * y : 3 * (y + width)])
        # Noise in the low three bits of one colour: nobody sees it, and zlib cannot squeeze it away. So
        # a picture is heavy enough for a progress bar.
        row[y % 3 :: 3] = bytes(
            (value & 0xF8) | (g & 7) for value, g in zip(row[y % 3 :: 3], grain, strict=True)
        )
        rows += b"\0" + row  # 0: this line has no filter (PNG §9)
    # Eight bits a channel, colour type 2 (RGB), no interlacing. Level 1: a start waits for these.
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 1)), (b"IEND", b"")]
    for kind, data in chunks:
        body = kind + data
        png += struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    return png


def video(width: int, height: int, frames: int, noise: random.Random) -> bytes:
    """An MP4 (ISO/IEC 14496-12 and -14) of PNG frames."""
    samples = [picture(width, height, 5 * number, noise) for number in range(frames)]
    kind = _box(b"ftyp", b"isom", _u32(512), b"isomiso2mp41")
    # The offset of the first sample depends on the length of what stands before it, never on its value.
    start = len(kind) + len(_movie(width, height, samples, 0)) + 8
    return kind + _movie(width, height, samples, start) + _box(b"mdat", *samples)


def _u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return _u32(8 + len(body)) + kind + body


MATRIX: Final = _u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _movie(width: int, height: int, samples: list[bytes], start: int) -> bytes:
    # The boxes of a film with one track, as they lie in each other (ISO/IEC 14496-12 §6.2):
    #
    #     moov            everything but the pictures themselves
    #       mvhd          the clock (ticks a second) and the length of the whole
    #       trak
    #         tkhd        the size on the screen, as 16.16 fixed point
    #         mdia
    #           mdhd      the clock of the track; 0x55C4 is "und", no language
    #           hdlr      it is video
    #           minf      where the pictures are: see `_table`
    length = len(samples)
    head = _box(
        b"mvhd",
        _u32(0, 0, 0, RATE, length, 0x10000),
        b"\1\0" + bytes(10),
        MATRIX,
        bytes(24),
        _u32(2),
    )
    track = _box(
        b"tkhd",
        _u32(3, 0, 0, 1, 0, length, 0, 0),
        bytes(8),
        MATRIX,
        _u32(width << 16, height << 16),
    )
    media = _box(
        b"mdia",
        _box(b"mdhd", _u32(0, 0, 0, RATE, length), struct.pack(">HH", 0x55C4, 0)),
        _box(b"hdlr", _u32(0, 0), b"vide", bytes(12), b"video\0"),
        _box(
            b"minf",
            _box(b"vmhd", _u32(1), bytes(8)),
            _box(b"dinf", _box(b"dref", _u32(0, 1), _box(b"url ", _u32(1)))),
            _table(width, height, samples, start),
        ),
    )
    return _box(b"moov", head, _box(b"trak", track, media))


def _table(width: int, height: int, samples: list[bytes], start: int) -> bytes:
    # Each picture is a chunk of its own, so `stco` says directly where it begins:
    #   stsd  how a picture is coded        stts  how long each is shown: one tick
    #   stsc  pictures in a chunk: one      stsz  bytes of each      stco  the place of each
    offsets, place = [], start
    for sample in samples:
        offsets.append(place)
        place += len(sample)
    return _box(
        b"stbl",
        _box(b"stsd", _u32(0, 1), _entry(width, height)),
        _box(b"stts", _u32(0, 1, len(samples), 1)),
        _box(b"stsc", _u32(0, 1, 1, 1, 1)),
        _box(b"stsz", _u32(0, 0, len(samples), *(len(sample) for sample in samples))),
        _box(b"stco", _u32(0, len(samples), *offsets)),
    )


def _entry(width: int, height: int) -> bytes:
    # esds: object type 0x6D is PNG (registered with MP4RA), stream type 4 is visual.
    decoder = b"\x04\x0d\x6d\x11" + bytes(11)
    stream = b"\x03" + bytes([3 + len(decoder) + 3]) + b"\0\1\0" + decoder + b"\x06\x01\x02"
    return _box(
        b"mp4v",
        bytes(6) + b"\0\1" + bytes(16),
        struct.pack(">HHIIIH", width, height, 0x480000, 0x480000, 0, 1),
        bytes(32) + b"\0\x18\xff\xff",
        _box(b"esds", _u32(0), stream),
    )
