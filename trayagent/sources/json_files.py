"""One file of a JSON API: the configured address first, then the item's fallback, then a fresh one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from trayagent.model.errors import DownloadError
from trayagent.model.library import Listed, Page
from trayagent.model.transfer import Content, Request
from trayagent.sources import json_mapping
from trayagent.sources.api_client import MEDIA_LIMIT, decode_base64, refusal
from trayagent.sources.json_web import JsonWeb, put
from trayagent.sources.recent import Recent
from trayagent.sources.source import SourceError, download_error

SEARCH: Final = 200
"""Pages read at most to find a fresh link again."""


@dataclass(frozen=True, slots=True)
class Links:
    """An item's addresses as they were listed; what may be signed is kept in memory only."""

    link: str | None = field(repr=False)
    fallback: str | None = field(repr=False)


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
        self._links: Recent[Links] = Recent(20_000)
        self._items: Recent[Listed] = Recent(256)
        self._trials: Recent[_Trial] = Recent(256)
        self._searching = asyncio.Lock()

    def remember(self, item: Listed, row: Any) -> Listed:
        """The listing has just shown this; returns the item without what may be signed."""
        fallback = (
            json_mapping.link(json_mapping.at_path(row, self._where_fallback), f"{self._base}/")
            if self._where_fallback
            else None
        )
        signed = item.link if item.link and "?" in item.link else None
        if signed or fallback:
            self._links.put(item.ident, Links(item.link, fallback))
        return replace(item, link=None) if signed else item

    def recall(self, item: Listed) -> None:
        """What the library knows of an item that is about to be fetched."""
        self._items.put(item.ident, item)

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
        address = json_mapping.fill(self._template, values, put(self._base, values.get("url", "")))
        if not self._base64:
            return await self._web.request(address)
        answer = await self._web.get(address, MEDIA_LIMIT)
        if answer.status >= 300:
            raise refusal(answer)
        data = json_mapping.at_path(await answer.json(), self._base64)
        if not isinstance(data, str) or not data:
            raise DownloadError("no_media_found", "the answer holds no data")
        return Content(
            await asyncio.to_thread(decode_base64, re.sub(r"^data:[^,]*,|\s+", "", data))
        )

    async def _fallback(self, ident: str, trial: _Trial) -> Request:
        assert trial.cause is not None
        # First the link that we know of, then one from a fresh listing, since links expire.
        while self._where_fallback and trial.steps < 2:
            trial.steps += 1
            links = await self._find(ident, fresh=trial.steps == 2)
            if links is not None and links.fallback is not None:
                return await self._web.request(links.fallback)
        raise trial.cause

    async def _values(self, ident: str) -> dict[str, str]:
        item = self._items.get(ident) or Listed(ident, ident)
        values = {
            "base": self._base,
            "id": ident,
            "name": item.name,
            "kind": item.kind,
            "url": item.link or "",
        }
        if "url" in json_mapping.fields(self._template) and not item.link:
            links = await self._find(ident)
            if links is None or links.link is None:
                raise DownloadError("link_expired", "the library no longer lists it")
            values["url"] = links.link
        return values

    async def _find(self, ident: str, *, fresh: bool = False) -> Links | None:
        before = self._links.get(ident)
        if before is not None and not fresh:
            return before
        async with self._searching:
            if self._links.get(ident) is before:  # nobody else has listed it meanwhile
                await self._search(ident)
        return self._links.get(ident)

    async def _search(self, ident: str) -> None:
        """Read pages until the item comes by; all that comes by is known afresh."""
        cursor, asked = None, set[str]()
        for _ in range(SEARCH):
            page = await self._page(cursor)
            cursor = page.next
            if cursor is None or cursor in asked or any(item.ident == ident for item in page.items):
                return
            asked.add(cursor)
