"""What has arrived but perhaps nobody has noted: written before a file gets its name, gone once it is noted.

    a kill before     the file has         the next start finds
    ----------------  -------------------  ------------------------------------------------------
    its `.part`       nothing              an intention: nothing is there, or a `.part` without a
                                           word in it, which goes
    the record        `.part`              its sidecar: resumed, the last byte asked for once more
    the final name    `.part`, all of it   the record: the name is given, no request is made
    the note          its final name       the record: the file counts as arrived
    the record goes   its final name       a note and a record: the record goes

The records lie in a folder of ours, so that nothing stands beside a finished file for a moment. Each
process appends to a log of its own there and keeps that locked: a line costs one system call, a small
file for each record five. A log that nobody has locked is of a process that has ended; the next one
takes its records over. Losing one costs a request, so what the disk says here is no failure.

    the file system   whose log is it?                              who has it
    ----------------  --------------------------------------------  --------------------------------
    has locks         nobody has it locked                          the next process takes it over
    has locks         somebody has                                  it is read, and left alone
    has none          its name says a process that is gone          the next process takes it over
    has none          that is here, or cannot be asked about (it    it is read, and left alone; it
                      may run on another machine of the share)      goes when all in it is too old
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.files import remove_shared
from trayagent.transfer.disk_calls import FLAGS, lock

OLDEST: Final = 30 * 86400.0
"""Seconds after which a record that nobody came for goes."""
MOST_LOGGED: Final = 1 << 20
"""Bytes of a log, after which it begins anew with what still counts."""
_MOST_READ: Final = 1 << 26
"""Bytes of an earlier log."""


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
        self._lock = threading.Lock()
        self._records: dict[str, Settled] | None = None
        """By owner; None: nobody has looked for those of earlier processes."""
        self._others: dict[str, Settled] = {}
        """Those of processes that still run: they say themselves when one is gone."""
        self._fd = -1
        """The log of this process; -1: there is none yet."""
        self._path = ""
        self._is_locked = False
        self._logged = 0

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def note(self, settled: Settled) -> None:
        """Write a record, in place of an earlier one of the same download."""
        with self._lock:
            self._known()[settled.owner] = settled
            self._append(_line(settled))

    def find(self, owner: str) -> Settled | None:
        """The record of a download; None when there is none that can be trusted."""
        with self._lock:
            return self._known().get(owner) or self._others.get(owner)

    def owners(self) -> set[str]:
        """Whose records there are."""
        with self._lock:
            return {*self._known(), *self._others}

    def forget(self, owners: Iterable[str]) -> None:
        """Whoever asked for these files has noted them."""
        with self._lock:
            records = self._known()
            owners = list(owners)
            gone = [owner for owner in owners if records.pop(owner, None) is not None]
            for owner in owners:
                self._others.pop(owner, None)
            if gone and records:
                self._append(_line(gone))
            elif gone and self._fd >= 0:
                with suppress(OSError):
                    os.ftruncate(self._fd, 0)
                self._logged = 0

    def __repr__(self) -> str:
        return f"<SettledFiles in {self._folder.name}>"

    # -- with the lock held

    def _known(self) -> dict[str, Settled]:
        """All records; at first those of earlier processes, which become ours where these have ended."""
        if self._records is None:
            self._records = {}
            with suppress(OSError), os.scandir(self._folder) as entries:
                earlier = [_EarlierLog(entry.path) for entry in entries]
                for log in earlier:
                    (self._records if log.is_over else self._others).update(log.records)
                # First all of it is written once more, then the old logs go: a kill leaves both.
                if any(log.records for log in earlier if log.is_over):
                    self._begin_log()
                for log in earlier:
                    log.close()
        return self._records

    def _append(self, line: bytes) -> None:
        # Not by `suppress`, which is three calls each time: this is asked for every small file.
        try:
            if self._fd < 0 or self._logged > MOST_LOGGED:
                self._begin_log()  # what is to be appended counts already, or does not any more
                return
            self._logged += len(line)
            os.write(self._fd, line)
        except OSError:
            pass
        # Without locks it may have been taken for one of a process that has ended.
        if not self._is_locked and not os.path.exists(self._path):  # noqa: PTH110  a text, no Path
            with suppress(OSError):
                self._begin_log()

    def _begin_log(self) -> None:
        """Begin a log with what counts now; the one before it goes. Raises OSError."""
        assert self._records is not None
        text = b"".join(map(_line, self._records.values()))
        path = f"{self._folder}/{secrets.token_hex(8)}-{os.getpid()}-{_place()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | FLAGS
        try:
            fd = os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o600)
        try:
            is_locked = lock(fd)
            # Until then it passed for one of a process that has ended: another may have removed it.
            if not os.fstat(fd).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the log is gone")
            os.write(fd, text)
        except OSError:
            os.close(fd)
            raise
        before, self._fd = self._fd, fd
        if before >= 0:
            os.close(before)
            with suppress(OSError):
                remove_shared(self._path)
        self._path, self._is_locked, self._logged = path, is_locked, len(text)


class _EarlierLog:
    """The log of another process, perhaps one that has ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1
        self.is_over = False
        """Whether its process has ended: it is ours to remove."""
        self.records: dict[str, Settled] = {}
        with suppress(OSError):
            self._fd = os.open(path, os.O_RDWR | FLAGS)
            with suppress(FileExistsError):
                self.is_over = lock(self._fd) or self._has_ended()
            size = min(os.fstat(self._fd).st_size, _MOST_READ)
            for record in _records_in(os.read(self._fd, size)):
                if isinstance(record, Settled):
                    self.records[record.owner] = record
                else:
                    for owner in record:
                        self.records.pop(owner, None)

    def _has_ended(self) -> bool:
        """Whether its process is gone, as far as the name tells; where there are no locks."""
        if os.fstat(self._fd).st_mtime < time.time() - OLDEST:
            return True  # nothing in it counts any more
        _, _, said = self._path.rpartition("/")[2].partition("-")
        number, _, place = said.partition("-")
        if os.name == "nt" or place != _place() or not number.isdigit():
            return False
        try:
            os.kill(int(number), 0)  # asks only, but on Windows
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Remove it, if its process has ended."""
        if self._fd < 0:
            return
        # Windows removes no open file. Others do: with the lock held nobody takes it over once more.
        if os.name == "nt":
            os.close(self._fd)
        if self.is_over:
            with suppress(OSError):
                remove_shared(self._path)
        if os.name != "nt":
            os.close(self._fd)


@cache
def _place() -> str:
    """Where process numbers mean the same as here: this machine, and this namespace of processes (Linux)."""
    said = []
    if sys.platform != "win32":
        said.append(os.uname().nodename)
    with suppress(OSError):
        said.append(Path("/etc/machine-id").read_text("ascii"))
    with suppress(OSError):
        said.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115  as above
    return f"{zlib.crc32(repr(said).encode()):08x}"


def _line(what: Settled | list[str]) -> bytes:
    """A record, or the owners whose records are gone, with a check.

    Its line end comes first: after a line that a full disk cut off it begins a line of its own.
    """
    text = msgspec.json.encode(what)
    return b"\n%b %d" % (text, zlib.crc32(text))


def _records_in(log: bytes) -> Iterator[Settled | list[str]]:
    """The lines of a log that are whole and not too old."""
    oldest = time.time() - OLDEST
    for line in log.split(b"\n"):
        text, _, check = line.rpartition(b" ")
        try:
            if int(check) != zlib.crc32(text):
                continue
            what = msgspec.json.decode(text, type=Settled | list[str])
        except (ValueError, msgspec.MsgspecError):
            continue
        if not isinstance(what, Settled) or what.noted_at > oldest:
            yield what
