"""What an earlier `get` left in its folder besides parts: a journal of what it finished.

Files are noted in batches, before the records beside them go. So whatever ends a run, a kill too, every
file that has its name is known to the next run of the same command: by its record or by the journal.
A run that comes to its end removes the journal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from trayagent.model.transfer import Fetched

NOTE: Final = ".trayagent-get.json"
"""One line for each file: `[id, path, bytes]`. There only after a run that was interrupted."""
HERE: Final = "It is here from an earlier run."
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""No link is followed, and a pipe holds nobody for ever."""

_line = msgspec.json.Decoder(tuple[str, str, int])


class Leftovers:
    """Reads the journal once. Ids follow from addresses, so it holds no address."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._finished = dict(_read(root / NOTE))

    def finished(self, id: str) -> Fetched | None:
        """The file that an earlier run finished, if it is still as long as it was."""
        if id not in self._finished:
            return None
        path, size = self._finished[id]
        ours = path.is_relative_to(self._root) and ".." not in path.parts
        try:
            here = ours and path.stat().st_size == size
        except OSError:
            return None
        return Fetched(path, size, warning=HERE) if here else None

    def note(self, finished: Iterable[tuple[str, Path, int]]) -> bool:
        """Write down files (id, path, bytes), blocking; whether that could be done."""
        lines = b"".join(
            msgspec.json.encode((id, str(path), size)) + b"\n" for id, path, size in finished
        )
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _FLAGS
            with os.fdopen(os.open(self._root / NOTE, flags, 0o600), "ab") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return False
                file.write(lines)
        except OSError:
            return False
        return True

    def clear(self) -> None:
        """The run came to its end: the next one has nothing to know."""
        try:
            if stat.S_ISREG((self._root / NOTE).lstat().st_mode):
                (self._root / NOTE).unlink()
        except OSError:
            return

    def __repr__(self) -> str:
        return f"<Leftovers in {self._root}>"


def _read(note: Path) -> Iterable[tuple[str, tuple[Path, int]]]:
    try:
        with os.fdopen(os.open(note, os.O_RDONLY | _FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return
            for line in file:
                try:
                    id, path, size = _line.decode(line)
                except msgspec.MsgspecError:
                    continue  # a kill cut it off
                yield id, (Path(path), size)
    except OSError:
        return
