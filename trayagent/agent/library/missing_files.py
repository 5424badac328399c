"""Which items of a library have no file here, and how they get one.

An item is `missing`, `present`, `failed` (its last download), `gone` (from the remote library) or
`ignored` (a person undid it). A run does this, a chunk at a time:

    1. Once: items that are `present` but whose file went away become `missing`.
    2. Once: files in the source's folder that no item has are noted by name: the strays.
    3. An item without a file adopts the one stray that has its name, if its content can be the item's.
    4. All others enter the queue, as one batch of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from trayagent.agent.intake import Intake
from trayagent.files import open_regular, walk_folders
from trayagent.model import filenames
from trayagent.model.jobs import New, Order
from trayagent.model.units import local_day
from trayagent.store import library, saved_files
from trayagent.store.database import Database
from trayagent.store.library import StoredItem
from trayagent.store.saved_files import SavedFile
from trayagent.transfer.content import HEAD, sniff

CHUNK: Final = 500
"""Items, or files, that are looked at in one go: what of a large library is in memory."""
# A name has 255 bytes on most disks: this leaves room for a number, an ending and `.part.json`.
LONGEST_STEM_BYTES: Final = 160
NO_PICTURES: Final = (".part", ".part.json", ".json")
"""Endings in a library's folder that are ours."""


class SourceFolder(Struct, frozen=True):
    """Where the files of one source go: `library/<source>/<day>/`."""

    path: Path
    """`library/<source>`, absolute."""
    by_download: bool = False
    """Whether the day of the download names the folder, not that of the creation."""

    def day_of(self, created: float | None, now: float) -> str:
        """The folder's name for an item: a day in local time. Both are Unix seconds."""
        if created is not None and not self.by_download:
            with contextlib.suppress(OverflowError):  # what no calendar holds
                return local_day(created)
        return local_day(now)


class MissingFiles:
    """The files that one run gets; all of them are one batch, which stays open until `close`."""

    def __init__(
        self,
        db: Database,
        intake: Intake,
        source: str,
        host: str,
        folder: SourceFolder,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.batch: str | None = None
        """The batch's id, once something is queued."""
        self.queued = 0
        self._db = db
        self._intake = intake
        self._source = source
        self._host = host
        self._folder = folder
        self._now = now
        self._is_folder_read = False
        self._after = 0
        """The number of the last item that was looked at."""
        self._strays: dict[str, list[str]] = {}
        """Paths of files that no item has, by their stem."""

    async def queue_new(self, run: int) -> None:
        """Adopt or queue the items that have become known since the last call."""
        if not self._is_folder_read:
            # Once for each run: a large folder takes a while. Files that go away later are found by
            # the next run. Memory holds the strays only.
            self._is_folder_read = True
            await self._mark_missing()
            await self._find_strays()
        while items := await self._db.read(
            library.items_without_file, self._source, run, self._after, CHUNK
        ):
            self._after = items[-1].n
            adopted = await self._adopt(items)
            # Marked after they entered: a kill in between queues them twice, and the intake knows
            # what it has; the other way round they would be forgotten.
            left = [item for item in items if item.n not in adopted]
            if left:
                await self.queue(left)
            await self._db.run(library.mark_queued, run, [item.n for item in items])

    async def queue_rest(self, run: int) -> None:
        """Adopt or queue every item without a file: also those that earlier runs knew."""
        self._after = 0
        await self.queue_new(run)

    async def queue(self, items: Sequence[StoredItem], folder: str | None = None) -> None:
        """Put items into the queue, as part of the batch; `folder` is one below the source's."""
        now = self._now()
        orders = [
            new_download(item, self._folder, self._host, now, folder=folder) for item in items
        ]
        title = None if self.batch else f"{self._source}: images"
        entered = await self._intake.enter(
            orders, via="sync", title=title, batch=self.batch, more=True
        )
        self.batch = entered.receipt.batch
        self.queued += len(orders)

    async def close(self) -> None:
        """End the batch with its last download: no item will come any more."""
        if self.batch is not None:
            await self._intake.close(self.batch)

    async def _mark_missing(self) -> None:
        """Case 1: `present` items whose file went away."""
        after = 0
        while items := await self._db.read(library.items_with_file, self._source, after, CHUNK):
            after = items[-1].n
            missing = await asyncio.to_thread(without_file, items)
            if missing:
                await self._db.run(library.mark_missing, [item.n for item in missing])

    async def _find_strays(self) -> None:
        """Case 2: files here that no item has."""
        chunks = files_under(self._folder.path)
        while chunk := await asyncio.to_thread(next, chunks, None):
            owned = await self._db.read(library.paths_of_items, chunk)
            for path in chunk:
                if path not in owned:
                    self._strays.setdefault(Path(path).stem, []).append(path)

    async def _adopt(self, items: Sequence[StoredItem]) -> set[int]:
        """Case 3: returns the numbers of the items that have a file now."""
        adopted = set()
        for item in items:
            paths = self._strays.get(stem_of(item), [])
            # Two files of one name in two folders: nobody knows which is the right one.
            size = await asyncio.to_thread(size_if_fit, paths[0], item) if len(paths) == 1 else None
            # The store says no where another item has taken this file meanwhile.
            if size is not None and await self._db.run(
                library.adopt_file, item.n, paths[0], size, item.remote_sha256, self._now()
            ):
                adopted.add(item.n)
        return adopted


class Repairs:
    """Fetches saved files again that a check found damaged or missing."""

    def __init__(
        self, db: Database, intake: Intake, missing_files: Callable[[str], MissingFiles | None]
    ) -> None:
        """`missing_files` is asked for a source by its name; None: it left the settings."""
        self._db = db
        self._intake = intake
        self._missing_files = missing_files

    async def queue(self, files: Sequence[SavedFile]) -> set[SavedFile]:
        """Queue the files; returns those that could be."""
        queued = set[SavedFile]()
        # 1. A library's files come from their source again, by their items.
        pictures = {file.n: file for file in files if file.kind == "library"}
        for name, found in (await self._db.read(library.items_by_number, list(pictures))).items():
            missing_files = self._missing_files(name)
            if missing_files is not None:
                # An item that is `present` would not be fetched.
                await self._db.run(library.mark_missing, [item.n for item in found])
                await missing_files.queue(found)
                await missing_files.close()
                queued |= {pictures[item.n] for item in found}
        # 2. Downloads are asked for once more, with what their rows know.
        saved = [file for file in files if file.kind == "download"]
        items = await self._db.read(saved_files.items_to_repeat, saved)
        if items:
            entered = await self._intake.add(list(items.values()), via="cli", title="Repair")
            refused = {rejected.index for rejected in entered.receipt.rejected}
            repeated = {file for index, file in enumerate(items) if index not in refused}
            # The new download has a row of its own: the old one no longer vouches for a file.
            await self._db.run(saved_files.forget_paths, repeated)
            queued |= repeated
        return queued


def stem_of(item: StoredItem) -> str:
    """The file's name without its ending: the media key made safe, else a hash of the identity."""
    if item.media_key:
        return filenames.safe(item.media_key, LONGEST_STEM_BYTES)
    return hashlib.sha256(item.ident.encode()).hexdigest()[:32]


def new_download(
    item: StoredItem, source: SourceFolder, host: str, now: float, *, folder: str | None = None
) -> New:
    """The item as a download: its identity, its folder, what it must be."""
    return New(
        key=item.key,
        url=f"{item.source}:{item.name}",
        host=host,
        order=Order(
            root=str(source.path),
            folder=folder if folder is not None else source.day_of(item.created, now),
            stem=stem_of(item),
            mtime=item.created,
            # A promise of a medium: login pages are refused, unknown bytes are not.
            kind="video" if item.kind == "video" else "image",
            checksum=f"sha-256={item.remote_sha256}" if item.remote_sha256 else None,
        ),
        source=item.source,
        again=True,
    )


def without_file(items: Sequence[StoredItem]) -> list[StoredItem]:
    """Those items whose file is not where it was saved, with the size it had. Blocking."""

    def is_here(item: StoredItem) -> bool:
        if item.path is None:
            return False
        try:
            size = Path(item.path).stat().st_size
        except OSError:
            return False
        return item.size is None or size == item.size

    return [item for item in items if not is_here(item)]


def files_under(folder: Path) -> Iterator[list[str]]:
    """Finished files below a folder, in chunks. Blocking."""
    chunk: list[str] = []
    for where, names in walk_folders(folder):
        for name in names:
            # Hidden files are other programs' (`.DS_Store`); the endings are our own unfinished files.
            if not name.startswith(".") and not name.endswith(NO_PICTURES):
                chunk.append(str(Path(where) / name))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def size_if_fit(path: str, item: StoredItem) -> int | None:
    """The size of a stray file if it can be the item's, else None. Blocking.

    It has the size and checksum that the source told, as far as it told them, and it is no page or
    archive by its first bytes. The name alone would not do: anybody may have put it there.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if not size or item.remote_size not in {None, size}:
                return None
            content = sniff(file.read(HEAD))
            if content is not None and content.kind not in {"image", "video", "audio"}:
                return None
            file.seek(0)
            sha256 = item.remote_sha256
            if sha256 and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return None
    except OSError:
        return None
    return size
