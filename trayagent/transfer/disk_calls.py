"""What an open file is asked for that systems do in ways of their own: a lock, bytes on the disk, bytes at a place."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

if sys.platform != "win32":
    import fcntl

FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""The last one is for a pipe in the place of a file: an error, and no wait for ever."""
FAR: Final = 1 << 40
"""The byte that is locked: behind the end of any file of a terabyte, for Windows keeps all others away from it."""


def stamp(where: int | str, mtime: float) -> None:
    """Set the time of a file's last change, in Unix seconds.

    A date that the file system does not know is no failure: Windows knows none before 1601, and some
    servers send the year 1 for "never".
    """
    try:  # noqa: SIM105  quicker, for every small file
        os.utime(where, (mtime, mtime))
    except (OSError, OverflowError, ValueError):
        pass


def lock(fd: int) -> bool:
    """Lock a file until it is closed, against everybody who asks, this process included.

    Raises FileExistsError while another has it. False where the file system has no locks: some network
    shares, and file systems of programs (ENOLCK, EOPNOTSUPP).
    """
    if sys.platform == "win32":
        return _lock_far_byte(fd)
    else:  # noqa: RET505  a checker for Windows looks at what stands behind an `if` of its own
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(errno.EEXIST, "another download is writing it") from None
        except OSError:
            return False
        return True


def _lock_far_byte(fd: int) -> bool:
    """As `lock`, on Windows: against every other handle; the bytes stay open to readers."""
    if sys.platform != "win32":
        return False
    import msvcrt

    here = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        os.lseek(fd, FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        # A held lock arrives as EACCES, from the waiting kind as EDEADLOCK, and under Wine as 0.
        if error.errno in {0, errno.EACCES, getattr(errno, "EDEADLOCK", errno.EACCES)}:
            raise FileExistsError(errno.EEXIST, "another download is writing it") from None
        return False
    finally:
        os.lseek(fd, here, os.SEEK_SET)
    return True


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
