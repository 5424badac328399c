"""Small pictures of downloaded pictures and videos, for the rows of a list; made when they are first looked at."""

from __future__ import annotations

from pathlib import Path

from trayagent.agent.library.thumbnails import Thumbnails
from trayagent.model.downloads import State
from trayagent.model.errors import NotFoundError
from trayagent.model.file_types import type_of
from trayagent.store import downloads
from trayagent.store.database import Database


class Previews:
    """As the thumbnails of a library, in a folder of their own; for the front loop."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._thumbnails = Thumbnails(folder)

    async def preview(self, id: str) -> bytes:
        """The JPEG of a finished download; raises NotFoundError where there can be none."""
        download = await self._db.read(downloads.get, id)
        path = download.path or ""
        is_seen = type_of(path.rpartition(".")[2].lower()) in ("image", "video")
        if download.state != State.COMPLETED or not is_seen:
            raise NotFoundError(
                "no_thumbnail", "There is no small picture of it.", "Open the file."
            )
        return await self._thumbnails.thumbnail(downloads.number(download.id), path)

    async def run(self) -> None:
        """Remove those that are of no use any more, until cancelled."""
        await self._thumbnails.run(
            lambda numbers: self._db.read(downloads.paths_of_numbers, numbers)
        )
