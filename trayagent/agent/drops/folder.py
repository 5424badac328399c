"""The drop folder on the disk: which lists lie in it, whether they are whole, and how they move.

drop/                    a list arrives, watched until it is whole
drop/working/            it was taken, and is read; its downloads run
drop/done/, drop/failed/ its last line is settled; `failed` if one line or more came to nothing
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver

from trayagent.files import is_being_written, is_link, open_regular
from trayagent.lists import dialect_for
from trayagent.model import filenames
from trayagent.transfer.folders import longest_name
from trayagent.transfer.publish import move_new, sync_folder

log = logging.getLogger(__name__)

WORKING, DONE, FAILED = "working", "done", "failed"
QUIET_SECONDS: Final = 2.0
"""Without a change, after which a file is whole: whoever writes it has ended."""
MOST_NUMBERED_NAMES: Final = 10_000
_LONGEST_SUFFIX: Final = len(" (9999).report.json.part")
"""Bytes that a filed list's name, or that of what is written beside it, may have more."""
JOIN_SECONDS: Final = 2.0
"""How long the end of watchdog's thread is waited for."""


class FileLook(Struct, frozen=True):
    """What of a file changes while somebody writes it."""

    inode: int
    size: int
    mtime_ns: int


class Scan(Struct, frozen=True):
    """What a look into the folder found."""

    lists: dict[str, FileLook]
    """Regular files that are named like lists."""
    no_lists: tuple[str, ...]
    """Named like lists, but links, folders, devices or another user's: left alone."""
    working: tuple[str, ...]
    """Lists taken before."""


class QuietTime:
    """Tells when a file has arrived whole: it looks the same for two seconds of our own clock.

    Times of change are only compared with each other: the clock of another machine (a share, a
    copy that keeps its times) plays no part.
    """

    def __init__(self) -> None:
        self._since: dict[str, tuple[FileLook, float]] = {}

    def look(self, seen: Mapping[str, FileLook], now: float) -> tuple[list[str], float | None]:
        """The names that have arrived, and seconds until the next one may have; None: nobody waits.

        `now` is a monotonic clock in seconds.
        """
        self._since = {
            name: before if (before := self._since.get(name)) and before[0] == look else (look, now)
            for name, look in seen.items()
        }
        due = {name: since + QUIET_SECONDS - now for name, (_, since) in self._since.items()}
        arrived = [name for name, seconds in due.items() if seconds <= 0]
        waiting = [seconds for seconds in due.values() if seconds > 0]
        return arrived, min(waiting, default=None)

    def __repr__(self) -> str:
        return f"<QuietTime: {len(self._since)} files watched>"


class DropFolder:
    """`drop/`, with `working/`, `done/` and `failed/` in it. All methods block."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.working = root / WORKING

    def scan(self) -> Scan:
        """Look; makes what is missing. Raises OSError when the folder cannot be had."""
        for folder in (self.root, self.working, self.root / DONE, self.root / FAILED):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        owners = self._owners()
        lists: dict[str, FileLook] = {}
        no_lists: list[str] = []
        with os.scandir(self.root) as entries:
            for entry in entries:
                # Editors and copy programs write to .name or ~name first.
                if dialect_for(entry.name) is None or entry.name.startswith((".", "~")):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(seen.st_mode) and _belongs_to(seen, owners):
                        lists[entry.name] = FileLook(seen.st_ino, seen.st_size, seen.st_mtime_ns)
                    else:
                        no_lists.append(_as_text(entry.name))
        with os.scandir(self.working) as entries:
            working = tuple(e.name for e in entries if e.is_file(follow_symlinks=False))
        return Scan(lists, tuple(no_lists), tuple(name for name in working if dialect_for(name)))

    def _owners(self) -> set[int]:
        """Whose lists are taken: ours, root's, and those of whoever the folder itself belongs to.

        In a folder that everybody may write to, others could have made ours first: raises
        PermissionError where one of them is a link, or not of these.
        """
        owners = {0, self.root.stat().st_uid}
        if sys.platform != "win32":
            owners.add(os.geteuid())
        for folder in (self.working, self.root / DONE, self.root / FAILED):
            seen = folder.lstat()
            is_folder = stat.S_ISDIR(seen.st_mode) and not is_link(seen)
            if not is_folder or not _belongs_to(seen, owners):
                raise PermissionError(f"{folder} was made by somebody else")
        return owners

    def take(self, name: str) -> str:
        """Move a list that has arrived into working/; returns its name there. Raises OSError.

        BlockingIOError for one that a program has still open: what it writes after a long pause would be lost.
        """
        if is_being_written(self.root / name):
            raise BlockingIOError(errno.EAGAIN, "a program is still writing it")
        n, text = 0, self._fit(_as_text(name))
        while True:
            taken = filenames.with_number(text, n) if n else text
            try:
                move_new(self.root / name, self.working / taken)
                break
            except FileExistsError:
                n += 1
        # The new name first: after a power cut the list may be in both folders, never in neither.
        sync_folder(self.working)
        sync_folder(self.root)
        return taken

    def open(self, name: str) -> BinaryIO:
        """A list in working/, for reading; never through a link, nor a pipe. Raises OSError."""
        # Others may write to a drop folder: between our look and the move there it may have become any.
        return open_regular(self.working / name, follows=False)

    def is_working(self, name: str) -> bool:
        """Whether a list of that name is in working/."""
        return os.path.lexists(self.working / name)

    def free_path(self, name: str, outcome: str) -> str:
        """Where a list can be filed, relative to the root: neither it nor its report is there yet."""
        fitting = self._fit(name)
        # All three names must be free: a report of another list is never written over.
        for n in range(MOST_NUMBERED_NAMES):
            candidate = filenames.with_number(fitting, n) if n else fitting
            folder = self.root / outcome
            if not any(os.path.lexists(folder / one) for one in filed_names(candidate)):
                return f"{outcome}/{candidate}"
        raise FileExistsError(f"{name} is there ten thousand times already")

    def _fit(self, name: str) -> str:
        """A list's name, shortened where its report would have a longer one than the disk takes."""
        return filenames.shorten(name, longest_name(self.root) - _LONGEST_SUFFIX)

    def is_filed(self, name: str, filed_path: str) -> bool:
        """Whether a list was moved already, before a kill kept that from being noted."""
        return (self.root / filed_path).exists() and not (self.working / name).exists()

    def file_list(self, name: str, filed_path: str) -> None:
        """Move a list out of working/; one that was taken away by hand stays away. Raises OSError."""
        final = self.root / filed_path
        # Without replacing: somebody may have put a file of that name there since.
        with contextlib.suppress(FileNotFoundError):
            move_new(self.working / name, final)
        sync_folder(final.parent)


def _as_text(name: str) -> str:
    """A name as everybody can write it down: bytes that are no UTF-8 in it become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def _belongs_to(seen: os.stat_result, owners: set[int]) -> bool:
    return sys.platform == "win32" or seen.st_uid in owners


def filed_names(name: str) -> tuple[str, str, str]:
    """A filed list, its report, and the list of what failed."""
    return name, f"{name}.report.json", f"{name}.retry.txt"


class _Hints(FileSystemEventHandler):
    """Runs on watchdog's thread; touches nothing but the way into the loop."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Not `opened` and `closed_no_write`: our own looks would ring without end.
        if event.event_type in ("created", "modified", "moved", "deleted", "closed"):
            self._ring()


class FolderWatcher:
    """Hints that something changed in one folder, not in its sub-folders.

    A scan is the truth: a lost hint costs seconds only. Call it from one thread at a time, it blocks
    a little.
    """

    def __init__(self, folder: Path, ring: Callable[[], None], *, poll: bool) -> None:
        self._folder = folder
        self._hints = _Hints(ring)
        self._poll = poll
        self._observer: BaseObserver | None = None
        self._inode = 0

    def ensure(self) -> bool:
        """Watch the folder that is there now: it may have been replaced, or have been away.

        True: this folder is watched only from now on, so what came just before gave no hint.
        """
        # The same path may be another folder by now (a drive that was mounted, say), and a watch
        # belongs to the folder, not to the path: the inode tells.
        try:
            inode = self._folder.stat().st_ino
        except OSError:
            inode = 0
        if (
            inode
            and inode == self._inode
            and self._observer is not None
            and self._observer.is_alive()
        ):
            return False
        self.stop()
        is_another = inode not in (0, self._inode)
        if not inode:
            return is_another
        self._inode = inode
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        # Network shares tell nobody of changes made elsewhere: there the settings ask to poll.
        observer = PollingObserver(timeout=1) if self._poll else Observer()
        try:
            observer.schedule(self._hints, str(self._folder))
            observer.start()
        except OSError as error:
            # No watches are left, or there is no such service: the scan still finds everything.
            log.warning("Changes of the drop folder are found by looking only (%s)", error)
        else:
            self._observer = observer
        return is_another

    def stop(self) -> None:
        """Let go of the folder."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=JOIN_SECONDS)
            self._observer = None


def bell_ringer(bell: asyncio.Event) -> Callable[[], None]:
    """A way to set an event of the running loop from any thread; silent once the loop has gone."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        # A hint that comes late, after the loop is closed, is of no use to anybody.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(bell.set)

    return ring
