"""A finished file moves to another disk, often a share: copied, read back, and named there without replacing.

    a kill before          the file is whole             the next start finds, and does
    ---------------------  ----------------------------  ---------------------------------------------
    the copy is verified   here                          a part of ours there: copied anew
    its name is intended   here, and nameless there      the same
    the name there         here, and nameless there      the intention and the part: named
    the row says so        here, and there               the intention and the file, hashed: noted
    the one here goes      here, and there, as the row   the row: the one here is removed
                           says

So at every moment the file is whole in one of the two places. On the same disk its name alone moves: then
it is whole at every moment, too, and an intention without a hash is all that a kill can leave. All functions
block.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.folders import IN_THE_WAY, explained
from trayagent.transfer.publish import move_new, sync_folder

MARK: Final = ".trayagent-target"
"""A file in the folder that files move to. A share that is away leaves an empty folder at its place, which
must not be filled: without this file nothing is written."""
_PIECE: Final = 1 << 20


def check_target(root: Path, *, is_new: bool) -> None:
    """Raise DownloadError `permission_denied` when the share is away; a new folder gets its mark."""
    with explained():
        if is_new:
            (root / MARK).touch()
        elif not (root / MARK).exists():
            raise DownloadError("permission_denied", f"{root} is away")


def copy_verified(source: Path, part: Path) -> str:
    """Copy to a part file, make it durable, read it back; returns the SHA-256. Raises DownloadError."""
    with explained():
        part.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with source.open("rb") as here, part.open("wb") as there:
            while piece := here.read(_PIECE):
                digest.update(piece)
                there.write(piece)
            there.flush()
            os.fsync(there.fileno())
            # What is read back shall come from the disk, not from this machine's memory.
            if sys.platform == "linux":
                os.posix_fadvise(there.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        failpoint("move-copied")
        if hash_of(part) != digest.hexdigest():
            part.unlink()
            raise DownloadError("checksum_mismatch", "the copy on the other disk")
    return digest.hexdigest()


def make_folder(folder: Path) -> None:
    """Make the folder that a person chose, where it is new. Raises DownloadError."""
    with explained():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise DownloadError("permission_denied", IN_THE_WAY) from None


def rename(source: Path, target: Path) -> bool:
    """Give a file another name on its own disk; False: that is another disk.

    Raises FileExistsError when something has the name, DownloadError for the rest.
    """
    failpoint("move-intended")
    with explained():
        try:
            move_new(source, target)
        except OSError as error:
            if error.errno == errno.EXDEV:
                return False
            raise
        failpoint("move-named")
        sync_folder(target.parent)
    return True


def hash_of(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def give_name(part: Path, target: Path) -> None:
    """Raises FileExistsError when something has the name, DownloadError for the rest."""
    failpoint("move-intended")
    with explained():
        move_new(part, target)
        failpoint("move-named")
        sync_folder(target.parent)


def is_there(target: Path, sha256: str) -> bool:
    """Whether this very file has arrived. Raises DownloadError."""
    with explained(), suppress(FileNotFoundError):
        return hash_of(target) == sha256
    return False


def remove_source(source: Path, target: Path) -> None:
    """Remove the one here, once the one there is named and noted. Raises DownloadError."""
    failpoint("move-noted")
    with explained(), suppress(FileNotFoundError):
        # One that somebody changed meanwhile is no longer the same file: it stays.
        if source.stat().st_size == target.stat().st_size:
            source.unlink()
    failpoint("move-removed")
