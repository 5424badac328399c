"""What is left of a list when its last line is settled: the report, and the lines to drop again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from trayagent.agent.drops.folder import DONE, FAILED, DropFolder, parts
from trayagent.files import retry_shared
from trayagent.lists import START, Line, dialect_for
from trayagent.lists.aria2 import write as write_list
from trayagent.model.downloads import Batch, Entry, Item
from trayagent.store import batches, drop_lists
from trayagent.store.database import Database
from trayagent.store.drop_lists import OpenList
from trayagent.transfer.failpoints import failpoint

PAGE: Final = 2000
"""Lines of a report read and written in one go."""
BAD: Final = frozenset({"failed", "rejected"})


class ReportWriter:
    """Writes report and retry list first, then moves the list; every step can be done again."""

    def __init__(self, db: Database, folder: DropFolder) -> None:
        self._db = db
        self._folder = folder

    async def file(self, list_: OpenList) -> Path:
        """File a list whose batch is finished; returns where it lies. Raises OSError."""
        batch = await self._db.read(batches.get, batches.public_id(list_.batch))
        bad = bool(BAD & {outcome for outcome, count in batch.counts.items() if count})
        place = list_.place
        if place is None:
            place = await asyncio.to_thread(
                self._folder.free_place, list_.name, FAILED if bad else DONE
            )
            await self._db.run(drop_lists.keep_filed_path, list_.batch, place)
        final = self._folder.root / place
        if not await asyncio.to_thread(self._folder.is_filed, list_.name, place):
            await self._write_and_move(batch, list_, place, bad=bad)
        failpoint("list-after-move")
        await self._db.run(drop_lists.mark_filed, list_.batch, str(final))
        return final

    async def _write_and_move(
        self, batch: Batch, list_: OpenList, place: str, *, bad: bool
    ) -> None:
        final = self._folder.root / place
        failpoint("list-before-report")
        _, report, retry = parts(final.name)
        await self._write_report(batch, final.with_name(report), final.name)
        failpoint("list-after-report")
        if bad:
            await self._write_retry(batch, list_, final.with_name(retry))
        failpoint("list-before-move")
        await asyncio.to_thread(self._folder.file, list_.name, place)

    async def _write_report(self, batch: Batch, path: Path, name: str) -> None:
        head = {
            "list": name,
            "batch": batch.id,
            "received_at": batch.created_at,
            "finished_at": batch.finished_at,
            "counts": batch.counts,
        }
        # Every piece opens the file anew: one held open here would be lost by a cancellation.
        await asyncio.to_thread(
            _add, path, msgspec.json.encode(head)[:-1] + b',"lines":[', os.O_TRUNC
        )
        comma = b"\n"
        async for page in self._pages(batch):
            await asyncio.to_thread(_add, path, comma + b",\n".join(map(_reported, page)))
            comma = b",\n"
        await asyncio.to_thread(_end, path, b"\n]}\n")

    async def _write_retry(self, batch: Batch, list_: OpenList, path: Path) -> None:
        bad = [
            entry.line
            async for page in self._pages(batch)
            for entry in page
            if entry.outcome in BAD
        ]
        await asyncio.to_thread(self._copy_lines, list_.name, frozenset(bad), path)

    async def _pages(self, batch: Batch) -> AsyncIterator[list[Entry]]:
        after = 0
        while page := await self._db.read(batches.entries, batch.id, limit=PAGE, after=after):
            yield page
            after = page[-1].line

    def _copy_lines(self, name: str, wanted: frozenset[int], path: Path) -> None:
        dialect = dialect_for(name)
        assert dialect is not None
        with self._folder.open(name) as source, _open(path, os.O_TRUNC) as file:
            for line in dialect.read(source, START):
                if line.number in wanted:
                    file.write(_again(line).encode("utf-8", "replace"))
            some = bool(file.tell())
            _sync(file)
        if some:
            retry_shared(lambda: os.replace(_fresh(path), path))
        else:  # Refused as a whole, it has no line that could be dropped again.
            _fresh(path).unlink()


def _reported(entry: Entry) -> bytes:
    return msgspec.json.encode(
        {
            "line": entry.line,
            "url": entry.url,
            "outcome": entry.outcome,
            "path": entry.path,
            "code": entry.code,
            "message": entry.message,
        }
    )


def _again(line: Line) -> str:
    item = line.item or Item(url=" ".join(line.url.split()))
    text = write_list([item]) if item.url else ""
    return text if not text or text.endswith("\n") else f"{text}\n"


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _open(path: Path, how: int) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | how
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    # The user's alone: lines to be dropped again have their cookies, headers and passwords.
    return os.fdopen(os.open(_fresh(path), flags, 0o600), "wb")


def _add(path: Path, data: bytes, how: int = os.O_APPEND) -> None:
    with _open(path, how) as file:
        file.write(data)


def _end(path: Path, tail: bytes) -> None:
    with _open(path, os.O_APPEND) as file:
        file.write(tail)
        _sync(file)
    retry_shared(lambda: os.replace(_fresh(path), path))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
