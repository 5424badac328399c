"""A lock on an open file for Windows, which leaves its bytes open to readers."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

FAR: Final = 1 << 40
"""The byte that is locked: behind the end of any file of a terabyte, for Windows keeps all others away from it."""


def lock_far_byte(fd: int) -> bool:
    """Lock a file until it is closed, against every other handle, those of this process included.

    Raises FileExistsError while another handle has it. False where the file system has no locks, and on
    other systems.
    """
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
