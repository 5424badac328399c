"""Taking a batch back: what is left is cancelled, what arrived goes to the trash.

That it is to be taken back is durable before anything else happens, so a kill at any point only
delays it: the next start goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from weakref import WeakValueDictionary

from trayagent.agent.queue import Queue
from trayagent.agent.trash import Trash
from trayagent.model.batch import Batch
from trayagent.model.errors import TrayagentError
from trayagent.store import batches, undo
from trayagent.store.database import Database

log = logging.getLogger(__name__)


class TrashError(TrayagentError):
    """Some files stay where they are."""


class Undo:
    """Only the batch's own downloads: one that it shares with an older request stays."""

    def __init__(self, db: Database, queue: Queue, trash: Trash) -> None:
        self._db = db
        self._queue = queue
        self._trash = trash
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self) -> None:
        """Finish what an earlier run began."""
        for id in await self._db.read(undo.unfinished_undos):
            try:
                await self.batch(id)
            except TrayagentError as error:
                log.warning("%s could not be undone: %s", id, error.message)
            except Exception:  # one batch's trouble must not keep the agent from starting
                log.exception("%s could not be undone", id)

    async def batch(self, id: str) -> Batch:
        """Undo one batch; synced items among it are not fetched again.

        Whoever asks again while it is at work waits for the same end, and later for nothing. Raises
        NotFoundError, and TrashError when some files could not go; then it may be asked again.
        """
        id = batches.public_id(batches.number(id))
        async with self._turns.setdefault(id, asyncio.Lock()):
            if await self._db.run(undo.begin, id, time.time()):
                await self._take_back(id)
        return await self._db.read(batches.get, id)

    async def _take_back(self, id: str) -> None:
        n = batches.number(id)
        await self._queue.cancel_batch(id)
        stuck = await self._to_the_trash(n)
        after: int | None = 0
        while after is not None:
            after = await self._db.run(undo.ignore_items, n, after)
        await self._db.run(undo.end, id, whole=not stuck)
        if stuck:
            raise TrashError(
                "not_in_trash",
                f"{stuck} {'file' if stuck == 1 else 'files'} could not be moved to the trash.",
                "Check the permissions of the folder, then undo it again.",
            )

    async def _to_the_trash(self, batch: int) -> int:
        """Returns how many files the trash would not have; one of them holds up no other."""
        after = stuck = 0
        while files := await self._db.read(undo.completed_files, batch, after):
            for n, path in files:
                try:
                    await self._trash.put(Path(path))
                except OSError as error:
                    log.warning("%s stays: %s", path, error)
                    stuck += 1
                else:
                    await self._queue.taken_back(n, Path(path).name)
            after = files[-1][0]
        return stuck
