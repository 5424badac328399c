"""Small JPEGs of saved pictures, made once; what could hurt the decoder is refused."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import warnings
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


class Thumbnails:
    """Kept under `<folder>/<hash>.jpg`, by path, size and time of the picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, path: str) -> bytes:
        """The JPEG of a picture; raises NotFoundError when there can be none."""
        async with self._turns:
            return await asyncio.to_thread(self._of, Path(path))

    def _of(self, picture: Path) -> bytes:
        try:
            seen = picture.stat()
            name = hashlib.sha256(
                f"{picture}\0{seen.st_size}\0{seen.st_mtime_ns}".encode()
            ).hexdigest()
            kept = self._folder / f"{name[:40]}.jpg"
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
