"""Giving a finished file its final name, without ever replacing one that exists."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from trayagent.files import remove_shared, retry_shared
from trayagent.transfer.failpoints import failpoint

_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_RENAME_EXCL: Final = 4
_UNSUPPORTED: Final = frozenset(
    {
        errno.ENOSYS,
        errno.EINVAL,
        errno.EPERM,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.EMLINK,
        errno.EXDEV,
    }
)
_PIECE: Final = 1024 * 1024
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def publish(part: str, final: Path) -> None:
    """Move `part` to `final` and make that durable. Blocking.

    Raises FileExistsError when something has the final name, OSError for the rest.
    """
    failpoint("before-publish")
    move_new(part, final)
    failpoint("after-publish")
    sync_folder(str(final).rpartition(os.sep)[0] or os.sep)  # quicker than Path.parent
    failpoint("after-folder-sync")


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(fd)


def move_new(part: str | Path, final: str | Path) -> None:
    """Rename without replacing; raises FileExistsError, OSError."""
    if sys.platform == "win32":
        retry_shared(lambda: os.rename(part, final))  # noqa: PTH104  refuses an existing target there
        return
    # Two ways that replace nothing; a file system may know only one of them.
    for way in (_rename_exclusively, _link_then_unlink):
        try:
            way(part, final)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        else:
            return
    # A file system without either way (old FUSE, some SMB): the check leaves a gap of microseconds.
    if os.path.lexists(final):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
    Path(part).rename(final)


def copy_new(source: Path, final: Path) -> None:
    """Copy to a name that must not exist and remove the source; raises FileExistsError, OSError."""
    import shutil  # only this needs it

    with source.open("rb") as old, final.open("xb") as new:
        shutil.copyfileobj(old, new, _PIECE)
    remove_shared(source)


def _link_then_unlink(part: str | Path, final: str | Path) -> None:
    os.link(part, final, follow_symlinks=False)
    Path(part).unlink()


def _rename_exclusively(part: str | Path, final: str | Path) -> None:
    rename = _system_rename()
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(os.fsencode(part), os.fsencode(final)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(final))


@cache
def _system_rename() -> Callable[[bytes, bytes], int] | None:
    """renameat2 with RENAME_NOREPLACE (Linux) or renamex_np with RENAME_EXCL (macOS)."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda old, new: int(library.renamex_np(old, new, _RENAME_EXCL))
    if hasattr(library, "renameat2"):
        return lambda old, new: int(
            library.renameat2(_AT_FDCWD, old, _AT_FDCWD, new, _RENAME_NOREPLACE)
        )
    return None
