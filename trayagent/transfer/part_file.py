"""`NAME.part`, the bytes so far, and `NAME.part.json` beside it: whose they are and what is certain.

What the two files say after a kill at any point:

    .part     .part.json       final name   means
    --------  ---------------  -----------  -----------------------------------------------------
    there     -                -            bytes that came all at once, where a system has no
                                            files without a name (see `unnamed_file`): from zero
    there     owner only       -            bytes of this owner, nothing certain: from zero
    there     owner, record    -            these ranges are certain: resumed with proof
    -         owner, ...       there        arrived (see `settled`); the sidecar is of no use any more

A record is written only after the bytes it vouches for have reached the disk: after a crash it is
never wrong. Nobody but us may have written since, which the times of the two files tell (`is_ours_still`):
else it is as if there were no record.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from trayagent.files import open_shared, remove_shared
from trayagent.transfer.disk_calls import FLAGS, lock, stamp, sync, write_all
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.publish import move_new
from trayagent.transfer.ranges import Record
from trayagent.transfer.sidecar import USUAL_SLACK, Mark, Sidecar, is_ours_still, sample_places

_MOST_PIECES: Final = 1024
"""In one call; Linux and macOS take no more (IOV_MAX)."""
_HASHED_AT_ONCE: Final = 64 * 1024


def part_of(final: Path | str) -> str:
    """Where the bytes of `final` gather."""
    return f"{final}.part"


class Part:
    """The growing file of one download. Its methods block.

    Bytes stay in memory until `create`, so that a file that comes all at once needs one visit to the
    disk. The file is locked while it is open, and belongs to its owner from one attempt to the next.
    """

    def __init__(self, final: Path, owner: str = "") -> None:
        self.final = final
        self.path = part_of(final)
        self._owner = owner
        self._fd: int | None = None
        self._sidecar = Sidecar(final)
        self._waiting: bytes | memoryview = b""
        self._trusted: Record | None = None
        """What an earlier attempt vouched for, as long as nothing was written since."""
        self._samples: dict[tuple[int, int], str] = {}
        """SHA-256 in hex of the bytes at these places, which are certain."""
        self.inode = 0
        """Of the settled file: all bytes are on the disk, stamped. 0: they are not."""

    @classmethod
    def reopen(cls, final: Path, owner: str = "", *, signed: bool = False) -> Part | None:
        """The part that an earlier attempt of this owner left, or None.

        One without a sidecar counts as its owner's unless it must be `signed`. Raises FileExistsError
        for another's or one that is being written, OSError for a link and for what is no file.
        """
        part = cls(final, owner)
        try:
            part._fd = open_shared(part.path, os.O_RDWR | FLAGS)
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
        # 1. It is a file: no link, no device that somebody has put there.
        # 2. Its sidecar names us, or there is none to say otherwise.
        # 3. Nobody is writing it.
        # 4. Its name leads to it still.
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
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | FLAGS, 0o666)
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
            remove_shared(self.path)
            self._sidecar.drop()
            raise
        self._fd, self._waiting = fd, b""

    @property
    def on_disk(self) -> bool:
        """Whether the file exists."""
        return self._fd is not None or self.inode != 0

    def write(self, pieces: Sequence[bytes | memoryview], at: int) -> None:
        """Put bytes at a place, one piece behind the other; in memory only in order. Raises OSError."""
        if self._fd is None:
            assert at == len(self._waiting)
            if not at and len(pieces) == 1:
                self._waiting = pieces[0]  # mostly all of the file: no copy is needed
                return
            self._waiting = b"".join((self._waiting, *pieces))
            return
        if self._trusted is not None:
            self._renew()
        if hasattr(os, "pwritev"):
            # As they are: to join the pieces of 16 KiB would copy every byte once more.
            for start in range(0, len(pieces), _MOST_PIECES):
                some = pieces[start : start + _MOST_PIECES]
                count, written = sum(map(len, some)), os.pwritev(self._fd, some, at)
                if written < count:
                    write_all(self._fd, memoryview(b"".join(some))[written:], at + written)
                at += count
        else:
            write_all(self._fd, b"".join(pieces), at)
        failpoint("part-write")

    def resize(self, size: int) -> None:
        """Make the file exactly so long: cut off what is not certain, or reserve (sparsely) what will come."""
        if self._fd is None:
            self.create()
        assert self._fd is not None
        self._renew()
        os.ftruncate(self._fd, size)

    def record(self) -> Record | None:
        """What an earlier attempt vouched for; None when there is nothing to trust. Raises OSError."""
        mark = self._sidecar.read()
        if mark is None or mark.record is None:
            return None
        # Neither a record that vouches for more bytes than there are is this file's, nor bytes behind its end.
        covered = mark.record.done[-1][1] if mark.record.done else 0
        assert self._fd is not None
        told = os.fstat(self._fd)
        if not covered <= told.st_size <= mark.record.size:
            return None
        record, sidecar_ns = mark.record, self._sidecar.changed_ns()
        part_ns = told.st_mtime_ns
        if not is_ours_still(
            mark, part_ns, sidecar_ns, lambda: self._sample(record, is_alone=True)
        ):
            return None
        self._trusted = record
        return record

    def _renew(self) -> None:
        """Say the same again before the first new byte, which would be younger than what was said long ago."""
        # Taken first: another thread may vouch for more meanwhile.
        trusted, self._trusted = self._trusted, None
        if trusted is not None:
            self._sidecar.write(Mark(self._owner, trusted, sample=self._sample(trusted)))

    def _sample(self, record: Record, *, is_alone: bool = False) -> str:
        """As `Mark.sample`. What was read once is remembered: in a long file that costs a visit to the disk.

        `is_alone`: no other thread writes now.
        """
        if sys.platform == "win32" and not is_alone:
            return ""  # to read there moves the place at which another thread may be writing
        before, self._samples = self._samples, {}
        for place in sample_places(record.done):
            start, end = place
            self._samples[place] = before.get(place) or _sha256(self.read(end - start, start))
        return _sha256("".join(self._samples.values()).encode())

    def digest(self) -> str | None:
        """SHA-256 in hex of what is in memory: all of a file that has not been created yet."""
        return digest_at_once(self._waiting)

    @property
    def signed(self) -> bool:
        """Whether a sidecar says whose it is."""
        return self._sidecar.there

    def vouch(self, record: Record | None, *, is_last: bool = False) -> None:
        """Bring all bytes to the disk, then write the record; None: only whose they are. Raises OSError.

        `is_last`: nothing is written after it.
        """
        if self._fd is None:
            self.create()
        assert self._fd is not None
        began = time.monotonic()
        if record is not None:
            self._sidecar.prolong()
            sync(self._fd)
            failpoint("part-synced")
        # Where this lasts, the next record takes as long, and bytes come meanwhile.
        slack = max(USUAL_SLACK, 4 * (time.monotonic() - began))
        is_pinned = is_last and sys.platform != "win32"
        sample = "" if is_pinned or record is None else self._sample(record, is_alone=is_last)
        self._sidecar.write(Mark(self._owner, record, 0.0 if is_pinned else slack, sample))
        if is_pinned:
            self._pin_dates()
        self._trusted = None
        failpoint("part-vouched")

    def _pin_dates(self) -> None:
        """Give both files the date of the last byte, after our last word.

        1. A share may date a file by its closing, but leaves a date alone that was set by name (Samba).
           Windows has no such promise: there the slack stays, and the bytes at some places tell of edits.
        2. A share's clock is not ours, and ours may be set back between the last byte and our word: then
           the sidecar would look older than its part.
        """
        assert self._fd is not None
        told = os.fstat(self._fd)
        with suppress(OSError):
            os.utime(self._fd, ns=(told.st_atime_ns, told.st_mtime_ns))
            self._sidecar.stamp(told.st_mtime_ns)

    def doubt(self) -> None:
        """From here on nothing of the file is certain, after a power cut neither; raises OSError."""
        self._trusted, self._samples = None, {}
        if self._sidecar.there:
            self._sidecar.write(Mark(self._owner), durably=True)

    def forget(self) -> None:
        """Drop the sidecar: the bytes are nobody's any more; raises OSError."""
        if self._sidecar.there:
            self._sidecar.drop()

    def confirm(self, size: int | None) -> None:
        """Make sure that its name still leads to what we wrote, all of it; raises OSError."""
        # A whole folder that went away, with its disk perhaps, is waited for: it says so itself.
        self.final.parent.stat()
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

    def settle(self, mtime: float | None) -> int:
        """All bytes are here and verified: stamp them and bring them to the disk; returns their count.

        The file stays open, and so locked, until it has its final name; but Windows renames no open
        file. Raises OSError.
        """
        if self._fd is None:
            self.create()
        assert self._fd is not None
        if mtime is not None and os.utime in os.supports_fd:
            stamp(self._fd, mtime)
        sync(self._fd)
        told = os.fstat(self._fd)
        if sys.platform == "win32":
            os.close(self._fd)
            self._fd = None
            if mtime is not None:  # the close would stamp it with the time of its last write
                stamp(self.path, mtime)
        self.inode = told.st_ino
        failpoint("part-settled")
        return told.st_size

    def move(self, final: Path) -> None:
        """Belong to another final name; raises FileExistsError, OSError."""
        if self.on_disk:
            self._sidecar.drop()
            if sys.platform == "win32" and self._fd is not None:
                self._move_open(final)
            else:
                move_new(self.path, part_of(final))
        self.final, self.path, self._sidecar = final, part_of(final), Sidecar(final)

    def _move_open(self, final: Path) -> None:
        """Close, rename, open again: Windows renames no open file. It is open afterwards, moved or not."""
        assert self._fd is not None
        os.close(self._fd)
        self._fd = None
        path = self.path
        try:
            move_new(path, part_of(final))
            path = part_of(final)
        finally:
            # For a moment nobody held the lock: whoever took it meanwhile keeps the file.
            self._fd = open_shared(path, os.O_RDWR | FLAGS)
            lock(self._fd)

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
        # Under its name may lie another's file by now: that one stays.
        ours = self.on_disk and (self._fd is None or self._has_name())
        if ours or not os.path.lexists(self.path):
            self._sidecar.drop()
        if sys.platform == "win32":
            self.close()  # it removes no open file
        if ours:
            remove_shared(self.path)
        self.close()

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


def digest_at_once(data: bytes | memoryview) -> str | None:
    """SHA-256 in hex of a file in memory; None for a long one, where it would cost something."""
    if len(data) > _HASHED_AT_ONCE:
        return None
    return _sha256(data)


def _sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()
