"""The end of a list: its report, the lines that can be dropped again, and its place in done/ or failed/.

films.txt               the list itself, moved out of working/
films.txt.report.json   every line with its outcome
films.txt.retry.txt     the failed and rejected lines as they were, if there are any
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from trayagent.agent.drops.folder import DONE, FAILED, DropFolder, filed_names
from trayagent.files import open_shared, remove_shared, replace_shared
from trayagent.lists import START, dialect_for
from trayagent.lists.aria2 import format_list
from trayagent.model.downloads import Batch, Entry, Item
from trayagent.store import batches, drop_lists
from trayagent.store.database import Database
from trayagent.store.drop_lists import OpenList
from trayagent.transfer.failpoints import failpoint

LINES_PER_PAGE: Final = 2000
"""Lines of a report that are read and written in one go: what of it is in memory."""
BAD_OUTCOMES: Final = frozenset({"failed", "rejected"})


class ReportWriter:
    """Files finished lists. A kill between any two steps repeats the step, with the same result.

    1. Choose where the list goes, and keep that in the database: a second try takes the same names.
    2. Write the report, then the list of lines to drop again; each appears whole or not at all.
    3. Move the list. From here on the file is the proof that step 2 is done.
    4. Mark the row as filed.
    """

    def __init__(self, db: Database, folder: DropFolder) -> None:
        self._db = db
        self._folder = folder

    async def file_list(self, drop_list: OpenList) -> None:
        """File a list whose batch is finished. Raises OSError and StoreUnavailableError."""
        batch = await self._db.read(batches.get, batches.public_id(drop_list.batch))
        is_bad = any(count and outcome in BAD_OUTCOMES for outcome, count in batch.counts.items())
        filed_path = drop_list.filed_path
        if filed_path is None:
            filed_path = await asyncio.to_thread(
                self._folder.free_path, drop_list.name, FAILED if is_bad else DONE
            )
            # Before anything is written there: a second try must not choose another name beside it.
            await self._db.run(drop_lists.keep_filed_path, drop_list.batch, filed_path)
        final = self._folder.root / filed_path
        if not await asyncio.to_thread(self._folder.is_filed, drop_list.name, filed_path):
            failpoint("list-before-report")
            _, report, retry = filed_names(final.name)
            await self._write_report(batch, final.with_name(report), final.name)
            failpoint("list-after-report")
            if is_bad:
                bad = [
                    entry.line
                    async for page in self._pages(batch)
                    for entry in page
                    if entry.outcome in BAD_OUTCOMES
                ]
                await asyncio.to_thread(
                    self._copy_lines, drop_list.name, frozenset(bad), final.with_name(retry)
                )
            failpoint("list-before-move")
            await asyncio.to_thread(self._folder.file_list, drop_list.name, filed_path)
        failpoint("list-after-move")
        await self._db.run(drop_lists.mark_filed, drop_list.batch, str(final))

    async def _write_report(self, batch: Batch, path: Path, name: str) -> None:
        """Write a JSON object with one line of text for each line of the list, page by page."""
        head = {
            "list": name,
            "batch": batch.id,
            "received_at": batch.created_at,
            "finished_at": batch.finished_at,
            "counts": batch.counts,
        }
        # Every piece opens the file anew: one held open here would be lost by a cancellation.
        start = msgspec.json.encode(head)[:-1] + b',"lines":['
        await asyncio.to_thread(_write, path, start, os.O_TRUNC)
        comma = b"\n"
        async for page in self._pages(batch):
            lines = b",\n".join(
                msgspec.json.encode(
                    {
                        "line": entry.line,
                        "url": entry.url,
                        "outcome": entry.outcome,
                        "path": entry.path,
                        "code": entry.code,
                        "message": entry.message,
                    }
                )
                for entry in page
            )
            await asyncio.to_thread(_write, path, comma + lines)
            comma = b",\n"
        await asyncio.to_thread(_write, path, b"\n]}\n", is_last=True)

    async def _pages(self, batch: Batch) -> AsyncIterator[list[Entry]]:
        after = 0
        while page := await self._db.read(
            batches.entries, batch.id, limit=LINES_PER_PAGE, after=after
        ):
            yield page
            after = page[-1].line

    def _copy_lines(self, name: str, numbers: frozenset[int], path: Path) -> None:
        """Copy these lines of a list in working/, as aria2 writes them. Blocks, raises OSError."""
        dialect = dialect_for(name)
        assert dialect is not None  # only names with a dialect are taken
        with self._folder.open(name) as source, _open(path, os.O_TRUNC) as file:
            for line in dialect.read(source, START):
                # Of a broken line only its address is known; of a list that is refused as a whole,
                # not even that: it has no line that could be dropped again.
                item = line.item or Item(url=" ".join(line.url.split()))
                if line.number in numbers and item.url:
                    file.write(format_list([item]).encode("utf-8", "replace"))
            is_empty = not file.tell()  # an empty list to drop again would only confuse
            _sync(file)
        if is_empty:
            remove_shared(_temporary_path(path))
        else:
            replace_shared(_temporary_path(path), path)


def _temporary_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _open(path: Path, how: int) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | how
    # Others may write to a drop folder: a link that lies there is not written through.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    # The user's alone: lines to be dropped again have their cookies, headers and passwords.
    return os.fdopen(open_shared(_temporary_path(path), flags, 0o600), "wb")


def _write(path: Path, data: bytes, how: int = os.O_APPEND, *, is_last: bool = False) -> None:
    """Write a piece of a file; the last one makes it durable and gives it its name."""
    with _open(path, how) as file:
        file.write(data)
        if is_last:
            _sync(file)
    if is_last:
        replace_shared(_temporary_path(path), path)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
