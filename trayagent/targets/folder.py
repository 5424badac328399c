"""A folder, often of a share: a file is copied, read back, and named there without replacing.

On the same disk its name alone moves: then it is whole at every moment, too, and an intention without a
hash is all that a kill can leave.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final

from trayagent.files import make_folder, remove_shared
from trayagent.model.errors import DownloadError
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.folders import explained
from trayagent.transfer.publish import move_new, sync_folder

MARK: Final = ".trayagent-target"
"""A file in the folder that files move to. A share that is away leaves an empty folder at its place, which
must not be filled: without this file nothing is written."""
_PIECE: Final = 1 << 20

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what blocks in a thread that keeps no program from ending."""


class FolderTarget:
    """Files keep their folders below `root`. Each method raises DownloadError when the disk says no."""

    is_on_disk = True
    """What is there can be opened, checked and moved again by its path."""

    def __init__(self, root: Path, in_thread: InThread) -> None:
        self.root = root
        self._in_thread = in_thread

    def __repr__(self) -> str:
        return f"<FolderTarget {self.root}>"

    def place(self, below: PurePath) -> str:
        """Where a file is, once it has this name below the folder."""
        return str(self.root / below)

    async def check(self, *, is_new: bool) -> None:
        """Raise DownloadError `permission_denied` when the share is away; a new folder gets its mark."""

        def look() -> None:
            with explained():
                if is_new:
                    (self.root / MARK).touch()
                elif not (self.root / MARK).exists():
                    raise DownloadError("permission_denied", f"{self.root} is away")

        await self._in_thread(look)

    async def make(self) -> None:
        """Make the folder that a person chose, where it is new."""

        def make() -> None:
            with explained():
                make_folder(self.root)

        await self._in_thread(make)

    async def rename(self, source: Path, place: str) -> bool:
        """Give a file another name on its own disk; False: that is another disk.

        Raises FileExistsError when something has the name.
        """

        def rename() -> bool:
            failpoint("move-intended")
            with explained():
                try:
                    move_new(source, Path(place))
                except OSError as error:
                    # Only the system knows whether two folders are one disk: mounts and links lead
                    # anywhere.
                    if error.errno == errno.EXDEV:
                        return False
                    raise
                failpoint("move-named")
                sync_folder(Path(place).parent)
            return True

        return bool(await self._in_thread(rename))

    async def stage(self, source: Path, part: PurePath) -> str:
        """Copy to a part file, make it durable, read it back; returns the SHA-256."""
        copied: str = await self._in_thread(lambda: copy_verified(source, self.root / part))
        return copied

    async def give_name(self, source: Path, part: PurePath, place: str, sha256: str) -> None:  # noqa: ARG002
        """Raises FileExistsError when something has the name."""

        def name() -> None:
            failpoint("move-intended")
            with explained():
                move_new(self.root / part, Path(place))
                failpoint("move-named")
                sync_folder(Path(place).parent)

        await self._in_thread(name)

    async def is_named(self, source: Path, part: PurePath, place: str, sha256: str) -> bool:  # noqa: ARG002
        """Whether an earlier run has given it this name; then the part is gone, and the content is there."""

        def look() -> bool:
            with explained(), suppress(FileNotFoundError):
                return not (self.root / part).exists() and hash_of(Path(place)) == sha256
            return False

        return bool(await self._in_thread(look))

    async def remove_source(self, source: Path, place: str, sha256: str) -> None:  # noqa: ARG002
        """Remove the one here, once the one there is named and noted."""

        def remove() -> None:
            failpoint("move-noted")
            with explained(), suppress(FileNotFoundError):
                # One that somebody changed meanwhile is no longer the same file: it stays. By its content,
                # for what is changed in place (a tag in a song) keeps its length, and at times its date.
                if hash_of(source) == sha256:
                    remove_shared(source)
            failpoint("move-removed")

        await self._in_thread(remove)

    async def discard(self, part: PurePath) -> None:
        """Remove what was staged and gets no name any more."""

        def discard() -> None:
            with suppress(OSError):
                remove_shared(self.root / part)

        await self._in_thread(discard)

    async def close(self) -> None:
        """Nothing is held between two files."""


def copy_verified(source: Path, part: Path) -> str:
    """The SHA-256 of what was copied and read back. Blocks; raises DownloadError."""
    with explained():
        make_folder(part.parent)
        digest = hashlib.sha256()
        with source.open("rb") as here, _create(part) as there:
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
            remove_shared(part)
            raise DownloadError("checksum_mismatch", "the copy on the other disk")
    return digest.hexdigest()


def _create(part: Path) -> BinaryIO:
    """Make a part file anew. Blocks; raises DownloadError, OSError."""
    # One that an earlier run left is not written over: others may write to a share, and a link in its
    # place would lead into any file of ours.
    remove_shared(part)
    try:
        return part.open("xb")
    except FileExistsError:  # put there this very moment; to be tried again
        raise DownloadError("permission_denied", "another program writes there") from None


def hash_of(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
