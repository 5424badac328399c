"""Repairing: what is damaged or missing is fetched again through the one door, beside what is there."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from trayagent.agent.fetching import Fetching
from trayagent.agent.intake import Intake
from trayagent.model.download import Item
from trayagent.store import downloads, library, saved_files
from trayagent.store.database import Database
from trayagent.store.saved_files import SavedFile


class Repairs:
    """Queues saved files again; `fetching` gives None for a source that is no longer there."""

    def __init__(
        self, db: Database, intake: Intake, fetching: Callable[[str], Fetching | None]
    ) -> None:
        self._db = db
        self._intake = intake
        self._fetching = fetching

    async def again(self, files: Sequence[SavedFile]) -> set[SavedFile]:
        """Queue the files; returns those that could be."""
        return await self._pictures(files) | await self._downloads(files)

    async def _pictures(self, files: Sequence[SavedFile]) -> set[SavedFile]:
        ours = {file.n: file for file in files if file.kind == "library"}
        queued = set[SavedFile]()
        for name, rows in (await self._db.read(library.items_by_number, list(ours))).items():
            fetching = self._fetching(name)
            if fetching is not None:
                # What is present is not fetched, so first they are not.
                await self._db.run(library.mark_missing, [row["n"] for row in rows])
                await fetching.queue(rows)
                await fetching.close()
                queued |= {ours[row["n"]] for row in rows}
        return queued

    async def _downloads(self, files: Sequence[SavedFile]) -> set[SavedFile]:
        ours = [file for file in files if file.kind == "download"]
        items = await self._db.read(_again, ours)
        if not items:
            return set()
        entered = await self._intake.add(list(items.values()), via="cli", title="Repair")
        refused = {rejected.index for rejected in entered.receipt.rejected}
        queued = {file for index, file in enumerate(items) if index not in refused}
        await self._db.run(saved_files.forget_paths, queued)
        return queued


def _again(conn: sqlite3.Connection, files: Sequence[SavedFile]) -> dict[SavedFile, Item]:
    """What to ask for; a row that was removed or replaced since the check saw it is left out."""
    rows = ((file, downloads.row_or_none(conn, file.n)) for file in files)
    return {file: _item(row) for file, row in rows if row is not None and row["path"]}


def _item(row: sqlite3.Row) -> Item:
    order = downloads.order_of(row)
    folder = os.path.relpath(Path(row["path"]).parent, order.root) if order.root else order.folder
    return Item(
        row["url"],
        filename=Path(row["path"]).name,
        folder=folder,
        referer=order.referer,
        kind=order.kind,
        checksum=order.checksum,
        size=order.size,
        pieces=order.pieces,
        mirrors=order.mirrors,
        quality=order.quality,
        again=True,
    )
