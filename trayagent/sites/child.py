"""A worker process as seen from the agent: started apart, listened to within bounds, ended with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from trayagent.model.errors import DownloadError
from trayagent.sites.wire import Ask, Said

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
_DECODER: Final = msgspec.json.Decoder(Said)


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


class Child:
    """A running worker; made by `started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(
        cls, ask: Ask, environ: Mapping[str, str], words: list[str] | None = None
    ) -> AsyncIterator[Child]:
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

    async def said(self) -> Said | None:
        """The next word, None when there will be none. Raises DownloadError `internal` for nonsense."""
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:
            raise DownloadError("internal", "the page engine said too much") from error
        if not line.endswith(b"\n"):
            return None
        try:
            said: Said = _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise DownloadError("internal", "the page engine said something odd") from error
        return said

    async def status(self) -> int:
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
        return f"<Child {self._process.pid}>"


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
