"""`NAME.part`: the bytes so far."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from pathlib import Path

from trayagent.model.errors import DownloadError
from trayagent.transfer.descriptors import FLAGS, lock, sync, write_all
from trayagent.transfer.disk import explained
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.publish import move_new, same_bytes
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import Mark, Sidecar


def part_of(final: Path) -> str:
    """Where the bytes of `final` gather."""
    return f"{final}.part"


class Part:
    """The growing file of one download. Its methods block: big work belongs in an executor.

    Bytes stay in memory until `create`, so that a short file needs one visit to the disk. The file is
    locked while it is open, and belongs to its owner from one attempt to the next. A record is written
    only after the bytes it vouches for have reached the disk: after a crash it is never wrong.
    """

    def __init__(self, final: Path, owner: str = "") -> None:
        self.final = final
        self.path = part_of(final)
        self._owner = owner
        self._fd: int | None = None
        self._sidecar = Sidecar(final)
        self._waiting = bytearray()
        self.settled = False
        """Whether all bytes are on the disk, stamped."""
        self.sha256: str | None = None
        """Hex, once it is settled, where it was computed on the way."""
        self.trouble: DownloadError | None = None
        """What a save in the background ran into; the next write raises it."""

    @classmethod
    def reopen(cls, final: Path, owner: str = "", *, signed: bool = False) -> Part | None:
        """The part that an earlier attempt of this owner left, or None.

        One without a sidecar counts as its owner's unless it must be `signed`. Raises FileExistsError
        for another's or one that is being written, OSError for a link and for what is no file.
        """
        part = cls(final, owner)
        try:
            part._fd = os.open(part.path, os.O_RDWR | FLAGS)
        except FileNotFoundError:
            return None
        try:
            part._claim(signed=signed)
        except BaseException:
            part.close()
            raise
        return part

    def _claim(self, *, signed: bool) -> None:
        assert self._fd is not None
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise PermissionError(errno.EPERM, "not a regular file")
        mark = self._sidecar.read()
        if signed if mark is None else mark.owner != self._owner:
            raise FileExistsError(errno.EEXIST, "it belongs to another download")
        lock(self._fd)
        if not self._has_name():  # whoever had it locked has given it its final name, say
            raise FileExistsError(errno.EEXIST, "it is another file by now")

    def create(self, *, signed: bool = False) -> None:
        """Make the file, which must not exist yet; raises FileExistsError, OSError.

        `signed`: with a sidecar at once, which tells after a kill whose it is.
        """
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, 0o644)
        failpoint("part-open")
        try:
            lock(fd)
            self._sidecar.clear()
            if signed:
                self._sidecar.write(Mark(self._owner))
            if self._waiting:
                write_all(fd, self._waiting, 0)
        except OSError:  # a full disk: what waits still waits, and nothing half is left behind
            os.close(fd)
            Path(self.path).unlink(missing_ok=True)
            self._sidecar.drop()
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
        write_all(self._fd, data, at)
        failpoint("part-write")

    def resize(self, size: int) -> None:
        """Make the file exactly so long: cut off what is not certain, or reserve (sparsely) what will come."""
        if self._fd is None:
            self.create()
        assert self._fd is not None
        os.ftruncate(self._fd, size)

    def record(self) -> Record | None:
        """What an earlier attempt vouched for; None when there is nothing to trust."""
        mark = self._sidecar.read()
        if mark is None or mark.record is None:
            return None
        covered = mark.record.done[-1][1] if mark.record.done else 0
        assert self._fd is not None
        return mark.record if os.fstat(self._fd).st_size >= covered else None

    def digest(self) -> str | None:
        """SHA-256 in hex of what is in memory; None when the file is on the disk already."""
        if self.on_disk:
            return None
        return hashlib.sha256(self._waiting, usedforsecurity=False).hexdigest()

    @property
    def signed(self) -> bool:
        """Whether a sidecar says whose it is."""
        return self._sidecar.there

    def vouch(self, record: Record | None) -> None:
        """Bring all bytes to the disk, then write the record; None: only whose they are. Raises OSError."""
        if self._fd is None:
            self.create()
        assert self._fd is not None
        if record is not None:
            sync(self._fd)
            failpoint("part-synced")
        self._sidecar.write(Mark(self._owner, record))
        failpoint("part-vouched")

    def doubt(self) -> None:
        """From here on nothing of the file is certain, after a power cut neither; raises OSError."""
        if self._sidecar.there:
            self._sidecar.write(Mark(self._owner), durably=True)

    def forget(self) -> None:
        """Drop the sidecar: the bytes are nobody's any more; raises OSError."""
        self._sidecar.drop()

    def confirm(self, size: int | None) -> None:
        """Make sure that its name still leads to what we wrote, all of it; raises OSError."""
        if not self._has_name() or self.size() != size:
            raise OSError(errno.EIO, "another program has changed the file while it came")

    def _has_name(self) -> bool:
        """Whether the name still leads to the file that is open."""
        assert self._fd is not None
        try:
            ours, named = os.fstat(self._fd), os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)

    def settle(self, mtime: float | None) -> None:
        """All bytes are here and verified: to the disk with them, stamped; raises OSError.

        The file stays open, and so locked, until it has its final name; but Windows renames no open file.
        """
        if self._fd is None:
            self.create()
        assert self._fd is not None
        if mtime is not None:
            os.utime(self._fd if os.utime in os.supports_fd else self.path, (mtime, mtime))
        sync(self._fd)
        if sys.platform == "win32":
            os.close(self._fd)
            self._fd = None
        self.settled = True
        failpoint("part-settled")

    def move(self, final: Path) -> None:
        """Belong to another final name; raises FileExistsError, OSError."""
        if self.on_disk:
            self.forget()
            move_new(self.path, part_of(final))
        self.final, self.path, self._sidecar = final, part_of(final), Sidecar(final)

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
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._sidecar.close()

    def discard(self) -> None:
        """Remove both files, if they are ours still."""
        ours = self.on_disk and (self._fd is None or self._has_name())
        if ours or not os.path.lexists(self.path):
            self._sidecar.drop()
        if sys.platform == "win32":
            self.close()  # it removes no open file
        if ours:
            Path(self.path).unlink(missing_ok=True)
        self.close()

    def discard_published(self) -> bool:
        """Discard it if the final name holds its very bytes: our own work, cut off before it was noted."""
        if (
            self.final.is_symlink() or not self.final.is_file()
        ):  # opening a pipe would wait for ever
            return False
        with explained():
            if same := same_bytes(self.path, self.final):
                self.discard()
        return same

    def __repr__(self) -> str:
        return f"<Part {self.final.name}.part>"


def remove(final: Path, owner: str) -> None:
    """Remove what this owner's download left beside its final name; what is another's stays. Blocking."""
    try:
        part = Part.reopen(final, owner)
    except OSError:
        return
    if part is not None:
        part.discard()
