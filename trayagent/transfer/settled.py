"""What has arrived but perhaps nobody has noted: written before a file gets its name, gone once it is noted.

    a kill before     the file has         the next start finds
    ----------------  -------------------  ------------------------------------------------------
    its `.part`       nothing              an intention: nothing is there, or a `.part` without a
                                           word in it, which goes
    the record        `.part`              its sidecar: resumed, the last byte asked for once more
    the final name    `.part`, all of it   the record: the name is given, no request is made
    the note          its final name       the record: the file counts as arrived
    the record goes   its final name       a note and a record: the record goes

The records lie in a folder of ours, one small file a download, so that nothing stands beside a
finished file for a moment. Losing one costs a request, so what the disk says here is no failure.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.transfer.part_file import FLAGS

OLDEST: Final = 30 * 86400.0
"""Seconds after which a record that nobody came for goes."""
_LONGEST: Final = 1 << 16


class Settled(Struct, frozen=True, omit_defaults=True):
    """A complete, verified file, and how to know it again."""

    owner: str
    """The download that it belongs to."""
    final: str
    """Its name, absolute; until the rename it is `.part` beside that."""
    size: int
    inode: int
    """0: so far only the intention to make its `.part`."""
    noted_at: float = 0.0
    """Unix seconds."""
    sha256: str | None = None
    warning: str | None = None

    def is_at(self, path: str | Path) -> bool:
        """Whether a name leads to this very file. Blocking."""
        try:
            told = os.lstat(path)
        except OSError:
            return False
        return (told.st_size, told.st_ino) == (self.size, self.inode)


class SettledFiles:
    """The records of one home. Its methods block; any number of threads may call them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, settled: Settled) -> None:
        """Write a record, in place of an earlier one of the same download."""
        text = msgspec.json.encode(settled)
        text += b" %d" % zlib.crc32(text)
        with suppress(OSError):
            try:
                self._write(settled.owner, text)
            except FileNotFoundError:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._write(settled.owner, text)

    def find(self, owner: str) -> Settled | None:
        """The record of a download; None when there is none that can be trusted."""
        settled = _read(self._path(owner))
        return settled if settled is not None and settled.owner == owner else None

    def owners(self) -> set[str]:
        """Whose records there are, once those that nobody came for are gone."""
        self._prune()
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in entries]
        except OSError:
            return set()
        told = (_read(f"{self._folder}/{name}") for name in names)
        return {settled.owner for settled in told if settled is not None}

    def forget(self, owner: str) -> None:
        """Whoever asked for the file has noted it."""
        with suppress(OSError):
            os.unlink(self._path(owner))  # noqa: PTH108  many of them, one after the other

    def _prune(self) -> None:
        """Remove what nobody has come for since long ago."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if time.time() - entry.stat(follow_symlinks=False).st_mtime > OLDEST:
                    os.unlink(entry.path)  # noqa: PTH108  as above

    def _write(self, owner: str, text: bytes) -> None:
        fd = os.open(self._path(owner), os.O_WRONLY | os.O_CREAT | FLAGS, 0o600)
        try:
            # One short write over what was there: a kill leaves the one record or the other, never none.
            os.write(fd, text.ljust(os.fstat(fd).st_size))
        finally:
            os.close(fd)

    def _path(self, owner: str) -> str:
        name = hashlib.sha256(owner.encode(), usedforsecurity=False).hexdigest()[:32]
        return f"{self._folder}/{name}"

    def __repr__(self) -> str:
        return f"<SettledFiles in {self._folder.name}>"


def _read(path: str) -> Settled | None:
    try:
        fd = os.open(path, os.O_RDONLY | FLAGS)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        text, _, check = file.read(_LONGEST).rstrip().rpartition(b" ")
    try:
        settled = msgspec.json.decode(text, type=Settled)
        return settled if int(check) == zlib.crc32(text) else None
    except (ValueError, msgspec.MsgspecError):
        return None
