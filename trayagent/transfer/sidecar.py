"""`NAME.part.json` beside a `.part`: whose bytes these are, and what of them is certain."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.transfer.descriptors import FLAGS, sync, write_all
from trayagent.transfer.ranges import Record, sane

SUFFIX: Final = ".part.json"


def sidecar_of(final: Path) -> Path:
    """Where it is for the file that gets this name."""
    return final.with_name(final.name + SUFFIX)


class Mark(Struct, frozen=True, omit_defaults=True):
    """What a sidecar says."""

    owner: str
    """The download whose bytes they are; no other goes on with them."""
    record: Record | None = None
    """None: nothing is certain."""


class Sidecar:
    """The sidecar of one file, open once it was written. Its methods block."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._fd: int | None = None
        self.there = False
        """Whether there is one, or may be."""

    def read(self) -> Mark | None:
        """What it says; None when there is nothing to trust."""
        self.there = True
        try:
            fd = os.open(sidecar_of(self._final), os.O_RDONLY | FLAGS)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            text, _, check = file.read(1 << 20).rstrip().rpartition(b" ")
        try:
            if int(check) != zlib.crc32(text):
                return None
            mark = msgspec.json.decode(text, type=Mark)
        except (ValueError, msgspec.MsgspecError):
            return None
        return mark if mark.record is None or sane(mark.record) else Mark(mark.owner)

    def write(self, mark: Mark, *, durably: bool = False) -> None:
        """Say this from now on, `durably` also after a power cut; raises OSError."""
        self.there = True
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | FLAGS
            self._fd = os.open(sidecar_of(self._final), flags, 0o600)
        text = msgspec.json.encode(mark)
        text += b" %d" % zlib.crc32(text)
        # One short write at the start: a kill cannot tear it, and after a power cut the check tells.
        write_all(self._fd, text.ljust(os.fstat(self._fd).st_size), 0)
        if durably:
            sync(self._fd)

    def clear(self) -> None:
        """Remove one that outlived its part; raises FileExistsError for a file that is no sidecar of ours."""
        if os.path.lexists(f"{self._final}{SUFFIX}"):
            if self.read() is None:
                self.there = False
                raise FileExistsError(errno.EEXIST, "a file is where the sidecar should be")
            self.drop()

    def drop(self) -> None:
        """Remove it."""
        self.close()
        if self.there:
            sidecar_of(self._final).unlink(missing_ok=True)
            self.there = False

    def close(self) -> None:
        """Close it; it stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
