"""A worker process and its folder as the agent sees them.

The process is started apart from us, listened to within bounds, and ended with all it started. The
folder is where it writes; it lies beside the file to be and outlives the process, until the download
is over.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from trayagent.child_process import ChildProcess
from trayagent.files import is_link, open_regular, remove_folder_shared, write_private
from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.sites.protocol import WorkerMessage, WorkerRequest

# The longest thing a worker says is a page's picture, 120,000 bytes as base64.
LINE_BYTES: Final = 256 * 1024
"""Of one message at most."""
_PASSED_ON: Final = frozenset(
    "PATH LANG LC_ALL TZ SYSTEMROOT WINDIR PATHEXT SSL_CERT_FILE SSL_CERT_DIR LD_LIBRARY_PATH".split()
)
"""Variables that a worker gets from us: no proxies, no PYTHON…, no settings of a person's yt-dlp."""
_START_CODE: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from trayagent.sites.worker import main; sys.exit(main())"
)
_DECODER: Final = msgspec.json.Decoder(WorkerMessage)


def command() -> list[str]:
    """What starts a worker: this Python, isolated; a frozen program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "sites", "worker"]
    return [sys.executable, "-I", "-c", _START_CODE, str(Path(__file__).parents[2])]


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of a worker whose home is its scratch folder."""
    kept = {name: value for name, value in environ.items() if name.upper() in _PASSED_ON}
    home = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "TMPDIR", "TEMP", "TMP"), str(folder))
    # Plugins that a person has for their own yt-dlp are code that may do anything.
    return kept | home | {"YTDLP_NO_PLUGINS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class WorkerProcess:
    """A running worker; made by `start`."""

    def __init__(self, process: ChildProcess) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, ask: WorkerRequest, environ: Mapping[str, str], words: list[str] | None = None
    ) -> AsyncIterator[WorkerProcess]:
        """A worker that has got its request; leaving the context ends it and whatever it started."""
        folder = Path(ask.folder)
        process = await ChildProcess.start(
            words or command(), environment(environ, folder), LINE_BYTES, folder
        )
        try:
            await process.tell(msgspec.json.encode(ask))
            yield cls(process)
        finally:
            await process.end()  # what it wrote is resumable at any point

    async def next_message(self) -> WorkerMessage | None:
        """The next message, None when there will be none. Raises DownloadError `internal` for nonsense."""
        try:
            line = await self._process.read_line()
        except ValueError as error:
            raise DownloadError("internal", "the page engine said too much") from error
        if not line.endswith(b"\n"):
            return None
        try:
            said: WorkerMessage = _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise DownloadError("internal", "the page engine said something odd") from error
        return said

    async def exit_status(self) -> int:
        """Its exit status, once it has ended; on POSIX negative for a signal."""
        return await self._process.exit_status()

    def __repr__(self) -> str:
        return f"<WorkerProcess, {self._process!r}>"


_CHOICE_FILE: Final = "first.json"
NAMES: Final = 8
"""Names that are tried where others have taken them."""


class _Choice(msgspec.Struct, frozen=True):
    """Which entry stands for a page that holds several."""

    page: str
    """Its digest."""
    url: str
    title: str


class ScratchFolder:
    """The folder of one download, `.trayagent-<home>-<id>.part`. Every method blocks.

    Downloads folders may be writable by others. So a folder counts only if it is ours and nobody else
    may write to it, and where a name is taken, the next one is tried.
    """

    def __init__(self, root: Path, tag: str, id: str) -> None:
        mine = hashlib.sha256(tag.encode()).hexdigest()[:8]
        stem = f".trayagent-{mine}-{id}"
        names = (f"{stem}.part", *(f"{stem}-{number}.part" for number in range(2, NAMES + 1)))
        self._places = [root / name for name in names]

    @property
    def path(self) -> Path:
        """Where it is: the first of its names that is ours, or else would be."""
        return next((place for place in self._places if _is_ours(place)), self._places[0])

    def create(self) -> None:
        """Make it, for us alone, under a name that nobody took before us.

        Raises DownloadError `permission_denied`.
        """
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
        """Remove all of it, if it is there and ours; links in it are not followed."""
        if _is_ours(self.path):
            remove_folder_shared(self.path)

    def tidy(self, *, choice: bool = False) -> None:
        """Remove it unless there are bytes in it to go on from, or the choice, if that is still of use."""
        with contextlib.suppress(OSError):
            # What is of use holds bytes of the medium in order. A single piece that was not put in its
            # place yet is fetched anew by yt-dlp.
            kept = [
                path
                for path in self.path.iterdir()
                if path.is_file() and path.stat().st_size > 0
                if path.suffix == ".part" or filenames.media_kind(path.name) is not None
            ]
            if not kept and not (choice and (self.path / _CHOICE_FILE).exists()):
                self.remove()

    def first_entry(self, page: str) -> tuple[str, str] | None:
        """Address and title of the entry that stands for this page; None: it was not chosen yet."""
        # The worker runs foreign code, and may have put anything in its place: a pipe, a link, or other words.
        try:
            with open_regular(self.path / _CHOICE_FILE, follows=False) as file:
                noted = msgspec.json.decode(file.read(LINE_BYTES), type=_Choice)
        except (OSError, ValueError, msgspec.DecodeError):
            return None
        return (noted.url, noted.title) if noted.page == _digest(page) else None

    def note_first(self, page: str, url: str, title: str) -> None:
        """Remember the choice."""
        # A file of its own takes the place of whatever is there: a link would lead to a file of a person.
        choice = _Choice(_digest(page), url, title)
        write_private(self.path / _CHOICE_FILE, msgspec.json.encode(choice))

    def made_file(self, path: str) -> Path:
        """A file that the worker says it made. Raises DownloadError unless it is one, and in here."""
        file = Path(path)
        # The worker runs foreign code: its word could name any file of ours, or a link to one.
        inside = file.resolve().is_relative_to(self.path.resolve())
        if not inside or file.is_symlink() or not file.is_file():
            raise DownloadError("internal", "the page engine left its folder")
        if not file.stat().st_size:
            raise DownloadError("truncated", "nothing came")
        return file

    def __repr__(self) -> str:
        return f"<ScratchFolder {self.path.name}>"


def _is_ours(place: Path) -> bool:
    """Whether it is a folder of this user's that nobody else may write to; a link never is."""
    try:
        seen = place.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(seen.st_mode) or is_link(seen):
        return False
    return sys.platform == "win32" or (seen.st_uid == os.geteuid() and not seen.st_mode & 0o022)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
