"""A file that one process writes: our others see that, and keep away from it."""

from __future__ import annotations

import errno
import os
import sys

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 62
    """Far behind the end: Windows keeps everybody from the bytes that are locked."""
else:
    import fcntl


def lock(fd: int) -> None:
    """Lock a file that is open for writing until it is closed; the same process counts as another, too.

    Raises FileExistsError while another has it. A file system without locks has none for us either.
    """
    try:
        _lock(fd)
    except (BlockingIOError, PermissionError):
        raise FileExistsError(errno.EEXIST, "another download is writing it") from None
    except OSError:
        return


def _lock(fd: int) -> None:
    if sys.platform == "win32":
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
