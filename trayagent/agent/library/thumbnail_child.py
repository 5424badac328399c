"""The process that decodes pictures for thumbnails: bounded in memory, and nothing is lost with it.

It reads the path of a picture, or of a video, from its standard input, a JSON text a line, and writes the size of
the JPEG in four bytes, then the JPEG; a size of 0 says that there can be none.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import sys
import warnings
from typing import Final

from trayagent.agent.library.video_frame import frame_of
from trayagent.files import open_regular
from trayagent.model.file_types import type_of

EDGE: Final = 256
"""Pixels of the longer side."""
MOST_PIXELS: Final = 50_000_000
"""Larger pictures are not decoded: a small file can claim to be endless."""
MOST_MEMORY: Final = 640 << 20
"""Bytes of address space: Python, Pillow, and the pixels of the largest picture."""
IDLE_SECONDS: Final = 30.0
"""Without a request, after which the child ends."""
FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
"""No other decoder of Pillow is ever called: the fewer, the fewer holes."""


def main() -> int:
    """Answer requests until there is none for a while, or the agent has ended."""
    out = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    confine()
    requests = sys.stdin.buffer
    while has_request() and (line := requests.readline()):
        made = make(json.loads(line))
        with os.fdopen(os.dup(out), "wb") as answer:
            answer.write(len(made).to_bytes(4, "big") + made)
    return 0


def confine() -> None:
    """Bound what this process may take: little time, no more memory than the largest picture, no file."""
    if sys.platform == "win32":
        return
    import resource

    # Small pictures can wait for whatever else the machine does.
    os.nice(5)
    for name, bound in (("RLIMIT_CORE", 0), ("RLIMIT_AS", MOST_MEMORY), ("RLIMIT_FSIZE", 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS has no bound on address space
            resource.setrlimit(getattr(resource, name), (bound, bound))


def has_request() -> bool:
    """Whether there is something to read; False after a while without: then the memory goes back."""
    if sys.platform == "win32":
        return True  # pipes cannot be waited for there; the agent ends the child with itself
    return bool(select.select([0], [], [], IDLE_SECONDS)[0])


def make(path: str) -> bytes:
    """The small JPEG of a picture or video; nothing for what is damaged, too large, or neither."""
    from PIL import Image, ImageOps

    is_video = type_of(path.rpartition(".")[2].lower()) == "video"
    frame = frame_of(path, EDGE) if is_video else b""

    # Pillow reports damaged files in all of these ways.
    damaged = (
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
        *(OSError, ValueError, SyntaxError, MemoryError, OverflowError, EOFError),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with (
                io.BytesIO(frame) if is_video else open_regular(path) as file,
                Image.open(file, formats=FORMATS) as image,
            ):
                if image.width * image.height > MOST_PIXELS:
                    return b""
                # `draft` lets the JPEG decoder skip what a small picture does not need.
                image.draft("RGB", (EDGE, EDGE))
                image.thumbnail((EDGE, EDGE))
                upright = ImageOps.exif_transpose(image)
                # JPEG knows no transparency: it becomes white, not black.
                flat = Image.new("RGB", upright.size, "white")
                colours = upright.convert("RGBA")
                flat.paste(colours, mask=colours.getchannel("A"))
            out = io.BytesIO()
            flat.save(out, "JPEG", quality=80)
            return out.getvalue()
    except damaged:
        return b""


if __name__ == "__main__":
    sys.exit(main())
