"""One file of a JSON API: the configured address first, then the item's fallback, then a fresh one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trayagent.model.errors import DownloadError
from trayagent.model.library import Listed, Page
from trayagent.model.transfer import Content, Request
from trayagent.sources import json_read, paths
from trayagent.sources.base64s import decoded
from trayagent.sources.json_web import JsonWeb, put
from trayagent.sources.recent import Recent
from trayagent.sources.source import SourceError, download_error
from trayagent.sources.web import MEDIA_LIMIT, judged

SEARCH: Final = 200
"""Pages read at most to find a fresh link again."""


@dataclass(frozen=True, slots=True)
class Known:
    """An item as it was listed, with its signed links: in memory only."""

    item: Listed
    row: Any = field(repr=False)


@dataclass(slots=True)
class _Trial:
    cause: DownloadError | None = None
    steps: int = 0
    """Fallbacks tried."""


class Files:
    """Answers what to fetch next for an item."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        base: str,
        web: JsonWeb,
        page: Callable[[str | None], Awaitable[Page]],
    ) -> None:
        self._template: str = settings.get("url") or "{url}"
        self._base64: str = settings.get("base64") or ""
        self._where_fallback: str = settings.get("fallback") or ""
        self._base = base
        self._web = web
        self._page = page
        self._known: Recent[Known] = Recent(20_000)
        self._trials: Recent[_Trial] = Recent(256)
        self._searching = asyncio.Lock()

    def remember(self, known: Known) -> None:
        """The listing has just shown this."""
        self._known.put(known.item.ident, known)

    async def answer(self, ident: str, failure: DownloadError | None) -> Content | Request:
        """The next thing to try. Raises DownloadError, the first cause, when nothing is left."""
        trial = self._trials.get(ident)
        if failure is None or trial is None:
            trial = _Trial()
            self._trials.put(ident, trial)
        try:
            if failure is None:
                try:
                    return await self._first(ident)
                except DownloadError as error:
                    failure = error
            trial.cause = trial.cause or failure
            return await self._fallback(ident, trial)
        except SourceError as error:
            raise download_error(error) from error

    async def _first(self, ident: str) -> Content | Request:
        values = await self._values(ident)
        address = paths.filled(self._template, values, put(self._base, values.get("url", "")))
        if not self._base64:
            return await self._web.request(address)
        answer = await self._web.get(address, MEDIA_LIMIT)
        if answer.status >= 300:
            raise judged(answer)
        data = paths.at(await answer.json(), self._base64)
        if not isinstance(data, str) or not data:
            raise DownloadError("no_media_found", "the answer holds no data")
        return Content(await asyncio.to_thread(decoded, re.sub(r"^data:[^,]*,|\s+", "", data)))

    async def _fallback(self, ident: str, trial: _Trial) -> Request:
        assert trial.cause is not None
        # First the link that we know of, then one from a fresh listing, since links expire.
        while self._where_fallback and trial.steps < 2:
            trial.steps += 1
            known = await self._find(ident, fresh=trial.steps == 2)
            link = (
                json_read.link(paths.at(known.row, self._where_fallback), self._base)
                if known
                else None
            )
            if link is not None:
                return await self._web.request(link)
        raise trial.cause

    async def _values(self, ident: str) -> dict[str, str]:
        values = {"base": self._base, "id": ident}
        wanted = set(paths.fields(self._template)) - values.keys()
        if wanted:
            known = await self._find(ident)
            if known is None or ("url" in wanted and not known.item.link):
                raise DownloadError("link_expired", "the library no longer lists it")
            values |= {
                "name": known.item.name,
                "kind": known.item.kind,
                "url": known.item.link or "",
            }
        return values

    async def _find(self, ident: str, *, fresh: bool = False) -> Known | None:
        before = self._known.get(ident)
        if before is not None and not fresh:
            return before
        async with self._searching:
            if self._known.get(ident) is before:  # nobody else has listed it meanwhile
                await self._search(ident)
        return self._known.get(ident)

    async def _search(self, ident: str) -> None:
        """Read pages until the item comes by; all that comes by is known afresh."""
        cursor, asked = None, set[str]()
        for _ in range(SEARCH):
            page = await self._page(cursor)
            cursor = page.next
            if cursor is None or cursor in asked or any(item.ident == ident for item in page.items):
                return
            asked.add(cursor)
