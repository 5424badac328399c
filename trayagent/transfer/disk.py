"""What can go wrong with a disk, in our words; and whether there is room."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import TracebackType
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.model.sizes import show_size

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP})
_GONE: Final = frozenset({errno.ENOENT, getattr(errno, "ESTALE", errno.ENOENT)})
IN_THE_WAY: Final = "a file or a broken link is where the folder should be"


class explained:  # noqa: N801  reads as a sentence: with explained()
    """Raise DownloadError for an OSError of the file system inside; FileExistsError passes."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileExistsError):
            raise explain(error) from error


def explain(error: OSError) -> DownloadError:
    """The DownloadError for what the file system said."""
    if error.errno in _FULL:
        return DownloadError("disk_full")
    if error.errno == errno.EFBIG:
        return DownloadError("too_large", "for this disk's file system")
    if error.errno in _REFUSED:
        return DownloadError("permission_denied")
    if error.errno == errno.ENOTDIR:
        return DownloadError("permission_denied", IN_THE_WAY)
    if error.errno in _GONE:
        return DownloadError("permission_denied", "the folder is gone")
    return DownloadError("internal", f"the disk said: {(error.strerror or 'error').lower()}")


def room_for(free: int, needed: int, keep_free: int) -> bool:
    """Whether `needed` more bytes leave `keep_free` bytes untouched."""
    return free - needed >= keep_free


def check_room(folder: Path, needed: int, keep_free: int) -> None:
    """Raise DownloadError `disk_full` unless `needed` more bytes fit; blocking, but quick on local disks."""
    with explained():
        free = shutil.disk_usage(folder).free
    if not room_for(free, needed, keep_free):
        raise DownloadError(
            "disk_full",
            f"{show_size(free)} free, {show_size(keep_free)} to be kept by downloads.keep_free",
        )
