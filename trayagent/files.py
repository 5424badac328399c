"""Opening, replacing and removing files, also while another program holds them open.

Windows refuses to rename, replace or remove a file that a virus scanner, an indexer, a preview or a
reader of ours holds open, and to open one that is held alone (ERROR_SHARING_VIOLATION and
ERROR_ACCESS_DENIED; Python raises PermissionError for both). It also refuses to replace or remove a
file that is marked read-only. Other systems allow all of it.

So whoever renames, replaces, removes or opens a file that others may hold does it through here, and
never on a loop: the wait blocks.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeVar

Result = TypeVar("Result")

MOST_LINKS: Final = 40
"""On the way to one folder, as Linux has it (path_resolution(7))."""

WAITS_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5)
"""Before each next try; two seconds in all, as long as a scanner holds a small file."""

_NAMES_ANOTHER: Final = 0x20000000
"""The name-surrogate bit of a reparse tag."""


def retry_shared(act: Callable[[], Result]) -> Result:
    """Do `act`; on Windows again for two seconds while it raises PermissionError. Blocking."""
    if sys.platform == "win32":
        for wait in WAITS_SECONDS:
            try:
                return act()
            except PermissionError:
                time.sleep(wait)
    return act()


def replace_shared(fresh: str | Path, path: str | Path) -> None:
    """Put a file in the place of another, or where none is, in one step. Blocking, raises OSError."""
    _retry_writable(path, lambda: os.replace(fresh, path))


def remove_shared(path: str | Path) -> None:
    """Remove a file; nothing happens when it is gone already. Blocking, raises OSError."""
    with suppress(FileNotFoundError):
        _retry_writable(path, Path(path).unlink)


def remove_folder_shared(path: str | Path) -> None:
    """Remove a folder and all that is in it, as far as that can be; links are not followed. Blocking."""

    def once() -> None:
        shutil.rmtree(path, ignore_errors=True)
        # 1. Also a program that is about to end holds a folder: the one it was started in.
        # 2. A removed file that somebody still holds keeps its place until then, and so its folder.
        if sys.platform == "win32" and os.path.lexists(path):
            raise PermissionError(path)

    with suppress(PermissionError):
        retry_shared(once)


def open_shared(path: str | Path, flags: int, mode: int = 0o666) -> int:
    """Open a file that others may hold open; returns its descriptor (os.open). Blocking, raises OSError."""
    return retry_shared(lambda: os.open(path, flags, mode))


def read_shared(path: str | Path) -> bytes:
    """All of a small file that another process may be replacing right now. Blocking, raises OSError.

    A pipe in its place is refused (`open_regular`): a start would wait for ever, without a word.
    """

    def read() -> bytes:
        with open_regular(path) as file:
            return file.read()

    return retry_shared(read)


def open_regular(path: str | Path, *, follows: bool = True) -> BufferedReader:
    """Open a file to read it; raises OSError for what is none, such as a pipe. Blocking.

    Unless it `follows`, a symbolic link is no file, either (where the system can tell).

    Whoever may write into a folder may put a pipe in a file's place: to open or read that one would wait
    for ever, in a thread that nobody can stop.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= 0 if follows else getattr(os, "O_NOFOLLOW", 0)
    fd = open_shared(path, flags)
    # Before it becomes a file of Python's: that raises for a folder, names a number for it, and leaves it open.
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def is_being_written(path: str | Path) -> bool:
    """Whether a program has the file open for writing, where the system tells (Linux). Blocking, raises OSError.

    Windows does not say so: it refuses to rename such a file.
    """
    if sys.platform != "linux":
        return False
    import fcntl
    import signal

    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        # A lease for reading is given only while nobody writes (fcntl(2), F_SETLEASE). Who opens the file
        # for writing in the moment in which we have it sends us a signal: SIGIO would end us, this one is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        # Any other refusal: another user's file, or a file system that knows no leases.
        return error.errno == errno.EAGAIN
    finally:
        os.close(fd)  # gives the lease back
    return False


class ForeignLinkError(OSError):
    """Another user has put a link where a folder should be."""


def make_folder(folder: str | Path) -> None:
    """Make a folder and those above it, through no link that another user has put there. Blocking.

    Raises ForeignLinkError, NotADirectoryError where something else is there, OSError for the rest.
    """
    refuse_foreign_links(folder)  # first: nothing is made behind such a link
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        # Elsewhere that one means a name that is taken, and another name would be tried.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
    refuse_foreign_links(folder)  # and once more: one may have been put there meanwhile


def refuse_foreign_links(folder: str | Path) -> None:
    """Raise ForeignLinkError where a link on the way to a folder is another user's. Blocking, raises OSError.

    Whoever may write into a shared folder could lead what we save into any folder of ours. Linux has such
    a rule of its own for folders like /tmp (proc_sys_fs(5), protected_symlinks); this one is for all.

        the link belongs to                     it is
        --------------------------------------  ---------
        us, or the system's administrator       followed
        the owner of a folder on the way that   followed: somebody of these gave it to him
        only somebody of these could put there
        anybody else                            refused

    Nothing is said of what is not there yet.
    """
    if sys.platform == "win32":
        return  # where links have no owner that could be told quickly, and making one is a right of its own
    rest = _names_in(Path(folder).absolute())
    where = Path(os.sep)
    above = where.lstat()
    # In some containers what is the administrator's has another number.
    trusted = {0, os.geteuid(), above.st_uid}
    links = 0
    while rest:
        name = rest.pop()
        if name == "..":  # of a link's target; `where` holds no link, so this is the folder above
            where = where.parent
            above = where.lstat()
            continue
        place = where / name
        try:
            seen = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return
        if not stat.S_ISLNK(seen.st_mode):
            if above.st_uid in trusted and not above.st_mode & 0o022:
                trusted.add(seen.st_uid)
            where, above = place, seen
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(place))
        if seen.st_uid not in trusted:
            raise ForeignLinkError(errno.ELOOP, "another user's link", str(place))
        target = place.readlink()
        if target.is_absolute():
            where = Path(os.sep)
            above = where.lstat()
        rest += _names_in(target)


def _names_in(path: Path) -> list[str]:
    """The names of a path below its root, the last one first."""
    return [name for name in reversed(path.parts) if name != os.sep]


def _retry_writable(path: str | Path, act: Callable[[], None]) -> None:
    """As `retry_shared`; a file that somebody has marked read-only is no obstacle, as on other systems."""

    def once() -> None:
        try:
            act()
        except PermissionError:
            if sys.platform == "win32":
                with suppress(OSError):
                    os.chmod(path, stat.S_IWRITE)
            raise

    retry_shared(once)


def is_link(seen: os.stat_result) -> bool:
    """Whether what `lstat` saw leads elsewhere: a symbolic link, or a junction of Windows.

    A junction passes for a folder (S_ISDIR), and anybody may make one; its reparse tag tells. The
    placeholders of OneDrive have a tag, too, but not the bit that says "another name" (ntifs.h).
    """
    tag = getattr(seen, "st_reparse_tag", 0)
    return stat.S_ISLNK(seen.st_mode) or bool(tag & _NAMES_ANOTHER)


def walk_folders(root: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below `root` with its file names; hidden folders and links are left out. Blocking.

    `os.walk` follows no symbolic link, but before Python 3.12 it follows junctions, which may lead back up.
    """
    for where, folders, names in os.walk(root):
        yield where, names
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not _leads_elsewhere(where, name)
        )


def _leads_elsewhere(where: str, name: str) -> bool:
    try:
        return is_link(os.lstat(f"{where}{os.sep}{name}"))
    except OSError:  # gone, or refused: nothing is found there
        return True


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step by one that only its owner can read (0600). Durable, blocking."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One name for all who write it: what a kill has left goes with the next writing.
    fresh = path.with_name(f"{path.name}.new")
    remove_shared(fresh)
    # O_EXCL: a file or link that somebody put there is never written through.
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    replace_shared(fresh, path)
