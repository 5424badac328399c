"""The files of a library's items: where one is, and putting some into the trash."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from trayagent.agent.queue.commands import Trash, TrashError
from trayagent.model.errors import NotFoundError
from trayagent.model.wording import show_count
from trayagent.store import library
from trayagent.store.database import Database

log = logging.getLogger(__name__)


class AlbumFiles:
    """Finds and removes the files of items; for the front loop."""

    def __init__(self, db: Database, trash: Trash) -> None:
        self._db = db
        self._trash = trash

    async def file_of(self, source: str, item: str) -> Path:
        """Where the file of the item with this media key or name is; raises NotFoundError."""
        found = await self._db.read(library.item_of_id, source, item)
        if found is None or found.path is None:
            raise NotFoundError(
                "not_found", "Its file is not here.", f"See: trayagent source items {source}"
            )
        return Path(found.path)

    async def put_in_trash(self, source: str, names: Sequence[str]) -> int:
        """Put the files of items into the trash, and fetch them no more; returns how many went.

        Raises TrashError when the trash would not have some; the others are gone then.
        """
        items, _ = await self._db.read(library.items_named, source, names)
        done = stuck = 0
        for item in items:
            if item.path is None:
                continue
            # The file first: an item that is marked while its file stays would be lost to the album.
            try:
                await self._trash.put(Path(item.path))
            except OSError as error:
                log.warning("%s stays: %s", item.path, error)
                stuck += 1
            else:
                await self._db.run(library.mark_ignored, item.key)
                done += 1
        if stuck:
            raise TrashError(
                "not_in_trash",
                f"{show_count(stuck, 'file')} could not be moved to the trash.",
                "Check the permissions of the folder.",
            )
        return done
