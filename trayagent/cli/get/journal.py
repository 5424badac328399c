"""The journal in the folder of a `get`: which files an interrupted run had finished.

Files are noted in batches, before the records beside them go. So whatever ends a run, a kill too, every
file that has its name is known to the next run of the same command:

    a kill after      known by             the next run
    ----------------  -------------------  ---------------------------------------
    its name          its record           takes it, and notes it
    the note          journal and record   takes it, and removes the record
    the record goes   the journal          takes it
    the journal goes  nobody               is another wish: the first has its files

A run that comes to its end removes the journal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from trayagent.files import open_shared, remove_shared
from trayagent.model.transfer import Fetched

FILE_NAME: Final = ".trayagent-get.json"
"""One line for each file: `[id, path, bytes]`. There only after a run that was interrupted."""
HERE: Final = "It is here from an earlier run."
# The folder may be one that others write to: no link is followed, and a pipe holds nobody for ever.
_SAFE_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_encoder = msgspec.json.Encoder()
_line = msgspec.json.Decoder(tuple[str, str, int])


class Journal:
    """Read once, when it is made. Ids follow from addresses, so it holds no address."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._finished = dict(_read(root / FILE_NAME))

    def finished_file(self, id: str) -> Fetched | None:
        """The file that an earlier run finished, if it is still as long as it was."""
        if id not in self._finished:
            return None
        path, size = self._finished[id]
        # Whoever can write here could name any file of ours as finished: only those below count.
        # The folder itself may be given from another's view, as `../there`.
        inside = path.relative_to(self._root) if path.is_relative_to(self._root) else None
        is_inside = inside is not None and ".." not in inside.parts
        try:
            is_here = is_inside and path.stat().st_size == size
        except OSError:
            return None
        return Fetched(path, size, warning=HERE) if is_here else None

    def note(self, finished: Iterable[tuple[str, str, int]]) -> bool:
        """Write down files (id, path, bytes), blocking; whether that could be done."""
        # A kill may have cut off the last line: what follows it begins a line of its own.
        lines = b"\n" + _encoder.encode_lines(finished)
        # Appended, so that lines of an earlier run stay; a line that a kill cuts off is left out by `_read`.
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _SAFE_FLAGS
            with os.fdopen(open_shared(self._root / FILE_NAME, flags, 0o600), "ab") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return False
                file.write(lines)
        except OSError:
            return False
        return True

    def remove(self) -> None:
        """The run came to its end: the next one has nothing to know."""
        try:
            if stat.S_ISREG((self._root / FILE_NAME).lstat().st_mode):
                remove_shared(self._root / FILE_NAME)
        except OSError:
            return

    def __repr__(self) -> str:
        return f"<Journal in {self._root}>"


def _read(path: Path) -> Iterable[tuple[str, tuple[Path, int]]]:
    try:
        with os.fdopen(open_shared(path, os.O_RDONLY | _SAFE_FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            for line in file:
                try:
                    id, name, size = _line.decode(line)
                except msgspec.MsgspecError:
                    continue  # a kill cut it off, or it is empty (see `note`)
                yield id, (Path(name), size)
    except OSError:
        return
