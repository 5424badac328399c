"""The folders that files go to: they exist, have room, and take names of so many bytes.

Also what can go wrong with a disk, in our words.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from msgspec import Struct

from trayagent.files import ForeignLinkError, make_folder
from trayagent.model.errors import DownloadError
from trayagent.model.wording import show_size

FRESH: Final = 1.0
"""Seconds for which a look at a folder holds."""
SLOW: Final = 0.005
"""Seconds for a small file, its record, its bytes and its name: a disk with moving parts takes longer.

A thread of its own costs a file a tenth of that, and lets four of them wait for such a disk at once.
"""
SURELY_SLOW: Final = 4
"""So many more slow files than quick ones, lately."""
PROBED_AFTER: Final = 10.0
"""Seconds after which a disk that was slow may show that it no longer is."""
MOST: Final = 256
IN_THE_WAY: Final = "a file or a broken link is where the folder should be"
FOREIGN_LINK: Final = "another user has put a link where the folder should be"
GONE: Final = "the folder is gone"
AWAY: Final = "the network drive is away"
"""Nobody answers at the other end of a share."""
_SAFE_NAME: Final = 255
"""Bytes of a name, where the file system does not say."""
_WINDOWS_PATH: Final = 259 - len(":Zone.Identifier")
"""UTF-16 units of a path there, unless the machine allows long ones; the name of the mark counts, too."""

_FULL: Final = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP})
_IN_THE_WAY: Final = frozenset({errno.ENOTDIR})
_TOO_LONG: Final = frozenset({errno.ENAMETOOLONG})
_GONE: Final = frozenset({errno.ENOENT, getattr(errno, "ESTALE", errno.ENOENT)})
_AWAY: Final = frozenset(
    getattr(errno, name)
    for name in ("EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN")
    if hasattr(errno, name)
)

_RECONNECT: Final = "Connect the drive again, or choose another folder."
_WINDOWS: Final[tuple[tuple[frozenset[int], tuple[str, str, str]], ...]] = (
    # ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL
    (frozenset({39, 112}), ("disk_full", "", "")),
    # ERROR_DISK_QUOTA_EXCEEDED, ERROR_NOT_ENOUGH_QUOTA
    (frozenset({1295, 1816}), ("disk_full", "a quota is used up", "")),
    # ERROR_FILE_TOO_LARGE
    (
        frozenset({223}),
        ("too_large", "for this disk's file system", "Choose a folder on a disk with NTFS."),
    ),
    # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_USER_MAPPED_FILE
    (
        frozenset({32, 33, 1224}),
        (
            "permission_denied",
            "another program holds the file open",
            "Close that program, then retry.",
        ),
    ),
    # ERROR_WRITE_PROTECT
    (frozenset({19}), ("permission_denied", "the disk is write-protected", "")),
    # ERROR_INVALID_DRIVE, ERROR_NOT_READY, ERROR_WRONG_DISK, ERROR_NO_MEDIA_IN_DRIVE, ERROR_DEVICE_NOT_CONNECTED
    (
        frozenset({15, 21, 34, 1112, 1167}),
        ("permission_denied", "the drive is not ready", _RECONNECT),
    ),
    # ERROR_REM_NOT_LIST, ERROR_BAD_NETPATH, ERROR_DEV_NOT_EXIST, ERROR_UNEXP_NET_ERR, ERROR_NETNAME_DELETED,
    # ERROR_BAD_NET_NAME, ERROR_SEM_TIMEOUT, ERROR_CONNECTION_UNAVAIL, ERROR_NO_NETWORK,
    # ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE
    (
        frozenset({51, 53, 55, 59, 64, 67, 121, 1201, 1222, 1231, 1232}),
        ("permission_denied", AWAY, _RECONNECT),
    ),
    # ERROR_LOGON_FAILURE, ERROR_ACCOUNT_RESTRICTION, ERROR_NETWORK_ACCESS_DENIED
    (
        frozenset({65, 1326, 1327}),
        (
            "permission_denied",
            "the network drive asks for a login",
            "Open the drive in Explorer, then retry.",
        ),
    ),
    # ERROR_INVALID_NAME, ERROR_BAD_PATHNAME, ERROR_DIRECTORY
    (
        frozenset({123, 161, 267}),
        ("permission_denied", "Windows takes no such path", "Choose another folder."),
    ),
    # ERROR_FILENAME_EXCED_RANGE
    (
        frozenset({206}),
        (
            "permission_denied",
            "the path is too long for Windows",
            "Choose a folder with a shorter path.",
        ),
    ),
    # ERROR_VIRUS_INFECTED, ERROR_VIRUS_DELETED
    (frozenset({225, 226}), ("virus_found", "", "")),
    # ERROR_CRC, ERROR_SECTOR_NOT_FOUND, ERROR_IO_DEVICE, ERROR_FILE_CORRUPT, ERROR_DISK_CORRUPT
    (
        frozenset({23, 27, 1117, 1392, 1393}),
        ("permission_denied", "the disk is damaged", "Check the disk with: chkdsk"),
    ),
)
"""What Windows says (winerror.h), in which Python sees only EACCES, ENOENT or EINVAL -> code, detail, action."""


class Terms(Struct, frozen=True):
    """What the settings say about every file. Sizes in bytes."""

    segments: int | Literal["auto"] = "auto"
    max_size: int = 50 * 10**9
    keep_free: int = 512 * 10**6

    def check(self, length: int | None) -> None:
        """Raise DownloadError unless a file of this length may be fetched."""
        if length is not None and length > self.max_size:
            has, limit = show_size(length), show_size(self.max_size)
            if has == limit:
                has, limit = f"{length} bytes", f"{self.max_size} bytes"
            raise DownloadError("too_large", f"it has {has}, the limit is {limit}")


class Look(Struct, frozen=True):
    """What a folder was like when we last looked."""

    at: float
    name_bytes: int
    """The longest name it takes."""
    path_units: int | None
    """Characters that a whole path may have; None: as many as you like."""


class Folders:
    """Looks at each folder at most once a second, however many files go there. Its methods block."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[Path, Look] = {}
        self._paces: dict[Path, tuple[float, int]] = {}
        """When a small file got there last, and how many more were slow than quick."""

    def check(self, folder: Path, needed: int, keep_free: int) -> Look:
        """Make the folder; raise DownloadError unless `needed` more bytes fit into it."""
        if (recent := self.recent_look(folder, needed)) is not None:
            return recent
        with explained():
            make_folder(folder)
        check_room(folder, needed, keep_free)
        path_units = _WINDOWS_PATH if sys.platform == "win32" else None
        look = Look(self._clock(), longest_name(folder), path_units)
        if len(self._looks) > MOST:
            self._looks.clear()
        self._looks[folder] = look
        return look

    def recent_look(self, folder: Path, needed: int) -> Look | None:
        """The last look, if it was a moment ago, and is good enough for so many bytes."""
        look = self._looks.get(folder)
        is_fresh = look is not None and needed < 2**20 and self._clock() - look.at < FRESH
        return look if is_fresh else None

    def is_known(self, folder: Path) -> bool:
        """Whether it was there when we looked last."""
        return folder in self._looks

    def forget(self, folder: Path) -> None:
        """Look again the next time: it may be gone."""
        self._looks.pop(folder, None)

    def note(self, folder: Path, seconds: float) -> None:
        """A small file was brought to its disk in so long; one moment of a busy machine is no slow disk."""
        if not self._paces and seconds <= SLOW:
            return  # as nearly all are
        pace = self._paces.get(folder)
        if pace is None and seconds <= SLOW:
            return
        excess = 0 if pace is None else pace[1]
        if len(self._paces) > MOST:
            self._paces.clear()
        self._paces[folder] = self._clock(), excess + 1 if seconds > SLOW else max(0, excess - 1)

    def is_slow(self, folder: Path) -> bool:
        """Whether files there take so long that they had better not wait for each other."""
        pace = self._paces.get(folder) if self._paces else None
        if pace is None:
            return False
        noted_at, excess = pace
        if excess < SURELY_SLOW:
            return False
        # Forgotten: the next files show how it is now, for it may only have been busy.
        if self._clock() - noted_at > PROBED_AFTER:
            self._paces.pop(folder, None)
            return False
        return True

    def __repr__(self) -> str:
        return f"<Folders {len(self._looks)} looked at>"


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
    # Windows' own number is more precise than the errno that Python makes of it; the C runtime has none.
    number = getattr(error, "winerror", None)
    for numbers, (code, detail, action) in _WINDOWS:
        if number in numbers:
            return DownloadError(code, detail, action=action)
    if error.errno in _FULL:
        return DownloadError("disk_full")
    if error.errno == errno.EFBIG:
        return DownloadError("too_large", "for this disk's file system")
    if error.errno in _REFUSED:
        is_link = isinstance(error, ForeignLinkError)
        return DownloadError("permission_denied", FOREIGN_LINK if is_link else "")
    for numbers, detail, action in (
        (_IN_THE_WAY, IN_THE_WAY, ""),
        (_TOO_LONG, "the path is too long", "Choose a folder with a shorter path."),
        (_GONE, GONE, ""),
        (_AWAY, AWAY, _RECONNECT),
    ):
        if error.errno in numbers:
            return DownloadError("permission_denied", detail, action=action)
    return DownloadError("internal", f"the disk said: {(error.strerror or 'error').lower()}")


def free_bytes(folder: Path) -> int:
    """What a user may still write to this disk; raises OSError."""
    if sys.platform == "win32":
        import shutil  # which loads every kind of archive: a twentieth of a start

        return shutil.disk_usage(folder).free
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def check_room(folder: Path, needed: int, keep_free: int) -> None:
    """Raise DownloadError `disk_full` unless `needed` more bytes fit; blocking, but quick on local disks."""
    with explained():
        free = free_bytes(folder)
    if not has_room(free, needed, keep_free):
        asked = f"{show_size(needed)} needed" if needed else ""
        raise _disk_full(asked, free, keep_free)


def full_disk(folder: Path, missing: int, keep_free: int) -> DownloadError:
    """`disk_full` for a file of which so many bytes are missing, with what is free now. Blocking."""
    asked = f"{show_size(missing)} more needed"
    try:
        free = free_bytes(folder)
    except OSError:
        return DownloadError("disk_full", asked)
    # There are the bytes, so it is not about bytes: some disks count files, some count what a person has.
    if has_room(free, missing, keep_free):
        return DownloadError("disk_full", "a quota is used up, or the disk takes no more files")
    return _disk_full(asked, free, keep_free)


def _disk_full(asked: str, free: int, keep_free: int) -> DownloadError:
    facts = (
        asked,
        f"{show_size(free)} free",
        f"{show_size(keep_free)} to be kept by downloads.keep_free" if keep_free else "",
    )
    return DownloadError("disk_full", ", ".join(filter(None, facts)))


def has_room(free: int, needed: int, keep_free: int) -> bool:
    """Whether `needed` more bytes leave `keep_free` bytes untouched."""
    return free - needed >= keep_free


def longest_name(folder: Path) -> int:
    """Bytes: 255 on most file systems, 143 with eCryptfs."""
    if sys.platform == "win32":
        return _SAFE_NAME
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _SAFE_NAME
