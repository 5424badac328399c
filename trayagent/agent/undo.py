"""Taking a batch back: what is left is cancelled, what arrived goes to the trash."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from trayagent.agent.queue import Queue
from trayagent.agent.trash import Trash
from trayagent.model.batch import Batch
from trayagent.model.download import Download, State
from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.store import batches, downloads, library
from trayagent.store.database import Database

PAGE: Final = 500


class Undo:
    """Only the batch's own downloads: one that it shares with an older request stays."""

    def __init__(self, db: Database, queue: Queue, trash: Trash) -> None:
        self._db = db
        self._queue = queue
        self._trash = trash

    async def batch(self, id: str) -> Batch:
        """Undo one batch; synced items among it are not fetched again. Raises NotFoundError."""
        await self._db.read(batches.get, id)
        after: str | None = None
        while True:
            page, after = await self._db.read(
                downloads.listing, states=(), batch=id, limit=PAGE, after=after
            )
            for download in page:
                await self._take_back(download)
            if after is None:
                break
        await self._db.run(batches.undone, id, time.time())
        return await self._db.read(batches.get, id)

    async def _take_back(self, download: Download) -> None:
        # A settled one cannot be cancelled: its file is what there is to take back.
        with suppress(WrongStateError, NotFoundError):
            download = await self._queue.cancel(download.id)
        if download.state == State.COMPLETED and download.path:
            await self._trash.put(Path(download.path))
        await self._db.run(_ignore, download.id)


def _ignore(conn: sqlite3.Connection, id: str) -> None:
    row = downloads.find(conn, downloads.number(id))
    if row is not None and row["source"]:
        library.ignored(conn, row["key"])
