"""Any paginated JSON API that the settings describe."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from trayagent.model import config, sizes, urls
from trayagent.model.download import ErrorInfo
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Request, Target
from trayagent.sources import json_mapping
from trayagent.sources.api_client import ApiAnswer, SourceClient, refusal
from trayagent.sources.json_auth import Auth
from trayagent.sources.json_files import Files
from trayagent.sources.json_web import JsonWeb, put, with_query
from trayagent.sources.source import CursorError, CutOffError, Secrets, SourceError, not_signed_in

PAGE_SIZE: Final = 50
MANY: Final = 200
"""Items of a page."""


class JsonApi:
    """A source, and the resolver of its items. Secrets go to the origin of `base` only."""

    type = "json"

    def __init__(self, settings: config.Source, web: SourceClient, secrets: Secrets) -> None:
        self.name = settings.name
        self.host = urls.authority(settings.base)
        self.page_delay = sizes.parse_range(settings.page_delay)
        self._base = settings.base.rstrip("/")
        self._list = settings.list
        self._page = settings.page
        self._item = settings.item
        self._style: str = settings.page.get("style", "cursor")
        self._size = int(settings.list.get("page_size", PAGE_SIZE))
        self._named = web.named
        self._dates: deque[Any] = deque(maxlen=json_mapping.NEIGHBOURS)
        self._auth = Auth(settings.name, settings.auth, secrets, urls.origin(settings.base)[1])
        self._web = JsonWeb(settings.name, self._base, web, self._auth)
        self._files = Files(settings.fetch, self._base, self._web, self.page)

    def __repr__(self) -> str:
        return f"<JsonApi {self.name}>"

    async def has_secrets(self) -> bool:
        """Whether all secrets that the settings name are kept."""
        return await self._auth.is_complete()

    async def account(self) -> Account:
        """One source is one account; it has no other name."""
        if not await self._auth.is_complete():
            raise not_signed_in(self.name)
        return Account("default")

    async def sign_in(self, text: str) -> Account:
        """Keep the secret (or `name=value` lines, where there are several), if page one then works."""
        given = await asyncio.to_thread(self._auth.given, text)
        before = await self._auth.kept(given)
        await self._auth.keep(given)
        try:
            account = await self.account()
            await self.page(None)
        except (SourceError, DownloadError):
            await self._auth.keep(before)
            raise
        return account

    async def sign_out(self) -> None:
        """Forget all secrets."""
        await self._auth.forget()

    async def page(self, cursor: str | None) -> Page:
        """One page, in the server's order."""
        answer = await self._web.get(self._address(cursor))
        self._judge(answer, cursor)
        body = await answer.json()
        rows = json_mapping.at_path(body, self._page["items"])
        if not isinstance(rows, list):
            raise SourceError(
                "bad_answer",
                f"The answer of {self.name} holds no list of items.",
                "Check page.items.",
            )
        items, undated = await self._items(rows)
        if rows and not items:
            raise SourceError(
                "bad_answer", f"No item of {self.name} has an id.", "Check item.id in its settings."
            )
        following, cut_off = None, None
        try:
            following = self._following(cursor, body, answer, len(rows))
        except CutOffError as error:
            cut_off = ErrorInfo(error.code, error.message, error.action)
        return Page(items, following, len(rows) - len(items), undated, cut_off)

    async def _items(self, rows: list[Any]) -> tuple[tuple[Listed, ...], int]:
        """The items of a page, and how many of them have a date that is not understood."""
        work = partial(json_mapping.items, rows, self._item, self._base, tuple(self._dates))
        # A page of many items is no work for the loop.
        mapped = await asyncio.to_thread(work) if len(rows) > MANY else work()
        self._dates.extend(mapped.dates)
        remembered = zip(mapped.items, mapped.rows, strict=True)
        return tuple(self._files.remember(item, row) for item, row in remembered), mapped.undated

    def recall(self, item: Listed) -> None:
        """What the library knows of an item that is about to be fetched."""
        self._files.recall(item)

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content:
        """The configured address first, the item's fallback after it; the first error is the cause."""
        del target, note
        return await self._files.answer(key.partition("/")[2], failure)

    def _judge(self, answer: ApiAnswer, cursor: str | None) -> None:
        if answer.status in {401, 403}:
            raise not_signed_in(self.name)
        if answer.status in {400, 404, 410} and cursor is not None:
            raise CursorError
        if 400 <= answer.status < 500 and answer.status not in {404, 408, 410}:
            raise SourceError(
                "bad_request",
                f"{self.name} does not take the question for its list (HTTP {answer.status}).",
                "Check list in its settings.",
            )
        if answer.status >= 300 or answer.host not in self._named:
            raise refusal(answer)

    def _address(self, cursor: str | None) -> str:
        if cursor is not None and self._style in {"next_url", "link_header"}:
            return self._web.own(cursor)
        values = {
            "base": self._base,
            "page_size": str(self._size),
            "cursor": (cursor or "") if self._style == "cursor" else "",
            "page": cursor or "1",
            "offset": cursor or "0",
        }
        query = {
            name: json_mapping.fill(str(one), values)
            for name, one in self._list.get("query", {}).items()
        }
        address = json_mapping.fill(self._list["url"], values, put(self._base))
        return with_query(address, {name: value for name, value in query.items() if value})

    def _following(self, cursor: str | None, body: Any, answer: ApiAnswer, rows: int) -> str | None:
        """The cursor of the page after, None at the end. Raises CutOffError."""
        told = json_mapping.at_path(body, self._page["next"]) if self._page.get("next") else None
        match self._style:
            case "page" | "offset":
                here = int(cursor or (1 if self._style == "page" else 0))
                # Without `page.next` an empty page is the end; with it the server's word counts.
                more = rows > 0 if not self._page.get("next") else told
                return json_mapping.count(more, here + (1 if self._style == "page" else rows))
            case "next_url":
                address = json_mapping.next_address(told)
            case "link_header":
                address = json_mapping.linked_next(answer.links)
            case _:
                word = json_mapping.cursor(told)
                if word is not None and len(self._address(word)) > urls.MAX_LENGTH:
                    raise CutOffError("its cursor is too long for an address")
                return word
        return None if address is None else self._web.page_address(address, answer.url)
