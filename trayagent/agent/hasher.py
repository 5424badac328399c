"""Fills in the checksum of completed files in the background, one file after the other."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model.download import State
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadEvent, Event
from trayagent.store import downloads
from trayagent.store.database import Database

log = logging.getLogger(__name__)

BLOCK: Final = 1 << 20
"""Bytes read at a time."""
CALM: Final = 0.5
"""Seconds without a new file that are waited for."""
PATIENCE: Final = 30.0
"""Seconds after which it starts, calm or not."""
SPAN: Final = 1.0
"""Seconds after which what was found is kept."""


class Hasher:
    """So that `verify` can tell later whether a file is still what arrived."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._stop = threading.Event()
        self._bell = asyncio.Event()
        self._bell.set()
        self._place = bus.subscribe(self._hear)

    async def run(self) -> None:
        """Hash until cancelled."""
        try:
            with self._place:
                while True:
                    await self._bell.wait()
                    await self._wait_for_calm()
                    await self._hash_all()
        finally:
            self._stop.set()  # the thread that reads a large file must not outlive us

    def _hear(self, event: Event) -> None:
        if (
            isinstance(event, DownloadEvent)
            and event.download.state == State.COMPLETED
            and event.what != "removed"
        ):
            self._bell.set()

    async def _wait_for_calm(self) -> None:
        """Until nothing has come for a moment: reading files again slows down what still comes."""
        patience = time.monotonic() + PATIENCE
        while self._bell.is_set() and time.monotonic() < patience:
            self._bell.clear()
            await asyncio.sleep(CALM)
        self._bell.clear()

    async def _hash_all(self) -> None:
        try:
            await self._hash_each()
        except StoreUnavailableError as error:
            log.warning("Checksums wait for the next download: %s", error.message)

    async def _hash_each(self) -> None:
        after = 0
        while page := await self._db.read(downloads.checksums_missing, after):
            # Several at a time: changing threads takes longer than a small file.
            digests = await asyncio.to_thread(self._digests, page)
            await self._db.run(downloads.keep_checksums, digests)
            after = digests[-1][0]

    def _digests(self, page: Sequence[tuple[int, str]]) -> list[tuple[int, tuple[str, int] | None]]:
        """The first rows of a page, about a second's worth, with checksum and size. Blocks."""
        began, digests = time.monotonic(), list[tuple[int, tuple[str, int] | None]]()
        for n, path in page:
            digests.append((n, digest_of(Path(path), self._stop)))
            if self._stop.is_set() or time.monotonic() - began > SPAN:
                break
        return digests


def digest_of(path: Path, stop: threading.Event) -> tuple[str, int] | None:
    """SHA-256 in hex and size of a file as far as it was read before `stop`; None when it cannot be read.

    Blocks; gives way to everything else.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while not stop.is_set() and (block := file.read(BLOCK)):
                digest.update(block)
                size += len(block)
                stop.wait(0.001)
    except OSError:
        return None
    return digest.hexdigest(), size
