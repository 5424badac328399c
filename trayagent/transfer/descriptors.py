"""Work on a file that is open: how we open ours, lock them, write all of something, bring it to the disk."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

if sys.platform == "win32":
    from trayagent.transfer.windows_lock import lock_far_byte
else:
    import fcntl

FLAGS: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)
"""The last one is for a pipe in the place of a file: an error, and no wait for ever."""


def lock(fd: int) -> None:
    """Lock a file until it is closed, against everybody who asks, this process included.

    Raises FileExistsError while another has it. There is no lock where the file system has none.
    """
    if sys.platform == "win32":
        lock_far_byte(fd)
    else:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(errno.EEXIST, "another download is writing it") from None
        except OSError:
            return


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
