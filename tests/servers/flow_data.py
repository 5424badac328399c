"""What the fake Flow library holds: accounts, names, times and bytes, all computed, nothing captured."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID, uuid5

NS = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
NOW = 1_761_955_200
"""2025-11-01T00:00:00Z: the server's clock when it starts."""
API_KEY = "AIza" + "Sy" + "T" * 33
"""Assembled at run time, since secret scanners read files."""
DECOY = "AIza" + "Sx" + "D" * 33
FIRST = datetime(2025, 10, 30, 18, tzinfo=UTC)
ASPECTS = ("LANDSCAPE", "PORTRAIT", "SQUARE")
STRIP = re.compile("[\t\n\v\f\r \u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]")
"""White space a name may be broken by; the canonical name is without it."""

GIF = base64.b64decode("R0lGODdhCAAIAIEAAChaoAAAAAAAAAAAACwAAAAACAAIAAAIDwABCBxIsKDBgwgTKkwYEAA7")
WEBP = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQraIUtP+BiOh/AAA=")
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
    "eXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAAR"
    "CAAIAAgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEG"
    "E1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWG"
    "h4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEB"
    "AQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYk"
    "NOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0"
    "tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDIooor1DgP/9k="
)


@dataclass(frozen=True)
class FlowMedium:
    """One picture or video of an account."""

    index: int
    name: str
    listed: str
    """What the listing prints: the name, perhaps broken by white space."""
    workflow: str
    key: str
    created: str
    micros: int
    form: str
    """`uploaded`, `image` (generated) or `video`."""
    aspect: str
    body: bytes = field(repr=False)
    project: str | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Newest first, then by name."""
        return (-self.micros, self.name)

    @property
    def ids(self) -> dict[str, str]:
        """The `mediaGenerationId` of the API."""
        kind = "VIDEO" if self.form == "video" else "IMAGE"
        project = {"projectId": self.project} if self.project else {}
        return {
            "mediaType": kind,
            **project,
            "workflowId": self.workflow,
            "workflowStepId": "CAE",
            "mediaKey": self.key,
        }


def b64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def canonical(name: str) -> str:
    """A name without the white space that may break it."""
    return STRIP.sub("", name)


def image(account: str, i: int, created: datetime | None = None) -> FlowMedium:
    """Image i of an account, counted from 1."""
    workflow, key = str(uuid5(NS, f"{account}-wf-{i}")), str(uuid5(NS, f"{account}-mk-{i}"))
    base = b64url(b"\x08\x03\x1a\x24" + workflow.encode() + b"\x22\x03CAE\x2a\x24" + key.encode())
    name = _odd_name(base, i) if account == "alice" else base
    listed = _broken(name, i) if account == "alice" else name
    when = created or FIRST - timedelta(
        minutes=47 * (i - 1), microseconds=-123456 if i % 2 == 0 else 0
    )
    body = image_bytes(account, i, key)
    form = "image" if i % 10 == 0 else "uploaded"
    return FlowMedium(
        i, name, listed, workflow, key, printed(when), micros(when), form, ASPECTS[i % 3], body
    )


def micros(when: datetime) -> int:
    """Microseconds since 1970."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def printed(when: datetime) -> str:
    """RFC 3339, with a fraction only where there is one."""
    return (
        when.strftime("%Y-%m-%dT%H:%M:%S")
        + (f".{when.microsecond:06d}" if when.microsecond else "")
        + "Z"
    )


def _odd_name(base: str, i: int) -> str:
    match i:
        case 5:
            return base[:6] + "$" + base[6:]
        case 11:
            return base[:10] + "+" + base[10:]
        case 17:
            return base[:20] + "/" + base[20:]
        case 23:
            return base + "=="
        case 29:
            return base[:6] + "$" + base[6:20] + "+" + base[20:40] + "/" + base[40:] + "=="
        case _:
            return base


def _broken(n: str, i: int) -> str:
    if i == 35:
        return (
            n[:40]
            + "\n"
            + n[40:60]
            + " "
            + n[60:80]
            + "\u00a0"
            + n[80:90]
            + "\u200b"
            + n[90:100]
            + "\t"
            + n[100:]
        )
    return n + "\r\n" if i == 36 else n


def image_bytes(account: str, i: int, key: str) -> bytes:
    """A small picture that carries its media key, in one of four formats; number 42 is none of them."""
    mark = key.encode()
    if account == "bob" and i == 1:
        return png(i, mark) + b"bob-dup"
    if i == 42:
        return b"\x00\x01\x02\x03UNKNOWN" + mark
    match ("gif", "png", "jpeg", "webp")[i % 4]:
        case "png":
            return png(i, mark)
        case "jpeg":
            return JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(mark) + 2) + mark + JPEG[2:]
        case "webp":
            return WEBP + mark
        case _:
            return GIF[:-1] + b"\x21\xfe" + bytes([len(mark)]) + mark + b"\x00" + b"\x3b"


def png(i: int, mark: bytes) -> bytes:
    """8x8 RGB in one colour, with a `media` text chunk and stored deflate."""
    raw = (b"\0" + bytes((5 * i % 256, 3 * i % 256, i % 256)) * 8) * 8
    stored = (
        b"\x78\x01\x01"
        + struct.pack("<HH", len(raw), len(raw) ^ 0xFFFF)
        + raw
        + struct.pack(">I", zlib.adler32(raw))
    )
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
        (b"tEXt", b"media\0" + mark),
        (b"IDAT", stored),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def mp4(key: str, size: int = 200_000) -> bytes:
    """An MP4 header, then noise that depends on the key alone."""
    blocks = [bytes.fromhex("0000001866747970") + b"isom" + bytes.fromhex("00000200") + b"isomiso2"]
    blocks += [hashlib.sha256(f"{key}:{k}".encode()).digest() for k in range(size // 32 + 1)]
    return b"".join(blocks)[:size]


@cache
def video(v: int) -> FlowMedium:
    """Video v of alice, counted from 1."""
    project, workflow, key = (str(uuid5(NS, f"alice-{what}-{v}")) for what in ("vpj", "vwf", "vmk"))
    name = b64url(
        b"\x08\x05\x12\x24"
        + project.encode()
        + b"\x1a\x24"
        + workflow.encode()
        + b"\x22\x03CAE\x2a\x24"
        + key.encode()
    )
    when = datetime(2025, 10, 31, v, tzinfo=UTC)
    return FlowMedium(
        v,
        name,
        name,
        workflow,
        key,
        printed(when),
        micros(when),
        "video",
        "LANDSCAPE",
        mp4(key),
        project,
    )


def images_of(account: str) -> list[FlowMedium]:
    """The images an account starts with."""
    count = {"alice": 42, "bob": 5}.get(account, 0)
    images = [image(account, i) for i in range(1, count + 1)]
    if account == "bob":
        shared = image("alice", 1).name
        images[0] = FlowMedium(**{**vars(images[0]), "name": shared, "listed": shared})
    return images
