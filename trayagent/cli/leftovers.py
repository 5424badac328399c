"""What an earlier `get` left in its folder besides parts: a note of what it finished."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from trayagent.model.download import Download
from trayagent.model.transfer import Fetched
from trayagent.store.private import write_private

NOTE: Final = ".trayagent-get.json"
"""There only after a run that was interrupted: id -> (path, bytes)."""
HERE: Final = "It is here from an earlier run."

Finished = dict[str, tuple[str, int]]


class Leftovers:
    """Reads the note once. Ids follow from addresses, so it holds no address."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._finished = _read(root / NOTE)

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
