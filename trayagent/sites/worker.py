"""The worker's own side: one process for one page, run by `worker_process`.

It is told everything on its standard input, so that no secret is on a command line or a disk; it gives
up its rights before yt-dlp is loaded; and it ends when the agent ends, however that happens.
"""

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
    # Standard output is for our messages only: what others print goes nowhere.
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    ask = msgspec.json.decode(sys.stdin.buffer.readline(), type=WorkerRequest)
    _limit_resources(ask)
    if sys.platform == "linux":
        # Before yt-dlp is loaded, and before there is a second thread: a confinement is a thread's own.
        # It may read Python, yt-dlp and ffmpeg, write its folder, and connect to the gateway.
        ffprobe = str(Path(ask.ffmpeg).with_name("ffprobe")) if ask.ffmpeg else None
        read = landlock.needs([ask.release], [ask.ffmpeg, ffprobe])
        landlock.confine(read, [ask.folder, os.devnull], urlsplit(ask.proxy).port or 0)
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


def _end_with_parent() -> None:
    """Wait for the end of standard input: that comes when the agent ends, also by a kill."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)  # ffmpeg too
    os._exit(1)


def _limit_resources(ask: WorkerRequest) -> None:
    # The umask stays the user's: the film is to have their usual mode, and only they can enter the folder.
    os.chdir(ask.folder)
    if ask.release:
        sys.path.insert(0, str(Path(ask.release)))
    if sys.platform == "win32":
        return
    import resource

    os.nice(5)  # merging a film must not be felt by the person at the machine
    bounds = {"RLIMIT_CORE": 0, "RLIMIT_AS": ask.memory, "RLIMIT_FSIZE": ask.max_size}
    for name, bound in bounds.items():
        if bound or name == "RLIMIT_CORE":
            with contextlib.suppress(ValueError, OSError):  # a stricter bound holds already
                resource.setrlimit(getattr(resource, name), (bound, bound))


if __name__ == "__main__":
    sys.exit(main())
