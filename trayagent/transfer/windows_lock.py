"""A lock on an open file for Windows, which leaves its bytes open to readers."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

FAR: Final = (1 << 62) - 1
"""The byte that is locked: behind the end of every file, for Windows keeps all others away from it."""


def lock_far_byte(fd: int) -> None:
    """Lock a file until it is closed, against every other handle, those of this process included.

    Raises FileExistsError while another handle has it. Does nothing where the file system has no locks,
    and on other systems.
    """
    if sys.platform != "win32":
        return
    import msvcrt

    here = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        os.lseek(fd, FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        # LockFile's ERROR_LOCK_VIOLATION arrives as EACCES; EDEADLOCK comes from the waiting kind.
        if error.errno in {errno.EACCES, getattr(errno, "EDEADLOCK", errno.EACCES)}:
            raise FileExistsError(errno.EEXIST, "another download is writing it") from None
    finally:
        os.lseek(fd, here, os.SEEK_SET)
