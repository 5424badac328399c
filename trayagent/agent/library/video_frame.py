"""One frame of a video as a PNG, by the ffmpeg of this machine where there is one.

Only the process that decodes pictures calls this (`thumbnail_child`): ffmpeg inherits its bound on
memory, and that it may write no file. What it may open, and for how long, is bounded here.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Sequence
from typing import Final

FRAME_SECONDS: Final = 6.0
"""For one try; there are two, and both together stay below `thumbnails.DECODING_SECONDS`."""
LARGEST_FRAME_BYTES: Final = 4 << 20
"""ffmpeg is not trusted either: of more nothing is taken."""
FIRST_SECONDS: Final = ("3", "0")
"""Where the frame is looked for: many films begin black, and some are over after a moment."""
FORMATS: Final = "mov,matroska,webm,avi,flv,mpegts,mpeg,ogg,asf"
"""Containers with the bytes inside. A playlist that calls itself a video would name other files."""


def frame_of(video: str, edge: int) -> bytes:
    """A PNG of at most `edge` pixels; nothing without ffmpeg, and for what it cannot read. Blocking."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return b""
    for second in FIRST_SECONDS:
        if frame := _output_of(_command(ffmpeg, video, edge, second)):
            return frame
    return b""


def _command(ffmpeg: str, video: str, edge: int, second: str) -> Sequence[str]:
    alone = ("-nostdin", "-loglevel", "quiet", "-timelimit", f"{FRAME_SECONDS:.0f}")
    # `file:` keeps a name with a colon in it from being a protocol.
    source = ("-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-threads", "1")
    place = ("-ss", second, "-i", f"file:{video}", "-map", "0:v:0", "-frames:v", "1")
    fit = f"scale={edge}:{edge}:force_original_aspect_ratio=decrease"
    return (
        ffmpeg,
        *alone,
        *source,
        *place,
        "-vf",
        fit,
        "-c:v",
        "png",
        "-f",
        "image2pipe",
        "pipe:1",
    )


def _output_of(command: Sequence[str]) -> bytes:
    """What a program wrote within its time and bounds; else nothing."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,  # ours has the next request in it
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    ) as process:
        assert process.stdout is not None
        alarm = threading.Timer(FRAME_SECONDS, process.kill)
        alarm.start()
        try:
            written = process.stdout.read(LARGEST_FRAME_BYTES + 1)
        finally:
            alarm.cancel()
            process.kill()
    return written if len(written) <= LARGEST_FRAME_BYTES else b""
