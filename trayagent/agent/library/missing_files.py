"""From the library's gaps to the queue: what is missing enters through the intake, a chunk at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trayagent.agent.intake import Intake
from trayagent.model import filenames
from trayagent.model.downloads import Item
from trayagent.model.jobs import New, Order
from trayagent.model.units import local_day
from trayagent.store import downloads, library, saved_files
from trayagent.store.database import Database
from trayagent.store.saved_files import SavedFile
from trayagent.transfer.content import HEAD, sniff


class MissingFiles:
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


class Repairs:
    """Queues saved files again; `fetching` gives None for a source that is no longer there."""

    def __init__(
        self, db: Database, intake: Intake, fetching: Callable[[str], MissingFiles | None]
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


CHUNK: Final = 500
_OURS: Final = (".part", ".part.json", ".json")
"""Endings in a library's folder that are no pictures."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one source go."""

    folder: Path
    """`library/<source>`, absolute."""
    by_download: bool = False
    """Whether the day of the download names the folder, not that of the creation."""

    def day(self, created: float | None, now: float) -> str:
        """The folder's name for an item: a day in local time."""
        if created is not None and not self.by_download:
            with contextlib.suppress(OverflowError):  # what no calendar holds
                return local_day(created)
        return local_day(now)


def stem_of(row: sqlite3.Row) -> str:
    """The file's name without its ending: the media key made safe, else a hash of the identity."""
    key: str | None = row["media_key"]
    return (
        filenames.safe(key, 160) if key else hashlib.sha256(row["ident"].encode()).hexdigest()[:32]
    )


def order_for(
    row: sqlite3.Row, place: Place, host: str, now: float, folder: str | None = None
) -> New:
    """The row as a download: its identity, its place, what it must be."""
    return New(
        key=library.item_key(row["source"], row["account"], row["ident"]),
        url=f"{row['source']}:{row['name']}",
        host=host,
        order=Order(
            root=str(place.folder),
            folder=folder if folder is not None else place.day(row["created"], now),
            stem=stem_of(row),
            mtime=row["created"],
            # A promise of a medium: login pages are refused, unknown bytes are not.
            kind="video" if row["kind"] == "video" else "image",
            checksum=f"sha-256={row['remote_sha256']}" if row["remote_sha256"] else None,
        ),
        source=row["source"],
        again=True,
    )


def is_here(path: str | None, size: int | None) -> bool:
    """Whether a saved file is where it was saved, with the size it had. Blocking."""
    if path is None:
        return False
    try:
        seen = Path(path).stat()
    except OSError:
        return False
    return size is None or seen.st_size == size


def files_under(folder: Path) -> Iterator[list[str]]:
    """Finished files below a folder, in chunks. Blocking."""
    chunk: list[str] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and not name.endswith(_OURS):
                chunk.append(str(Path(where) / name))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def fits(path: str, row: sqlite3.Row) -> int | None:
    """The size of a stray file if it can be the row's, else None. Blocking."""
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size or row["remote_size"] not in {None, size}:
                return None
            seen = sniff(file.read(HEAD))
            if seen is not None and seen.kind not in {"image", "video", "audio"}:
                return None
            file.seek(0)
            told = row["remote_sha256"]
            if told and hashlib.file_digest(file, "sha256").hexdigest() != told:
                return None
    except OSError:
        return None
    return size
