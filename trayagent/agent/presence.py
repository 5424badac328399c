"""Whether files are still there, asked in a way that costs a moment at most, whatever their disk does."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Final

SECONDS: Final = 1.0
"""How long an answer is waited for: a request at the door has five in all."""
MOST_LOOKING: Final = 8
"""Looks at a time; more of them would only wait for the same disk that stands still."""


class Presence:
    """Each look has a thread of its own: a daemon, so that a stuck one keeps no process alive."""

    def __init__(self) -> None:
        self._looking = 0

    async def missing(self, paths: Collection[str]) -> frozenset[str]:
        """Those of the paths that hold no file any more.

        A path about which the disk says nothing in time is none of them: its row says that the file is
        there, and fetching it once more would need the same disk.
        """
        if not paths or self._looking >= MOST_LOOKING:
            return frozenset()
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        gone: list[str] = []

        def look() -> None:
            for path in paths:  # what was seen until time is up counts, too
                if not os.path.exists(path):  # noqa: PTH110  of a thousand lines, all of them
                    gone.append(path)  # noqa: PERF401
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(end)

        def end() -> None:
            self._looking -= 1
            done.set()

        self._looking += 1
        threading.Thread(target=look, name="presence", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await done.wait()
        return frozenset(gone)

    def __repr__(self) -> str:
        return f"<Presence: {self._looking} looks>"
