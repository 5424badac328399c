"""What an earlier `get` left in its folder: parts to go on with, and a note of what it finished."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from trayagent.model import filenames
from trayagent.model.download import Download
from trayagent.model.order import New
from trayagent.model.transfer import Fetched
from trayagent.store.private import write_private

NOTE: Final = ".trayagent-get.json"
"""There only after a run that was interrupted: id -> (path, bytes)."""
HERE: Final = "It is here from an earlier run."

Finished = dict[str, tuple[str, int]]


class Leftovers:
    """Looks at every folder once. Ids follow from addresses, so the note holds no address."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[PurePosixPath, frozenset[str]] = {}
        self._finished = _read(root / NOTE)

    def path_for(self, new: New) -> str | None:
        """The final path of the `.part` to go on with; None: there is none."""
        place = filenames.safe_folder(new.order.folder)
        if place not in self._names:
            self._names[place] = frozenset(_kept_in(self._root / place))
        kept = self._names[place]
        name = (new.order.filename or filenames.from_url(new.url)) if kept else None
        if name is None or f"{filenames.safe(name)}.part.json" not in kept:
            return None
        path = self._root / place / filenames.safe(name)
        return None if os.path.lexists(path) else str(path)

    def finished(self, id: str) -> Fetched | None:
        """The file that an earlier run finished, if it is still as long as it was."""
        if id not in self._finished:
            return None
        name, size = self._finished[id]
        path = Path(name)
        ours = path.is_relative_to(self._root) and ".." not in path.parts
        try:
            return (
                Fetched(path, size, warning=HERE) if ours and path.stat().st_size == size else None
            )
        except OSError:
            return None

    def leave(self, here: Iterable[Download]) -> None:
        """Note what is here for the next run; nothing: it has nothing to know."""
        finished = {each.id: (each.path, each.size) for each in here}
        note = self._root / NOTE
        try:
            if finished:
                write_private(note, msgspec.json.encode(finished))
            else:
                note.unlink(missing_ok=True)
        except OSError:
            return  # then what is here comes once more, beside what is here

    def __repr__(self) -> str:
        return f"<Leftovers in {self._root}>"


def _read(note: Path) -> Finished:
    try:
        if stat.S_ISREG(note.lstat().st_mode):  # no link, and no pipe, which would hold us for ever
            return msgspec.json.decode(note.read_bytes(), type=Finished)
    except (OSError, msgspec.MsgspecError):
        pass
    return {}


def _kept_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.name.endswith(".part.json"))
    except OSError:
        return
