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
from trayagent.transfer.folders import Folders
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


class Naming:
    """The final name of one download, held until it is given back."""

    def __init__(self, names: Names, folders: Folders, target: Target) -> None:
        self._names = names
        self._folders = folders
        self._folder = target.folder
        self._owner = target.owner
        self._base = ""
        self._number = -1
        self.final: Path | None = None

    def hold(self, final: Path) -> bool:
        """Hold exactly this name; False when another transfer has it."""
        if not self._names.hold(final):
            return False
        self.final, self._base = final, final.name
        return True

    async def next(self, name: str = "", *, fresh: bool = True) -> Part:
        """Hold the next of NAME, NAME (1), … that neither a file nor another download has: its part.

        No `name`: of the one held, which is given back once the next is ours. Unless it must be
        `fresh`, the part may be there already: this owner's, from a run that was interrupted.
        """
        base = name or self._base
        opened: list[Part] = []

        def look() -> None:
            part, self._number = _next_part(
                self._folder, base, self._number, self._owner, fresh=fresh
            )
            opened.append(part)

        try:
            await self._folders.do(self._folder, look)
            while not self._names.hold(opened[-1].final):
                opened.pop().close()
                await self._folders.do(self._folder, look)
        except BaseException:
            for part in opened:  # a cancellation: nobody else knows of it
                part.close()
            raise
        self.release()
        self.final, self._base = opened[0].final, base
        return opened[0]

    def release(self) -> None:
        """Give the name back; the file system guards it from here on."""
        if self.final is not None:
            self._names.release(self.final)
            self.final = None


def _next_part(folder: Path, name: str, after: int, owner: str, *, fresh: bool) -> tuple[Part, int]:
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
