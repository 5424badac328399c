"""From the library's gaps to the queue: what is missing enters through the intake, a chunk at a time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trayagent.agent.intake import Intake
from trayagent.model import filenames
from trayagent.model.jobs import New, Order
from trayagent.model.units import local_day
from trayagent.store import library, saved_files
from trayagent.store.database import Database
from trayagent.store.library import StoredItem
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
        while items := await self._db.read(
            library.items_without_file, self._source, run, self._after, CHUNK
        ):
            self._after = items[-1].n
            adopted = await self._adopt(items)
            left = [item for item in items if item.n not in adopted]
            if left:
                await self.queue(left)
            await self._db.run(library.mark_queued, run, [item.n for item in items])

    async def rest(self, run: int) -> None:
        """Adopt or queue whatever is missing now, and no more after that."""
        self._after = 0
        await self.more(run)

    async def queue(self, items: Sequence[StoredItem], folder: str | None = None) -> None:
        """Put items into the queue, as part of the batch."""
        now = self._now()
        orders = [order_for(item, self._place, self._host, now, folder) for item in items]
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
        while items := await self._db.read(library.items_with_file, self._source, after, CHUNK):
            after = items[-1].n
            lost = await asyncio.to_thread(_rows_without_file, items)
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

    async def _adopt(self, items: Sequence[StoredItem]) -> set[int]:
        adopted = set()
        for item in items:
            paths = self._strays.get(stem_of(item), [])
            # Two files of one name in two folders: nobody knows which is the right one.
            size = await asyncio.to_thread(fits, paths[0], item) if len(paths) == 1 else None
            if size is not None and await self._db.run(
                library.adopt_file, item.n, paths[0], size, item.remote_sha256, self._now()
            ):
                adopted.add(item.n)
        return adopted


def _rows_without_file(items: Sequence[StoredItem]) -> list[int]:
    return [item.n for item in items if not is_here(item.path, item.size)]


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
        for name, items in (await self._db.read(library.items_by_number, list(ours))).items():
            fetching = self._fetching(name)
            if fetching is not None:
                # What is present is not fetched, so first they are not.
                await self._db.run(library.mark_missing, [item.n for item in items])
                await fetching.queue(items)
                await fetching.close()
                queued |= {ours[item.n] for item in items}
        return queued

    async def _downloads(self, files: Sequence[SavedFile]) -> set[SavedFile]:
        ours = [file for file in files if file.kind == "download"]
        items = await self._db.read(saved_files.items_to_repeat, ours)
        if not items:
            return set()
        entered = await self._intake.add(list(items.values()), via="cli", title="Repair")
        refused = {rejected.index for rejected in entered.receipt.rejected}
        queued = {file for index, file in enumerate(items) if index not in refused}
        await self._db.run(saved_files.forget_paths, queued)
        return queued


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


def stem_of(item: StoredItem) -> str:
    """The file's name without its ending: the media key made safe, else a hash of the identity."""
    key: str | None = item.media_key
    return filenames.safe(key, 160) if key else hashlib.sha256(item.ident.encode()).hexdigest()[:32]


def order_for(
    item: StoredItem, place: Place, host: str, now: float, folder: str | None = None
) -> New:
    """The item as a download: its identity, its place, what it must be."""
    return New(
        key=item.key,
        url=f"{item.source}:{item.name}",
        host=host,
        order=Order(
            root=str(place.folder),
            folder=folder if folder is not None else place.day(item.created, now),
            stem=stem_of(item),
            mtime=item.created,
            # A promise of a medium: login pages are refused, unknown bytes are not.
            kind="video" if item.kind == "video" else "image",
            checksum=f"sha-256={item.remote_sha256}" if item.remote_sha256 else None,
        ),
        source=item.source,
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


def fits(path: str, item: StoredItem) -> int | None:
    """The size of a stray file if it can be the item's, else None. Blocking."""
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size or item.remote_size not in {None, size}:
                return None
            seen = sniff(file.read(HEAD))
            if seen is not None and seen.kind not in {"image", "video", "audio"}:
                return None
            file.seek(0)
            told = item.remote_sha256
            if told and hashlib.file_digest(file, "sha256").hexdigest() != told:
                return None
    except OSError:
        return None
    return size
