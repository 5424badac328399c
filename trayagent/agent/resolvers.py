"""Who resolves the downloads of each source: live, as sources come and go."""

from __future__ import annotations

from collections.abc import Callable

from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Made, Request, Resolver, Target


class Resolvers(dict[str, Resolver]):
    """A source that left the settings still has downloads in the history."""

    def __missing__(self, name: str) -> Resolver:
        return _Removed()


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
