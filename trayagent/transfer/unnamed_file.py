"""A file without a name, for bytes that are all here: nothing half is ever seen, and no kill leaves anything.

Only Linux knows such files (open(2), O_TMPFILE), and not on every file system. The system takes one away
that is closed without a name; it gets its name by a link.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.publish import sync_folder

_FLAGS: Final = os.O_RDWR | getattr(os, "O_TMPFILE", 0) | getattr(os, "O_CLOEXEC", 0)
_UNKNOWN: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS}
)
"""What file systems and kernels say that know no files without a name; ENOENT is old kernels' word."""


def open_unnamed(folder: str) -> int:
    """The descriptor of a new file without a name; -1 where there is no such thing. Raises OSError."""
    if not hasattr(os, "O_TMPFILE"):
        return -1
    try:
        return os.open(folder, _FLAGS, 0o666)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return -1
        raise


def publish_unnamed(fd: int, folder: str, final: str) -> bool:
    """As `publish`: give it its name in its folder, and make that durable. Blocking, raises OSError.

    False, and nothing has come of it, where it cannot have that name.
    """
    failpoint("before-publish")
    # 1. Something has the name.
    # 2. There is no /proc here, or the file system has files without a name but no links (some shares).
    # 3. Anything else: who makes a `.part` instead is told the same, in better words.
    try:
        # With a folder given, which counts for nothing beside an absolute path, Python calls linkat(2)
        # and has it follow: then what /proc leads to gets the name, and never that of another.
        os.link(f"/proc/self/fd/{fd}", final, src_dir_fd=fd)
    except OSError:
        return False
    failpoint("after-publish")
    sync_folder(folder)
    failpoint("after-folder-sync")
    return True
