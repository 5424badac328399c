"""Any paginated JSON API that the settings describe."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from trayagent.model import config, sizes, urls
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Request, Target
from trayagent.sources import json_read, paths
from trayagent.sources.flow_media import decoded
from trayagent.sources.recent import Recent
from trayagent.sources.source import CursorError, Secrets, SourceError, signed_out
from trayagent.sources.web import MEDIA_LIMIT, Answer, Web, judged

PAGE_SIZE: Final = 50
SEARCH: Final = 200
"""Pages read at most to find a fresh link again."""


class JsonApi:
    """A source, and the resolver of its items. Secrets go to the origin of `base` only."""

    type = "json"

    def __init__(self, settings: config.Source, web: Web, secrets: Secrets) -> None:
        self.name = settings.name
        self.host = urls.authority(settings.base)
        self.page_delay = sizes.parse_range(settings.page_delay)
        self._settings = settings
        self._base = settings.base.rstrip("/")
        self._web = web
        self._secrets = secrets
        self._size = int(settings.list.get("page_size", PAGE_SIZE))
        # Links may be signed, so what has a query lives in memory only, and is listed again when lost.
        self._items: Recent[tuple[Listed, str | None]] = Recent(20_000)
        self._causes: Recent[tuple[DownloadError, int]] = Recent(256)
        self._searching = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<JsonApi {self.name}>"

    # --- signing in ---

    @property
    def _wanted(self) -> list[str]:
        templates = [
            *self._settings.auth.get("headers", {}).values(),
            *self._settings.auth.get("query", {}).values(),
        ]
        found = [
            field.partition(":")[2] for one in templates for field in paths.fields(str(one)) if ":" in field
        ]
        return list(dict.fromkeys(found))

    async def has_secrets(self) -> bool:
        """Whether all secrets that the settings name are kept."""
        return all([await self._secrets.get(self._secret_name(name)) for name in self._wanted])

    async def account(self) -> Account:
        """One source is one account; it has no other name."""
        if not await self.has_secrets():
            raise signed_out(self.name)
        return Account("default")

    async def sign_in(self, text: str) -> Account:
        """Keep the secret (or `name=value` lines, where there are several), if page one then works."""
        given = self._given(text)
        before = {name: await self._secrets.get(self._secret_name(name)) for name in given}
        for name, value in given.items():
            await self._secrets.set(self._secret_name(name), value)
        try:
            account = await self.account()
            await self.page(None)
        except (SourceError, DownloadError):
            await self._restore(before)
            raise
        return account

    async def sign_out(self) -> None:
        """Forget all secrets."""
        await self._restore(dict.fromkeys(self._wanted))

    def _given(self, text: str) -> dict[str, str]:
        wanted = self._wanted
        if len(wanted) == 1:
            return {wanted[0]: "".join(text.split())}
        pairs = dict(line.strip().split("=", 1) for line in text.splitlines() if "=" in line)
        if not wanted or not set(pairs) <= set(wanted) or not pairs:
            needs = (
                f"Give one line for each of: {', '.join(wanted)} (name=value)."
                if wanted
                else "It needs no secret."
            )
            raise SourceError("no_secret", f"This is not what {self.name} needs.", needs)
        return pairs

    async def _restore(self, secrets: Mapping[str, str | None]) -> None:
        for name, value in secrets.items():
            if value is None:
                await self._secrets.delete(self._secret_name(name))
            else:
                await self._secrets.set(self._secret_name(name), value)

    def _secret_name(self, name: str) -> str:
        return f"{self.name}/{name}"

    # --- listing ---

    async def page(self, cursor: str | None) -> Page:
        """One page, in the server's order."""
        answer = await self._get(self._page_url(cursor))
        self._judge(answer, cursor)
        body = await answer.json()
        rows = paths.at(body, self._settings.page["items"])
        if not isinstance(rows, list):
            raise SourceError(
                "bad_answer", f"The answer of {self.name} holds no list of items.", "Check page.items."
            )
        found = [self._noted(row) for row in rows]
        items = tuple(item for item in found if item is not None)
        following = self._following(cursor, body, answer, len(rows)) if rows else None
        return Page(items, following, broken=len(found) - len(items))

    def _noted(self, row: Any) -> Listed | None:
        item = json_read.item(row, self._settings.item, self._base)
        if item is None:
            return None
        where = self._settings.fetch.get("fallback")
        fallback = json_read.link(paths.at(row, where), self._base) if where else None
        self._items.put(item.ident, (item, fallback))
        keep = item.link if item.link and "?" not in item.link else None
        return Listed(**{name: getattr(item, name) for name in item.__struct_fields__} | {"link": keep})

    def _judge(self, answer: Answer, cursor: str | None) -> None:
        if answer.status in (401, 403):
            raise signed_out(self.name)
        if answer.status in (400, 404, 410) and cursor is not None:
            raise CursorError
        if answer.status >= 300 or answer.host not in self._web.named:
            raise judged(answer)

    def _page_url(self, cursor: str | None) -> str:
        style = self._settings.page.get("style", "cursor")
        if cursor is not None and style in ("next_url", "link_header"):
            return self._own(cursor)
        values = {
            "base": self._base,
            "page_size": str(self._size),
            "cursor": (cursor or "") if style == "cursor" else "",
            "page": cursor or "1",
            "offset": cursor or "0",
        }
        address = paths.filled(self._settings.list["url"], values, _raw_base(self._base))
        query = {
            name: paths.filled(str(template), values)
            for name, template in self._settings.list.get("query", {}).items()
        }
        return _with_query(address, {name: value for name, value in query.items() if value})

    def _following(self, cursor: str | None, body: Any, answer: Answer, rows: int) -> str | None:
        told = paths.at(body, self._settings.page["next"]) if self._settings.page.get("next") else None
        match self._settings.page.get("style", "cursor"):
            case "page":
                return self._counted(told, str(int(cursor or 1) + 1))
            case "offset":
                return self._counted(told, str(int(cursor or 0) + rows))
            case "next_url":
                return self._plain(told)
            case "link_header":
                return self._plain(json_read.linked_next(answer.headers.get("Link")))
            case _:
                return json_read.text(told)

    def _counted(self, told: Any, next_number: str) -> str | None:
        # Without `page.next`, an empty page is the end; with it, the server's word counts.
        if not self._settings.page.get("next") or told is True:
            return next_number
        word = json_read.text(told)
        return word if word and word.isdecimal() else None

    def _plain(self, told: Any) -> str | None:
        """The next page's address without our own secrets, since cursors are kept in the database."""
        address = json_read.link(told, self._base)
        if address is None:
            return None
        parts = urlsplit(self._own(address))
        secret = self._settings.auth.get("query", {})
        pairs = [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if name not in secret
        ]
        return urlunsplit(parts._replace(query=urlencode(pairs) if secret else parts.query))

    def _own(self, address: str) -> str:
        if urls.origin(address) != urls.origin(self._base):
            raise SourceError(
                "foreign_page",
                f"{self.name} sends us to another server for its next page.",
                "Check base in the settings.",
            )
        return address

    async def _get(self, url: str, limit: int = 16 << 20) -> Answer:
        headers, query = await self._auth()
        return await self._web.get(_with_query(url, query), headers, limit=limit)

    async def _auth(self) -> tuple[dict[str, str], dict[str, str]]:
        values = {
            f"secret:{name}": await self._secrets.get(self._secret_name(name)) or "" for name in self._wanted
        }
        headers, query = (
            {
                name: paths.filled(str(template), values)
                for name, template in self._settings.auth.get(part, {}).items()
            }
            for part in ("headers", "query")
        )
        return headers, query

    # --- files ---

    async def resolve(
        self, key: str, target: Target, failure: DownloadError | None, note: Callable[[int, int | None], None]
    ) -> Request | Content:
        """The configured address first, the item's fallback after it; the first error is the cause."""
        del target, note
        ident = key.partition("/")[2]
        if failure is None:
            self._causes.put(ident, (DownloadError("link_expired"), 0))
            try:
                return await self._first(ident)
            except DownloadError as error:
                failure = error
        return await self._next(ident, failure)

    async def _next(self, ident: str, failure: DownloadError) -> Request:
        cause, step = self._causes.get(ident) or (failure, 0)
        cause = failure if step == 0 else cause
        self._causes.put(ident, (cause, step + 1))
        # First the fallback that we know of, then one from a fresh listing, since links expire.
        for attempt in range(step, 2):
            fallback = await self._fallback(ident, fresh=attempt == 1)
            if fallback is not None:
                self._causes.put(ident, (cause, attempt + 1))
                return await self._request(fallback)
        raise cause

    async def _first(self, ident: str) -> Request | Content:
        template = self._settings.fetch.get("url") or "{url}"
        values = await self._values(ident, paths.fields(template))
        address = paths.filled(template, values, _raw_base(self._base, values.get("url", "")))
        where = self._settings.fetch.get("base64")
        if not where:
            return await self._request(address)
        answer = await self._get(self._own(address), MEDIA_LIMIT)
        if answer.status >= 300:
            raise judged(answer)
        data = paths.at(await answer.json(), where)
        if not isinstance(data, str) or not data:
            raise DownloadError("no_media_found", "the answer holds no data")
        return Content(await asyncio.to_thread(decoded, re.sub(r"^data:[^,]*,|\s+", "", data)))

    async def _values(self, ident: str, wanted: list[str]) -> dict[str, str]:
        values = {"base": self._base, "id": ident}
        if set(wanted) - set(values):
            item, _ = await self._item(ident, fresh=False) or (None, None)
            if item is None or ("url" in wanted and not item.link):
                raise DownloadError("link_expired")
            values |= {"name": item.name, "kind": item.kind, "url": item.link or ""}
        return values

    async def _fallback(self, ident: str, *, fresh: bool) -> str | None:
        if not self._settings.fetch.get("fallback"):
            return None
        known = await self._item(ident, fresh=fresh)
        return known[1] if known else None

    async def _item(self, ident: str, *, fresh: bool) -> tuple[Listed, str | None] | None:
        known = self._items.get(ident)
        if known is not None and not fresh:
            return known
        async with self._searching:
            renewed = self._items.get(ident)
            if renewed is not known:
                return renewed
            await self._search(ident)
        return self._items.get(ident)

    async def _search(self, ident: str) -> None:
        """Read pages until the item comes by; what came by is known afresh."""
        cursor, asked = None, set[str]()
        for _ in range(SEARCH):
            page = await self.page(cursor)
            cursor = page.next
            if any(item.ident == ident for item in page.items) or cursor is None or cursor in asked:
                return
            asked.add(cursor)

    async def _request(self, address: str) -> Request:
        own = urls.origin(address) == urls.origin(self._base)
        headers, query = await self._auth() if own else ({}, {})
        return Request(_with_query(address, query), headers=headers, named=self._web.named)


def _raw_base(*raw: str) -> Callable[[str], str]:
    """How to put a value into an address: encoded, but whole addresses as they are."""
    return lambda value: value if value and value in raw else quote(value, safe="")


def _with_query(address: str, query: Mapping[str, str]) -> str:
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"
