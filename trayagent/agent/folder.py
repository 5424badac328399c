"""The drop folder on the disk: who lies in it, and how a list moves through it."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trayagent.agent.arrival import Look
from trayagent.lists import dialect_for
from trayagent.model import filenames
from trayagent.transfer.publish import move_new, sync_folder

WORKING, DONE, FAILED = "working", "done", "failed"


@dataclass(frozen=True, slots=True)
class Scan:
    """What a look into the folder found."""

    lists: dict[str, Look]
    """Regular files that are named like lists."""
    odd: tuple[str, ...]
    """Named like lists, but links, folders, devices or another user's: left alone."""
    working: tuple[str, ...]
    """Lists taken before."""


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
        lists: dict[str, Look] = {}
        odd: list[str] = []
        with os.scandir(self.root) as entries:
            for entry in entries:
                if dialect_for(entry.name) is None or entry.name.startswith((".", "~")):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(seen.st_mode) and _is_of(seen, owners):
                        lists[entry.name] = Look(seen.st_ino, seen.st_size, seen.st_mtime_ns)
                    else:
                        odd.append(entry.name)
        with os.scandir(self.working) as entries:
            working = tuple(e.name for e in entries if e.is_file(follow_symlinks=False))
        return Scan(lists, tuple(odd), tuple(name for name in working if dialect_for(name)))

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
            if not stat.S_ISDIR(seen.st_mode) or not _is_of(seen, owners):
                raise PermissionError(f"{folder} was made by somebody else")
        return owners

    def take(self, name: str) -> str:
        """Move a list that has arrived into working/; returns its name there. Raises OSError."""
        taken = _moved(self.root / name, self.working, name)
        sync_folder(self.working)
        sync_folder(self.root)
        return taken

    def open(self, name: str) -> BinaryIO:
        """A list in working/, for reading; never through a link. Raises OSError."""
        fd = os.open(self.working / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        return os.fdopen(fd, "rb")

    def holds(self, name: str) -> bool:
        """Whether a list of that name is in working/."""
        return os.path.lexists(self.working / name)

    def free_place(self, name: str, outcome: str) -> str:
        """Where a list of that name can be filed, relative to the root: nothing of that name is there."""
        for n in range(10_000):
            candidate = filenames.numbered(name, n) if n else name
            folder = self.root / outcome
            if not any(os.path.lexists(folder / part) for part in parts(candidate)):
                return f"{outcome}/{candidate}"
        raise FileExistsError(f"{name} is there ten thousand times already")

    def is_filed(self, name: str, place: str) -> bool:
        """Whether a list has reached its place, before a kill kept that from being noted."""
        return (self.root / place).exists() and not (self.working / name).exists()

    def file(self, name: str, place: str) -> None:
        """Move a list from working/ to its place; one that was taken away by hand stays away. Raises OSError."""
        final = self.root / place
        with contextlib.suppress(FileNotFoundError):
            move_new(self.working / name, final)
        sync_folder(final.parent)


def _is_of(seen: os.stat_result, owners: set[int]) -> bool:
    return sys.platform == "win32" or seen.st_uid in owners


def parts(name: str) -> tuple[str, str, str]:
    """A filed list, its report, and the list of what failed."""
    return name, f"{name}.report.json", f"{name}.retry.txt"


def _moved(source: Path, folder: Path, name: str) -> str:
    n = 0
    while True:
        candidate = filenames.numbered(name, n) if n else name
        try:
            move_new(source, folder / candidate)
        except FileExistsError:
            n += 1
            continue
        return candidate
