"""A file that one process writes: our others see that, and keep away from it."""

from __future__ import annotations

import errno
import sys

if sys.platform != "win32":
    import fcntl


def lock(fd: int) -> None:
    """Lock a file until it is closed, against everybody who asks, this process included.

    Raises FileExistsError while another has it. There is no lock where the file system has none, nor on
    Windows, whose locks keep readers away, too: there only the sidecar says whose the bytes are.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileExistsError(errno.EEXIST, "another download is writing it") from None
        except OSError:
            return
