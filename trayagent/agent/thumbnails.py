"""Small JPEGs of saved pictures, made once; what could hurt the decoder is refused."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from trayagent.model.errors import NotFoundError

EDGE: Final = 256
"""Pixels of the longer side."""
MOST_PIXELS: Final = 50_000_000
"""Larger pictures are not decoded: a small file can claim to be endless."""
MOST_BYTES: Final = 64 << 20
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
AT_ONCE: Final = 2
CHUNK: Final = 500
"""Small pictures looked at together when they are pruned."""
SOON: Final = 90.0
DAY: Final = 24 * 3600.0
"""Seconds."""

Paths = Callable[[Sequence[int]], Awaitable[Mapping[int, str]]]
"""Where the pictures of these items are; items without one are left out."""

log = logging.getLogger(__name__)


class Thumbnails:
    """Kept under `<folder>/<item>-<hash>.jpg`, by path, size and time of the picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, item: int, path: str) -> bytes:
        """The JPEG of an item's picture; raises NotFoundError when there can be none."""
        async with self._turns:
            return await asyncio.to_thread(self._of, item, Path(path))

    async def run(self, paths: Paths) -> None:
        """Prune soon after the start, then once a day, until cancelled."""
        await asyncio.sleep(SOON)
        while True:
            try:
                await self.prune(paths)
            except (
                Exception
            ):  # the boundary: a store or disk that is away; what is left goes another day
                log.exception("The small pictures could not be pruned")
            await asyncio.sleep(DAY)

    async def prune(self, paths: Paths) -> None:
        """Remove those whose item is gone, or whose picture is gone or no longer the same."""
        chunks = _chunks(self._folder)
        while chunk := await asyncio.to_thread(next, chunks, None):
            known = await paths([_item_of(kept) for kept in chunk])
            await asyncio.to_thread(_prune, chunk, known)

    def _of(self, item: int, picture: Path) -> bytes:
        try:
            seen = picture.stat()
            kept = self._folder / _name(item, picture, seen)
            with contextlib.suppress(FileNotFoundError):
                return kept.read_bytes()
            if seen.st_size > MOST_BYTES:
                raise _none()
            made = _made(picture)
            self._keep(kept, made)
        except OSError as error:
            raise _none() from error
        return made

    def _keep(self, kept: Path, made: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=self._folder, suffix=".new")
        with os.fdopen(fd, "wb") as file:
            file.write(made)
        Path(name).replace(kept)


def _name(item: int, picture: Path, seen: os.stat_result) -> str:
    said = f"{picture}\0{seen.st_size}\0{seen.st_mtime_ns}"
    return f"{item}-{hashlib.sha256(said.encode()).hexdigest()[:40]}.jpg"


def _item_of(kept: Path) -> int:
    number = kept.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _chunks(folder: Path) -> Iterator[list[Path]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        while chunk := [Path(entry) for entry in islice(entries, CHUNK)]:
            yield chunk


def _prune(chunk: Sequence[Path], known: Mapping[int, str]) -> None:
    for kept in chunk:
        with contextlib.suppress(OSError):
            if not _in_use(kept, known.get(_item_of(kept))):
                kept.unlink()


def _in_use(kept: Path, picture: str | None) -> bool:
    if kept.suffix == ".new":  # it may be in the making; after a while nobody makes it any more
        return time.time() - kept.stat().st_mtime < DAY
    if picture is None:
        return False
    try:
        return kept.name == _name(_item_of(kept), Path(picture), Path(picture).stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _made(picture: Path) -> bytes:
    import io

    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(picture, formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _none()
                image.draft("RGB", (EDGE, EDGE))
                image.thumbnail((EDGE, EDGE))
                upright = ImageOps.exif_transpose(image)
                flat = Image.new("RGB", upright.size, "white")
                colours = upright.convert("RGBA")
                flat.paste(colours, mask=colours.getchannel("A"))
    except (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        ValueError,
        SyntaxError,
    ) as error:
        # Pillow reports damaged files in all of these ways.
        raise _none() from error
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=80)
    return out.getvalue()


def _none() -> NotFoundError:
    return NotFoundError(
        "no_thumbnail", "There is no small picture of this item.", "Open the file itself."
    )
