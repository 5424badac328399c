"""Small JPEGs of saved pictures and videos, made once by a process of its own with a bound on its memory.

Pictures come from strangers, and decoders have had holes: what goes wrong with one ends the child
(`thumbnail_child`), never the agent. What was made is kept in a folder until its picture is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from trayagent.files import remove_shared, replace_shared
from trayagent.model.errors import NotFoundError
from trayagent.model.file_types import type_of

LARGEST_PICTURE_BYTES: Final = 64 << 20
"""A larger picture is not even opened."""
LARGEST_THUMBNAIL_BYTES: Final = 1 << 20
"""The child is not trusted: what it calls longer is not read."""
DECODING_SECONDS: Final = 20.0
"""How long one picture may take; then the child is ended."""
_BOOT: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from trayagent.agent.library.thumbnail_child import main; sys.exit(main())"
)
AT_A_TIME: Final = 2
"""Requests that have a thread: slow pictures, or a share that stands still, would else take all that the agent has."""
THUMBNAILS_PER_CHUNK: Final = 500
"""Small pictures looked at together when they are pruned."""
FIRST_PRUNING_SECONDS: Final = 90.0
"""After the start: no start is slower for it."""
PRUNING_SECONDS: Final = 24 * 3600.0
"""Between two prunings; an unfinished file that is older is left by a kill."""

Paths = Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]
"""Where the pictures of these items are; items without one are left out."""

log = logging.getLogger(__name__)


class Thumbnails:
    """Kept under `<folder>/<item>-<hash>.jpg`, by path, size and time of the picture."""

    def __init__(self, folder: Path, decoder: ThumbnailDecoder | None = None) -> None:
        self._folder = folder
        self._decoder = decoder or ThumbnailDecoder()
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def thumbnail(self, item: int, path: str) -> bytes:
        """The JPEG of an item's picture; raises NotFoundError when there can be none."""
        async with self._turns:
            return await asyncio.to_thread(self._load_or_make, item, Path(path))

    async def run(self, paths: Paths) -> None:
        """Prune soon after the start, then once a day, until cancelled."""
        try:
            await asyncio.sleep(FIRST_PRUNING_SECONDS)
            while True:
                try:
                    await self.prune(paths)
                except Exception:
                    # The boundary: a store or disk that is away; what is left goes another day.
                    log.exception("The small pictures could not be pruned")
                await asyncio.sleep(PRUNING_SECONDS)
        finally:
            self._decoder.close()

    async def prune(self, paths: Paths) -> None:
        """Remove those whose item is gone, or whose picture is gone or no longer the same."""
        chunks = _chunks(self._folder)
        while chunk := await asyncio.to_thread(next, chunks, None):
            pictures = await paths([_item_of(kept) for kept in chunk])
            await asyncio.to_thread(_remove_unused, chunk, pictures)

    def _load_or_make(self, item: int, picture: Path) -> bytes:
        try:
            # The name holds what the picture looked like: another picture is another file, so what
            # is found by its name is never stale.
            seen = picture.stat()
            kept = self._folder / _name(item, picture, seen)
            with contextlib.suppress(FileNotFoundError):
                return kept.read_bytes()
            # Of a video only the beginning is read.
            is_video = type_of(picture.suffix[1:].lower()) == "video"
            if seen.st_size > LARGEST_PICTURE_BYTES and not is_video:
                raise _no_thumbnail()
            made = self._decoder.make(picture)
            if not made:
                raise _no_thumbnail()
            # Under another name first: nobody ever reads half a picture.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
            with os.fdopen(fd, "wb") as file:
                file.write(made)
            replace_shared(name, kept)
        except OSError as error:
            raise _no_thumbnail() from error
        return made


class ThumbnailDecoder:
    """The child that decodes pictures, one at a time; it is started when it is needed. Blocking.

    A picture that is too much for it ends the child, not the agent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self, picture: Path) -> bytes:
        """The JPEG, or nothing where there can be none."""
        with self._lock:
            for _ in range(2):  # an idle child may have ended just now: then once more
                process = self._running_child()
                alarm = threading.Timer(DECODING_SECONDS, process.kill)
                alarm.start()
                try:
                    return _thumbnail_from(process, picture)
                except (OSError, EOFError):
                    # It ended by itself when it was idle; else this picture ended it, and would
                    # end the next child as well.
                    was_idle = process.poll() == 0
                    self._end()
                    if not was_idle:
                        break
                finally:
                    alarm.cancel()
        return b""

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            # Also without `close`, when the agent just forgets us: no child is left behind.
            weakref.finalize(self, _end, self._process)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            _end(self._process)
        self._process = None


def command() -> list[str]:
    """What starts the child: this Python, isolated; a frozen program starts itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "sites", "thumbnails"]
    return [sys.executable, "-I", "-c", _BOOT, str(Path(__file__).parents[3])]


def _thumbnail_from(process: subprocess.Popen[bytes], picture: Path) -> bytes:
    """One answer of the child; raises OSError or EOFError when it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(str(picture)).encode() + b"\n")
    process.stdin.flush()
    # Four bytes for the size, then the JPEG (see `thumbnail_child`).
    head = process.stdout.read(4)
    size = int.from_bytes(head, "big")
    made = process.stdout.read(size) if len(head) == 4 and size <= LARGEST_THUMBNAIL_BYTES else b""
    if len(head) < 4 or len(made) < size:
        raise EOFError
    return made


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


def _name(item: int, picture: Path, seen: os.stat_result) -> str:
    identity = f"{picture}\0{seen.st_size}\0{seen.st_mtime_ns}"
    return f"{item}-{hashlib.sha256(identity.encode()).hexdigest()[:40]}.jpg"


def _item_of(kept: Path) -> int:
    number = kept.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _chunks(folder: Path) -> Iterator[list[Path]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        while chunk := [Path(entry) for entry in islice(entries, THUMBNAILS_PER_CHUNK)]:
            yield chunk


def _remove_unused(chunk: Sequence[Path], pictures: Mapping[int, str]) -> None:
    for kept in chunk:
        with contextlib.suppress(OSError):
            if not _is_used(kept, pictures.get(_item_of(kept))):
                remove_shared(kept)


def _is_used(kept: Path, picture: str | None) -> bool:
    # An unfinished one may be in the making; after a day a kill has left it.
    if kept.suffix == ".new":
        return time.time() - kept.stat().st_mtime < PRUNING_SECONDS
    if picture is None:
        return False
    try:
        return kept.name == _name(_item_of(kept), Path(picture), Path(picture).stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _no_thumbnail() -> NotFoundError:
    return NotFoundError(
        "no_thumbnail", "There is no small picture of this item.", "Open the file itself."
    )
