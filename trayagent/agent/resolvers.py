"""Who resolves the downloads of each source: live, as sources come and go."""

from __future__ import annotations

from collections.abc import Callable

from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Made, Request, Resolver, Target
from trayagent.sources.source import Source
from trayagent.store import library
from trayagent.store.database import Database


class Resolvers(dict[str, Resolver]):
    """A source that left the settings still has downloads in the history."""

    def __missing__(self, name: str) -> Resolver:
        return _Removed()


class Recalling:
    """A source as the pool asks it: the library tells it first what it knows of the item."""

    def __init__(self, source: Source, db: Database) -> None:
        self._source = source
        self._db = db

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """See `model.transfer.Resolver`."""
        if failure is None and (item := await self._db.read(library.listed_item, key)) is not None:
            self._source.recall(item)
        return await self._source.resolve(key, target, failure, note)


class _Removed:
    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content | Made:
        """Nobody knows any longer where the file is."""
        del key, target, failure, note
        raise DownloadError("not_found", "its source is no longer in the settings")
