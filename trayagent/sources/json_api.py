"""Any paginated JSON API that the settings describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from trayagent.model import config, sizes, urls
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Request, Target
from trayagent.sources import json_read, paths
from trayagent.sources.json_auth import Auth
from trayagent.sources.json_files import Files
from trayagent.sources.json_web import JsonWeb, put, with_query
from trayagent.sources.source import CursorError, Secrets, SourceError, signed_out
from trayagent.sources.web import Answer, Web, judged

PAGE_SIZE: Final = 50


class JsonApi:
    """A source, and the resolver of its items. Secrets go to the origin of `base` only."""

    type = "json"

    def __init__(self, settings: config.Source, web: Web, secrets: Secrets) -> None:
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
        self._auth = Auth(settings.name, settings.auth, secrets)
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
            raise signed_out(self.name)
        return Account("default")

    async def sign_in(self, text: str) -> Account:
        """Keep the secret (or `name=value` lines, where there are several), if page one then works."""
        given = self._auth.given(text)
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
        rows = paths.at(body, self._page["items"])
        if not isinstance(rows, list):
            raise SourceError(
                "bad_answer",
                f"The answer of {self.name} holds no list of items.",
                "Check page.items.",
            )
        found = [self._listed(row) for row in rows]
        items = tuple(item for item in found if item is not None)
        if rows and not items:
            raise SourceError(
                "bad_answer", f"No item of {self.name} has an id.", "Check item.id in its settings."
            )
        following = self._following(cursor, body, answer, len(rows)) if rows else None
        return Page(items, following, broken=len(found) - len(items))

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

    def _listed(self, row: Any) -> Listed | None:
        item = json_read.item(row, self._item, self._base)
        return self._files.remember(item, row) if item is not None else None

    def _judge(self, answer: Answer, cursor: str | None) -> None:
        if answer.status in {401, 403}:
            raise signed_out(self.name)
        if answer.status in {400, 404, 410} and cursor is not None:
            raise CursorError
        if answer.status >= 300 or answer.host not in self._named:
            raise judged(answer)

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
            name: paths.filled(str(one), values)
            for name, one in self._list.get("query", {}).items()
        }
        address = paths.filled(self._list["url"], values, put(self._base))
        return with_query(address, {name: value for name, value in query.items() if value})

    def _following(self, cursor: str | None, body: Any, answer: Answer, rows: int) -> str | None:
        told = paths.at(body, self._page["next"]) if self._page.get("next") else None
        match self._style:
            case "page":
                return self._counted(told, int(cursor or 1) + 1)
            case "offset":
                return self._counted(told, int(cursor or 0) + rows)
            case "next_url":
                return self._stored(told)
            case "link_header":
                return self._stored(json_read.linked_next(", ".join(answer.links)))
            case _:
                return json_read.text(told)

    def _counted(self, told: Any, following: int) -> str | None:
        # Without `page.next` an empty page is the end; with it the server's word counts.
        if not self._page.get("next") or told is True:
            return str(following)
        word = json_read.text(told)
        return word if word and word.isdecimal() else None

    def _stored(self, told: Any) -> str | None:
        """The next page's address without our own secrets, since cursors are kept in the database."""
        address = json_read.link(told, self._base)
        if address is None:
            return None
        parts = urlsplit(self._web.own(address))
        ours = self._auth.query_names
        if not ours:
            return address
        pairs = [
            pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in ours
        ]
        return urlunsplit(parts._replace(query=urlencode(pairs)))
