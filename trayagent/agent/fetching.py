"""From the library's gaps to the queue: what is missing enters through the intake, a chunk at a time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trayagent.agent.intake import Intake
from trayagent.agent.wanted import CHUNK, Place, files_under, fits, is_here, order_for, stem_of
from trayagent.store import library
from trayagent.store.database import Database


class Fetching:
    """The files of one run; all of them are one batch, which stays open until `close`."""

    def __init__(
        self,
        db: Database,
        intake: Intake,
        source: str,
        host: str,
        place: Place,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.batch: str | None = None
        self.wanted = 0
        self._db = db
        self._intake = intake
        self._source = source
        self._host = host
        self._place = place
        self._now = now
        self._looked = False
        self._after = 0
        self._strays: dict[str, list[str]] = {}

    async def more(self, run: int) -> None:
        """Adopt or queue what has become known to be missing since the last time."""
        await self._look()
        while rows := await self._db.read(
            library.items_without_file, self._source, run, self._after, CHUNK
        ):
            self._after = rows[-1]["n"]
            adopted = await self._adopt(rows)
            left = [row for row in rows if row["n"] not in adopted]
            if left:
                await self.queue(left)
            await self._db.run(library.mark_queued, run, [row["n"] for row in rows])

    async def rest(self, run: int) -> None:
        """Adopt or queue whatever is missing now, and no more after that."""
        self._after = 0
        await self.more(run)

    async def queue(self, rows: Sequence[sqlite3.Row], folder: str | None = None) -> None:
        """Put items into the queue, as part of the batch."""
        now = self._now()
        orders = [order_for(row, self._place, self._host, now, folder) for row in rows]
        title = None if self.batch else f"{self._source}: images"
        entered = await self._intake.enter(
            orders, via="sync", title=title, batch=self.batch, more=True
        )
        self.batch = entered.receipt.batch
        self.wanted += len(orders)

    async def close(self) -> None:
        """Nothing more will come."""
        if self.batch is not None:
            await self._intake.close(self.batch)

    async def _look(self) -> None:
        """Find files that went away, and files here that no item has; memory holds the latter only. Once."""
        if self._looked:
            return
        self._looked = True
        after = 0
        while rows := await self._db.read(library.items_with_file, self._source, after, CHUNK):
            after = rows[-1]["n"]
            lost = await asyncio.to_thread(_rows_without_file, rows)
            if lost:
                await self._db.run(library.mark_missing, lost)
        await self._find_strays()

    async def _find_strays(self) -> None:
        chunks = files_under(self._place.folder)
        while chunk := await asyncio.to_thread(next, chunks, None):
            taken = await self._db.read(library.paths_of_items, chunk)
            for path in chunk:
                if path not in taken:
                    self._strays.setdefault(Path(path).stem, []).append(path)

    async def _adopt(self, rows: Sequence[sqlite3.Row]) -> set[int]:
        adopted = set()
        for row in rows:
            paths = self._strays.get(stem_of(row), [])
            # Two files of one name in two folders: nobody knows which is the right one.
            size = await asyncio.to_thread(fits, paths[0], row) if len(paths) == 1 else None
            if size is not None and await self._db.run(
                library.adopt_file, row["n"], paths[0], size, row["remote_sha256"], self._now()
            ):
                adopted.add(row["n"])
        return adopted


def _rows_without_file(rows: Sequence[sqlite3.Row]) -> list[int]:
    return [row["n"] for row in rows if not is_here(row["path"], row["size"])]
