"""`NAME.part.json` beside a `.part`: whose the bytes are, and which of them are certain.

`part_file` says what the two files mean together.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trayagent.files import open_shared, remove_shared
from trayagent.transfer.disk_calls import FLAGS, sync, write_all
from trayagent.transfer.ranges import Record, sane

SUFFIX: Final = ".part.json"
_LONGEST_MARK: Final = 1 << 20
USUAL_SLACK: Final = 5.0
"""Seconds; a running download is vouched for about once in one, but later on a machine that is busy."""
LONGEST_SYNC: Final = 600.0
"""Seconds that a stick may take to write out what memory has for it; bytes come meanwhile."""
SAMPLE_BYTES: Final = 4096
MOST_SAMPLES: Final = 32


def sidecar_of(final: Path) -> Path:
    """Where it is for the file that gets this name."""
    return final.with_name(final.name + SUFFIX)


class Mark(Struct, frozen=True, omit_defaults=True):
    """What a sidecar says."""

    owner: str
    """The download whose bytes they are; no other goes on with them."""
    record: Record | None = None
    """None: nothing is certain."""
    slack: float = USUAL_SLACK
    """Seconds for which bytes may have come after this was said; 0: it was our last word."""
    sample: str = ""
    """SHA-256 in hex over those of the bytes at each of `sample_places`; empty: nobody has looked."""


def is_ours_still(mark: Mark, part_ns: int, sidecar_ns: int, sample_now: Callable[[], str]) -> bool:
    """Whether nobody else has written to the part since: both files' times of their last change, in ns.

    1. The part is no younger than its sidecar: we wrote the one, then the other.
    2. It is younger by more than the slack: another program, or a person, has edited it. Of the bytes
       that the record vouches for any may be another now.
    3. It is younger by a moment: these are bytes of ours that came between the last record and a kill,
       or somebody was very quick. The bytes at some places tell a file that was exchanged or cut into,
       though not one that was changed in a single place.

    Both times come from the clock of one file system, whose rounding (2 s on FAT) changes no order.
    """
    if part_ns <= sidecar_ns:
        return True
    if part_ns > sidecar_ns + int(mark.slack * 1e9):
        return False
    return not mark.sample or mark.sample == sample_now()


def sample_places(done: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where to look, start included and end not: the first bytes that are certain, the last, some between.

    Those between stay the same while the file grows, or become every other one: so none of them is new
    but where bytes came lately.
    """
    if not done:
        return []
    step = SAMPLE_BYTES
    while done[-1][1] > step * (MOST_SAMPLES - 2):
        step *= 2
    places = {(done[0][0], min(done[0][1], done[0][0] + SAMPLE_BYTES))}
    for start, end in done:
        first = -(-start // step) * step
        places |= {(at, min(end, at + SAMPLE_BYTES)) for at in range(first, end, step)}
    start, end = done[-1]
    places.add((max(start, end - SAMPLE_BYTES), end))
    return sorted(places)


class Sidecar:
    """The sidecar of one file, open once it was written. Its methods block."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._fd: int | None = None
        self.there = False
        """Whether there is one, or may be."""
        self._said: Mark | None = None

    def read(self) -> Mark | None:
        """What it says; None when there is nothing to trust."""
        self.there = True
        return read_mark(f"{self._final}{SUFFIX}")

    def write(self, mark: Mark, *, durably: bool = False) -> None:
        """Say this from now on, `durably` also after a power cut; raises OSError."""
        self.there = True
        if self._fd is None:
            flags = os.O_RDWR | os.O_CREAT | FLAGS
            self._fd = open_shared(f"{self._final}{SUFFIX}", flags, 0o600)
        text = msgspec.json.encode(mark)
        text += b" %d" % zlib.crc32(text)
        # One short write at the start: a kill cannot tear it, and after a power cut the check tells.
        write_all(self._fd, text.ljust(os.fstat(self._fd).st_size), 0)
        self._said = mark
        if durably:
            sync(self._fd)

    def prolong(self) -> None:
        """Bytes may come for long before the next word, if the disk was slow before; raises OSError."""
        if self._said is not None and self._said.record and self._said.slack > USUAL_SLACK:
            self.write(replace(self._said, slack=LONGEST_SYNC))

    def stamp(self, mtime_ns: int) -> None:
        """Set the time of its last change; raises OSError."""
        if self._fd is not None:
            os.utime(self._fd, ns=(mtime_ns, mtime_ns))

    def changed_ns(self) -> int:
        """When something was written to it last; raises OSError."""
        return os.lstat(f"{self._final}{SUFFIX}").st_mtime_ns

    def clear(self) -> None:
        """Remove one that outlived its part; raises FileExistsError for a file that is no sidecar of ours."""
        if os.path.lexists(f"{self._final}{SUFFIX}"):
            if self.read() is None and not is_blank(f"{self._final}{SUFFIX}"):
                self.there = False
                raise FileExistsError(errno.EEXIST, "a file is where the sidecar should be")
            self.drop()

    def drop(self) -> None:
        """Remove it."""
        self.close()
        if self.there:
            remove_shared(f"{self._final}{SUFFIX}")
            self.there = False

    def close(self) -> None:
        """Close it; it stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def read_mark(path: str | Path) -> Mark | None:
    """What a sidecar says; None when there is nothing to trust. Follows no link."""
    try:
        fd = open_shared(path, os.O_RDONLY | FLAGS)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        text, _, check = file.read(_LONGEST_MARK).rstrip().rpartition(b" ")
    try:
        if int(check) != zlib.crc32(text):
            return None
        mark = msgspec.json.decode(text, type=Mark)
    except (ValueError, msgspec.MsgspecError):
        return None
    return mark if mark.record is None or sane(mark.record) else Mark(mark.owner)


def is_blank(sidecar: str | Path) -> bool:
    """Whether a kill came between a sidecar's open and its first write: a file, and nothing in it."""
    try:
        told = os.lstat(sidecar)
    except OSError:
        return False
    return stat.S_ISREG(told.st_mode) and not told.st_size
