"""Final names while downloads run: no two transfers of this process ever pick the same one."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Target
from trayagent.transfer.content import Seen
from trayagent.transfer.part import Part, part_of

_MOST: Final = 9999


class Names:
    """The names held now, compared as the pickiest file system would: without case, composed."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def hold(self, path: Path) -> bool:
        """Hold exactly this name; False when another transfer has it."""
        key = _key(path)
        if key in self._held:
            return False
        self._held.add(key)
        return True

    def release(self, path: Path) -> None:
        """Give a name back; the file system guards it from here on."""
        self._held.discard(_key(path))

    def __repr__(self) -> str:
        return f"<Names {len(self._held)} held>"


def next_part(folder: Path, name: str, after: int, owner: str, *, fresh: bool) -> tuple[Part, int]:
    """The part of the first of NAME, NAME (1), … with a number above `after` that is free, and its number.

    Unless it must be `fresh`, it may be there already: this owner's, from a run that was interrupted.
    Blocking. Raises DownloadError `permission_denied` when thousands are taken.
    """
    for number in range(after + 1, _MOST + 1):
        final = folder / (filenames.numbered(name, number) if number else name)
        if os.path.lexists(final):
            continue
        if not os.path.lexists(part_of(final)):
            return Part(final, owner), number
        with suppress(OSError):  # another's, or no file at all
            part = None if fresh else Part.reopen(final, owner, signed=True)
            if part is not None:
                return part, number
    raise DownloadError("permission_denied", "too many files have this name")


def _key(path: Path) -> str:
    text = str(path)
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).casefold()


def name_for(
    target: Target, seen: Seen | None, disposition: str | None, asked: str, came: str
) -> str:
    """The file's name; `asked` and `came` are the URLs before and after redirects.

    The URL asked for names it, unless only the one it led to has an extension.
    """
    ext = seen.ext if seen else None
    if target.stem is not None:
        return filenames.safe(f"{target.stem}.{ext or 'bin'}")
    url = asked if came == asked or _ending(asked) or not _ending(came) else came
    return filenames.choose(target.filename, disposition, url, target.kind, ext, _now)


def _ending(url: str) -> str:
    return filenames.extension(filenames.from_url(url) or "")


def _now() -> datetime:
    return datetime.now(UTC).astimezone()
