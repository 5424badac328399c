"""Checksums are filled in behind a download, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.agent.running_queue import running_queue
from trayagent.agent.bus import Bus
from trayagent.agent.library.verify import Hasher
from trayagent.model.errors import StoreUnavailableError
from trayagent.store import downloads, saved_files
from trayagent.store.database import Database
from trayagent.store.saved_files import SavedFile


async def test_a_store_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """A checksum that cannot be saved is computed again behind the next download."""
    async with running_queue(tmp_path) as h, asyncio.TaskGroup() as group:
        run, refused, hashed = h.db.run, asyncio.Event(), asyncio.Event()

        async def once(fn: Any, *args: Any, **kwargs: Any) -> Any:
            if fn is downloads.keep_checksums and not refused.is_set():
                refused.set()
                raise StoreUnavailableError("disk full")
            result = await run(fn, *args, **kwargs)
            if fn is downloads.keep_checksums:
                hashed.set()
            return result

        with patch.object(h.db, "run", once):
            task = group.create_task(Hasher(h.db, h.bus).run(), name="hasher")
            (first,) = await h.settled(*await h.add("http://h/1"))
            await refused.wait()
            await h.settled(*await h.add("http://h/2"))
            await hashed.wait()
            task.cancel()
        found = await h.queries.download(first.id)

    assert found.sha256 == hashlib.sha256(b"abc").hexdigest()


async def test_a_file_that_is_gone_is_looked_for_once(tmp_path: Path) -> None:
    """Neither a moved file nor a row that lost its file is asked for again behind every download."""
    async with running_queue(tmp_path) as h:
        first, second = await h.settled(*await h.add("http://h/1", "http://h/2"))
        Path(first.path or "").unlink()
        lost = SavedFile("download", downloads.number(second.id), second.path or "", 3, None)
        await h.db.run(saved_files.forget_paths, [lost])
        run, noted = h.db.run, asyncio.Event()

        async def watched(fn: Any, *args: Any, **kwargs: Any) -> Any:
            result = await run(fn, *args, **kwargs)
            if fn is downloads.keep_checksums:
                noted.set()
            return result

        async with asyncio.TaskGroup() as group:
            with patch.object(h.db, "run", watched):
                task = group.create_task(Hasher(h.db, h.bus).run(), name="hasher")
                await noted.wait()
                task.cancel()

        assert await h.db.read(downloads.checksums_missing, 0) == []
        assert (await h.queries.download(first.id)).sha256 is None


async def test_a_file_that_was_changed_gets_no_checksum(tmp_path: Path) -> None:
    """What was written over a file later is never taken for what arrived."""
    async with running_queue(tmp_path) as h:
        (done,) = await h.settled(*await h.add("http://h/1"))
        await h.db.run(downloads.keep_checksums, [(downloads.number(done.id), ("f" * 64, 7))])
        assert (await h.queries.download(done.id)).sha256 is None
        assert await h.db.read(downloads.checksums_missing, 0) == []


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/zero is the file without an end")
async def test_a_large_file_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    """Cancelled in the middle of a file, the hasher lets go of it at once."""
    db, asked = Database.open(tmp_path / "db"), asyncio.Event()

    async def endless(*_: Any) -> list[tuple[int, str]]:
        asked.set()
        return [(1, "/dev/zero")]

    with patch.object(db, "read", endless):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(Hasher(db, Bus()).run(), name="hasher")
            await asked.wait()
            await asyncio.sleep(0)
            task.cancel()
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().shutdown_default_executor()
    db.close()
