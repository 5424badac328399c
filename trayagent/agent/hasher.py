"""Fills in the checksum of completed files in the background, one file at a time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

from trayagent.agent.bus import Bus
from trayagent.model.download import State
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadEvent, Event
from trayagent.store import downloads
from trayagent.store.database import Database

log = logging.getLogger(__name__)


class Hasher:
    """So that `verify` can tell later whether a file is still what arrived."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._bell = asyncio.Event()
        self._bell.set()
        self._place = bus.subscribe(self._hear)

    async def run(self) -> None:
        """Hash until cancelled."""
        with self._place:
            while True:
                await self._bell.wait()
                self._bell.clear()
                try:
                    await self._hash_all()
                except StoreUnavailableError as error:
                    log.warning("Checksums wait for the next download: %s", error.message)

    def _hear(self, event: Event) -> None:
        if (
            isinstance(event, DownloadEvent)
            and event.download.state == State.COMPLETED
            and event.what != "removed"
        ):
            self._bell.set()

    async def _hash_all(self) -> None:
        after = 0
        while page := await self._db.read(downloads.unhashed, after):
            for after, path in page:
                digest = await asyncio.to_thread(digest_of, Path(path))
                if digest is not None:
                    await self._db.run(downloads.hashed, after, digest)


def digest_of(path: Path) -> str | None:
    """The SHA-256 of a file in hex, or None when it cannot be read. Blocks."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
