"""Where a worker writes: a folder beside the file to be, kept for resuming until the download is over."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import sys
from pathlib import Path

from trayagent.model import filenames
from trayagent.model.errors import DownloadError

_CHOICE = "first.json"
NAMES = 8
"""Names that are tried where others have taken them."""


class Scratch:
    """The folder of one download, `.trayagent-<home>-<id>.part`. All of it blocks."""

    def __init__(self, root: Path, tag: str, id: str) -> None:
        mine = hashlib.sha256(tag.encode()).hexdigest()[:8]
        stem = f".trayagent-{mine}-{id}"
        names = (f"{stem}.part", *(f"{stem}-{number}.part" for number in range(2, NAMES + 1)))
        self._places = [root / name for name in names]

    @property
    def path(self) -> Path:
        """Where it is: the first of its names that is ours, or else would be."""
        return next((place for place in self._places if _is_ours(place)), self._places[0])

    def open(self) -> None:
        """Make it, for us alone, under a name that nobody took before us. Raises DownloadError."""
        if _is_ours(self.path):
            return
        for place in self._places:
            try:
                place.mkdir(mode=0o700, parents=True)
            except FileExistsError:
                continue  # in a folder that others write to, anybody may have made it
            except OSError as error:
                raise DownloadError("permission_denied", "the downloads folder") from error
            return
        raise DownloadError("permission_denied", "others took all names in the downloads folder")

    def remove(self) -> None:
        """All of it, if it is there and ours; links in it are not followed."""
        if _is_ours(self.path):
            shutil.rmtree(self.path, ignore_errors=True)

    def tidy(self, *, choice: bool = False) -> None:
        """Remove it unless there are bytes in it to go on from, or the choice, if that is still of use."""
        with contextlib.suppress(OSError):
            kept = [path for path in self.path.iterdir() if path.is_file() and _is_of_use(path)]
            if not kept and not (choice and (self.path / _CHOICE).exists()):
                self.remove()

    def first(self, page: str) -> tuple[str, str] | None:
        """Address and title of the entry chosen when the page turned out to hold several; None: not known yet."""
        try:
            noted = json.loads((self.path / _CHOICE).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return (noted["url"], noted["title"]) if noted.get("page") == _digest(page) else None

    def note_first(self, page: str, url: str, title: str) -> None:
        """Remember the choice."""
        note = self.path / _CHOICE
        text = json.dumps({"page": _digest(page), "url": url, "title": title})
        with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)

    def made(self, path: str) -> Path:
        """A file that the worker says it made. Raises DownloadError unless it is one, and in here."""
        file = Path(path)
        inside = file.resolve().is_relative_to(self.path.resolve())
        if not inside or file.is_symlink() or not file.is_file():
            raise DownloadError("internal", "the page engine left its folder")
        if not file.stat().st_size:
            raise DownloadError("truncated", "nothing came")
        return file

    def __repr__(self) -> str:
        return f"<Scratch {self.path.name}>"


def _is_ours(place: Path) -> bool:
    """Whether it is a folder of this user's that nobody else may write to; a link never is."""
    try:
        seen = place.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(seen.st_mode):
        return False
    return sys.platform == "win32" or (seen.st_uid == os.geteuid() and not seen.st_mode & 0o022)


def _is_of_use(path: Path) -> bool:
    """Whether it holds bytes of the medium in order; a single piece that did not get there yet is fetched anew."""
    gathers = path.suffix == ".part" or filenames.media_kind(path.name) is not None
    return gathers and path.stat().st_size > 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
