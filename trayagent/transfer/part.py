"""`NAME.part`, the bytes so far, and `NAME.part.json`, what of them is certain."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Final

import msgspec

from trayagent.model.errors import DownloadError
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.publish import move_new
from trayagent.transfer.ranges import Record, sane

if sys.platform == "darwin":
    import fcntl

_FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""The last one is for a pipe in the place of a file: an error, and no wait for ever."""


def part_of(final: Path) -> str:
    """Where the bytes of `final` gather."""
    return f"{final}.part"


def sidecar_of(final: Path) -> Path:
    """Where the record about them is."""
    return final.with_name(final.name + ".part.json")


class Part:
    """The growing file of one download. Its methods block: big work belongs in an executor.

    Bytes stay in memory until `create`, so that a short file needs one visit to the disk. The record is
    written only after the bytes it vouches for have reached the disk: after a crash it is never wrong.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = part_of(final)
        self._fd: int | None = None
        self._record_fd: int | None = None
        self._waiting = bytearray()
        self._has_record = False
        self.settled = False
        """Whether all bytes are on the disk, stamped, and the file is closed."""
        self.sha256: str | None = None
        """Hex, once it is settled, where it was computed on the way."""
        self.trouble: DownloadError | None = None
        """What a save in the background ran into; the next write raises it."""

    @classmethod
    def reopen(cls, final: Path) -> Part | None:
        """The part an earlier attempt left, or None; raises OSError for a symlink or a foreign file."""
        part = cls(final)
        part._has_record = True
        try:
            part._fd = os.open(part.path, os.O_RDWR | _FLAGS)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(part._fd).st_mode):
            part.close()
            raise PermissionError(1, "not a regular file")
        return part

    def create(self) -> None:
        """Make the file, which must not exist yet; raises FileExistsError, OSError."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o644)
        failpoint("part-open")
        try:
            if self._waiting:
                _write_all(fd, self._waiting, 0)
        except OSError:  # a full disk: what waits still waits, and nothing half is left behind
            os.close(fd)
            Path(self.path).unlink()
            raise
        self._fd, self._waiting = fd, bytearray()

    @property
    def on_disk(self) -> bool:
        """Whether the file exists."""
        return self._fd is not None or self.settled

    def write(self, data: bytes | memoryview, at: int) -> None:
        """Put bytes at a place; in memory only in order. Raises OSError, DownloadError."""
        if self.trouble is not None:
            raise self.trouble
        if self._fd is None:
            assert at == len(self._waiting)
            self._waiting += data
            return
        _write_all(self._fd, data, at)
        failpoint("part-write")

    def resize(self, size: int) -> None:
        """Make the file exactly so long: cut off what is not certain, or reserve (sparsely) what will come."""
        if self._fd is None:
            self.create()
        assert self._fd is not None
        os.ftruncate(self._fd, size)

    def record(self) -> Record | None:
        """What an earlier attempt vouched for; None when there is nothing to trust."""
        try:
            fd = os.open(sidecar_of(self.final), os.O_RDONLY | _FLAGS)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            text, _, check = file.read(1 << 20).rstrip().rpartition(b" ")
        try:
            if int(check) != zlib.crc32(text):
                return None
            record = msgspec.json.decode(text, type=Record)
        except (ValueError, msgspec.MsgspecError):
            return None
        covered = record.done[-1][1] if record.done else 0
        assert self._fd is not None
        return record if sane(record) and os.fstat(self._fd).st_size >= covered else None

    def digest(self) -> str | None:
        """SHA-256 in hex of what is in memory; None when the file is on the disk already."""
        if self.on_disk:
            return None
        return hashlib.sha256(self._waiting, usedforsecurity=False).hexdigest()

    def vouch(self, record: Record | None) -> None:
        """Bring all bytes to the disk, then write the record, if there is any; raises OSError."""
        if self._fd is None:
            self.create()
        assert self._fd is not None
        _sync(self._fd)
        failpoint("part-synced")
        if record is None:
            return
        if self._record_fd is None:
            self._has_record = True
            flags = os.O_RDWR | os.O_CREAT | _FLAGS
            self._record_fd = os.open(sidecar_of(self.final), flags, 0o600)
        text = msgspec.json.encode(record)
        text += b" %d" % zlib.crc32(text)
        # One short write at the start: a kill cannot tear it, and after a power cut the check tells.
        old = os.fstat(self._record_fd).st_size
        _write_all(self._record_fd, text.ljust(old), 0)
        failpoint("part-vouched")

    def forget(self) -> None:
        """Drop the record: from here on nothing of the file is certain."""
        if self._record_fd is not None:
            os.close(self._record_fd)
            self._record_fd = None
        if self._has_record:
            sidecar_of(self.final).unlink(missing_ok=True)
            self._has_record = False

    def confirm(self, size: int | None) -> None:
        """Make sure that its name still leads to what we wrote, all of it; raises OSError."""
        assert self._fd is not None
        ours, named = os.fstat(self._fd), os.lstat(self.path)
        if (ours.st_dev, ours.st_ino, ours.st_size) != (named.st_dev, named.st_ino, size):
            raise OSError(errno.EIO, "another program has changed the file while it came")

    def settle(self, mtime: float | None) -> None:
        """All bytes are here and verified: to the disk with them, stamped and closed; raises OSError.

        Closed, because Windows renames no open file.
        """
        if self._fd is None:
            self.create()
        assert self._fd is not None
        if mtime is not None:
            os.utime(self._fd if os.utime in os.supports_fd else self.path, (mtime, mtime))
        _sync(self._fd)
        os.close(self._fd)
        self._fd, self.settled = None, True
        failpoint("part-settled")

    def move(self, final: Path) -> None:
        """Belong to another final name; raises FileExistsError, OSError."""
        if self.on_disk:
            self.forget()
            move_new(self.path, part_of(final))
        self.final, self.path = final, part_of(final)

    def read(self, count: int, at: int) -> bytes:
        """Up to `count` bytes from a place."""
        if self._fd is None:
            return bytes(self._waiting[at : at + count])
        if sys.platform == "win32":
            os.lseek(self._fd, at, os.SEEK_SET)
            return os.read(self._fd, count)
        return os.pread(self._fd, count, at)

    def size(self) -> int:
        """Bytes in it."""
        return len(self._waiting) if self._fd is None else os.fstat(self._fd).st_size

    def close(self) -> None:
        """Close the files; they stay."""
        for fd in (self._fd, self._record_fd):
            if fd is not None:
                os.close(fd)
        self._fd = self._record_fd = None

    def discard(self) -> None:
        """Remove both files, if they were ours to make."""
        ours = self.on_disk
        self.close()
        if ours:
            remove(self.final)

    def __repr__(self) -> str:
        return f"<Part {self.final.name}.part>"


def remove(final: Path) -> None:
    """Remove what a given-up download left beside its final name."""
    Path(part_of(final)).unlink(missing_ok=True)
    sidecar_of(final).unlink(missing_ok=True)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync there leaves the bytes in the drive's cache
    else:
        getattr(os, "fdatasync", os.fsync)(fd)


def _write_all(fd: int, data: bytes | bytearray | memoryview, at: int) -> None:
    while (written := _write(fd, data, at)) < len(data):
        data, at = memoryview(data)[written:], at + written


def _write(fd: int, data: bytes | bytearray | memoryview, at: int) -> int:
    if sys.platform == "win32":
        os.lseek(fd, at, os.SEEK_SET)
        return os.write(fd, data)
    return os.pwrite(fd, data, at)
