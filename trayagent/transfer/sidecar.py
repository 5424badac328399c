"""`NAME.part.json` beside a `.part`: whose bytes these are, and what of them is certain."""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.transfer.ranges import Record, sane

if sys.platform == "darwin":
    import fcntl

FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""How our files are opened; the last one is for a pipe in the place of a file: an error, and no wait for ever."""


def sidecar_of(final: Path) -> Path:
    """Where it is for the file that gets this name."""
    return final.with_name(final.name + ".part.json")


class Mark(Struct, frozen=True, omit_defaults=True):
    """What a sidecar says."""

    owner: str
    """The download whose bytes they are; no other goes on with them."""
    record: Record | None = None
    """None: nothing is certain."""


class Sidecar:
    """The sidecar of one file, open once it was written. Its methods block."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._fd: int | None = None
        self.there = False
        """Whether there is one, or may be."""

    def read(self) -> Mark | None:
        """What it says; None when there is nothing to trust."""
        self.there = True
        try:
            fd = os.open(sidecar_of(self._final), os.O_RDONLY | FLAGS)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            text, _, check = file.read(1 << 20).rstrip().rpartition(b" ")
        try:
            if int(check) != zlib.crc32(text):
                return None
            mark = msgspec.json.decode(text, type=Mark)
        except (ValueError, msgspec.MsgspecError):
            return None
        return mark if mark.record is None or sane(mark.record) else Mark(mark.owner)

    def write(self, mark: Mark) -> None:
        """Say this from now on; raises OSError."""
        self.there = True
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | FLAGS
            self._fd = os.open(sidecar_of(self._final), flags, 0o600)
        text = msgspec.json.encode(mark)
        text += b" %d" % zlib.crc32(text)
        # One short write at the start: a kill cannot tear it, and after a power cut the check tells.
        write_all(self._fd, text.ljust(os.fstat(self._fd).st_size), 0)

    def sync(self) -> None:
        """Bring it to the disk."""
        if self._fd is not None:
            sync(self._fd)

    def drop(self) -> None:
        """Remove it."""
        self.close()
        if self.there:
            sidecar_of(self._final).unlink(missing_ok=True)
            self.there = False

    def close(self) -> None:
        """Close it; it stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def sync(fd: int) -> None:
    """Bring a file's bytes to the disk; raises OSError."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync there leaves the bytes in the drive's cache
    else:
        getattr(os, "fdatasync", os.fsync)(fd)


def write_all(fd: int, data: bytes | bytearray | memoryview, at: int) -> None:
    """Write all of it at a place; raises OSError."""
    while (written := _write(fd, data, at)) < len(data):
        data, at = memoryview(data)[written:], at + written


def _write(fd: int, data: bytes | bytearray | memoryview, at: int) -> int:
    if sys.platform == "win32":
        os.lseek(fd, at, os.SEEK_SET)
        return os.write(fd, data)
    return os.pwrite(fd, data, at)
