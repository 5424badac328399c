"""The process of one download: confined, told everything on its standard input, ending with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from trayagent.sites import extract, landlock
from trayagent.sites.protocol import WorkerMessage, WorkerRequest
from trayagent.sites.reasons import explain


def main() -> int:
    """Read one request, answer it on standard output, one JSON object a line."""
    out = _own_output()
    ask = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerRequest)
    _bound(ask)
    _confine(ask)  # before there is a second thread: a confinement is a thread's own
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    lock = threading.Lock()

    def say(said: WorkerMessage) -> None:
        with lock:
            os.write(out, msgspec.json.encode(said) + b"\n")

    try:
        extract.run(ask, say)
    except BaseException as error:  # noqa: BLE001  the boundary: what went wrong is the answer
        say(explain(error))
    # Threads of a foreign library may hang; everything that matters is said.
    os._exit(0)


def _own_output() -> int:
    """Standard output for our words only: what others print goes nowhere."""
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return out


def _end_with_parent() -> None:
    """Standard input ends when the agent does, however it does."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)  # ffmpeg too
    os._exit(1)


def _confine(ask: WorkerRequest) -> None:
    """Before yt-dlp is loaded: read Python, it and ffmpeg, write the folder, connect to the gateway."""
    if sys.platform != "linux":
        return
    ffprobe = str(Path(ask.ffmpeg).with_name("ffprobe")) if ask.ffmpeg else None
    read = landlock.needs([ask.release], [ask.ffmpeg, ffprobe])
    landlock.confine(read, [ask.folder, os.devnull], urlsplit(ask.proxy).port or 0)


def _bound(ask: WorkerRequest) -> None:
    # What is written has the user's own mode, as the film is to have it: the folder is for them alone.
    os.chdir(ask.folder)
    if ask.release:
        sys.path.insert(0, str(Path(ask.release)))
    if sys.platform == "win32":
        return
    import resource

    os.nice(5)
    bounds = {"RLIMIT_CORE": 0, "RLIMIT_AS": ask.memory, "RLIMIT_FSIZE": ask.max_size}
    for name, bound in bounds.items():
        if bound or name == "RLIMIT_CORE":
            with contextlib.suppress(ValueError, OSError):  # a stricter bound holds already
                resource.setrlimit(getattr(resource, name), (bound, bound))


if __name__ == "__main__":
    sys.exit(main())
