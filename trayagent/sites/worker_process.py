"""A worker process as seen from the agent: started apart, listened to within bounds, ended with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.sites.protocol import WorkerMessage, WorkerRequest

LINE: Final = 256 * 1024
"""Bytes of one line at most."""
_KEPT: Final = frozenset(
    "PATH LANG LC_ALL TZ SYSTEMROOT WINDIR PATHEXT SSL_CERT_FILE SSL_CERT_DIR LD_LIBRARY_PATH".split()
)
"""Variables that a worker gets from us: no proxies, no PYTHON…, no settings of a person's yt-dlp."""
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from trayagent.sites.worker import main; sys.exit(main())"
)
_DECODER: Final = msgspec.json.Decoder(WorkerMessage)


def command() -> list[str]:
    """What starts a worker: this Python, isolated; a frozen program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "sites", "worker"]
    return [sys.executable, "-I", "-c", _BOOT, str(Path(__file__).parents[2])]


def environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of a worker whose home is its scratch folder."""
    kept = {name: value for name, value in environ.items() if name.upper() in _KEPT}
    home = dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "TMPDIR", "TEMP", "TMP"), str(folder))
    return kept | home | {"YTDLP_NO_PLUGINS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class WorkerProcess:
    """A running worker; made by `started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(
        cls, ask: WorkerRequest, environ: Mapping[str, str], words: list[str] | None = None
    ) -> AsyncIterator[WorkerProcess]:
        """A worker that has got its request; leaving ends it and whatever it started."""
        folder = Path(ask.folder)
        process = await asyncio.create_subprocess_exec(
            *(words or command()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(environ, folder),
            cwd=folder,
            limit=LINE,
            **_apart(),
        )
        child = cls(process)
        try:
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it has ended already; its silence will tell
                process.stdin.write(msgspec.json.encode(ask) + b"\n")
                await process.stdin.drain()
            yield child
        finally:
            await child.end()

    async def next_message(self) -> WorkerMessage | None:
        """The next word, None when there will be none. Raises DownloadError `internal` for nonsense."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
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
        """How it ended."""
        return await self._process.wait()

    async def end(self) -> None:
        """Kill it and its children; what it wrote is resumable at any point."""
        if self._process.returncode is None or sys.platform != "win32":
            await _kill(self._process)
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        # Windows' pipes stay open until they are read to their end, and nobody reads this one any more;
        # asyncio has no public way to let go of it (test_update would hear of a pipe that was not closed).
        transport: Any = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()

    def __repr__(self) -> str:
        return f"<WorkerProcess {self._process.pid}>"


def _apart() -> dict[str, Any]:
    """A group of its own, so that it can be ended together with what it starts."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


async def _kill(process: asyncio.subprocess.Process) -> None:
    if sys.platform != "win32":
        # Never process.kill(): it reaps a process that has just ended, and asyncio then finds none.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    killer = await asyncio.create_subprocess_exec(
        "taskkill", "/T", "/F", "/PID", str(process.pid),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        creationflags=subprocess.CREATE_NO_WINDOW,
    )  # fmt: skip
    await killer.wait()
    with contextlib.suppress(ProcessLookupError):
        process.kill()


_CHOICE = "first.json"
NAMES = 8
"""Names that are tried where others have taken them."""


class ScratchFolder:
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

    def create(self) -> None:
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

    def first_entry(self, page: str) -> tuple[str, str] | None:
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

    def made_file(self, path: str) -> Path:
        """A file that the worker says it made. Raises DownloadError unless it is one, and in here."""
        file = Path(path)
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
    if not stat.S_ISDIR(seen.st_mode):
        return False
    return sys.platform == "win32" or (seen.st_uid == os.geteuid() and not seen.st_mode & 0o022)


def _is_of_use(path: Path) -> bool:
    """Whether it holds bytes of the medium in order; a single piece that did not get there yet is fetched anew."""
    gathers = path.suffix == ".part" or filenames.media_kind(path.name) is not None
    return gathers and path.stat().st_size > 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
