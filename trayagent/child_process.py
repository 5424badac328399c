"""A program of ours that runs foreign code, in a process of its own: started apart, ended with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class ChildProcess:
    """It is told lines and answers in lines; made by `start`, and left with `end`."""

    def __init__(self, process: Process, transport: asyncio.SubprocessTransport) -> None:
        self._process = process
        self._transport = transport

    @classmethod
    async def start(
        cls,
        words: Sequence[str],
        environ: Mapping[str, str],
        line_bytes: int,
        folder: Path | None = None,
    ) -> ChildProcess:
        """One with these variables and no others; a line of it has so many bytes at most. Raises OSError."""
        # A group of its own, so that it can be ended together with what it starts (ffmpeg).
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW}
        loop = asyncio.get_running_loop()
        # As `create_subprocess_exec` does it; but that keeps the transport to itself, which `end` closes.
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=line_bytes, loop=loop),
            *words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=dict(environ),
            cwd=folder,
            **apart,
        )
        return cls(Process(transport, protocol, loop), transport)

    async def tell(self, message: bytes) -> None:
        """Write a line. To one that has ended already nothing is said; its silence will tell."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(message + b"\n")
            await self._process.stdin.drain()

    async def read_line(self) -> bytes:
        """Its next line; empty, or without a line end, when it has ended. Raises ValueError for one too long."""
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def exit_status(self) -> int:
        """Its exit status, once it has ended; on POSIX negative for a signal."""
        return await self._process.wait()

    async def end(self) -> None:
        """Kill it and its children, at any moment, and leave nothing open; harmless the second time."""
        if self._transport.is_closing():
            return  # its number may be another's by now
        pid = self._process.pid
        if sys.platform != "win32":
            # 1. Also when it has ended: what it started lives on in its group.
            # 2. Never process.kill(): it reaps a process that has just ended, and asyncio then finds none.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        elif self._process.returncode is None:
            # Windows has no groups that can be killed; taskkill follows the tree of parents.
            killer = await asyncio.create_subprocess_exec(
                "taskkill", "/T", "/F", "/PID", str(pid),
                stdout=DEVNULL, stderr=DEVNULL, creationflags=subprocess.CREATE_NO_WINDOW,
            )  # fmt: skip
            await killer.wait()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        # In Python 3.11 a process counts as ended only once its pipes have, too. But nobody reads its words to
        # their end any more, and a child of its own that left the group may hold both pipes.
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.transport.abort()
        if (words := self._transport.get_pipe_transport(1)) is not None:
            words.close()
        await self._process.wait()
        self._transport.close()

    def __repr__(self) -> str:
        return f"<ChildProcess {self._process.pid}>"
