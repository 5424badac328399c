"""Any paginated JSON API that the settings describe.

JsonApi lists, ItemFiles resolves the downloads of what was listed, and both ask through JsonOrigin.
How answers are read is in `json_mapping`.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from trayagent.model import units, urls
from trayagent.model.downloads import ErrorInfo
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.settings import SourceSettings
from trayagent.model.transfer import Content, Request, Target
from trayagent.sources import json_mapping
from trayagent.sources.api_client import (
    MEDIA_LIMIT,
    ApiAnswer,
    SourceClient,
    decode_base64,
    status_error,
)
from trayagent.sources.json_origin import JsonAuth, JsonOrigin, quote_except, with_query
from trayagent.sources.source import (
    CursorError,
    CutOffError,
    RecentEntries,
    SecretStore,
    SourceError,
    download_error,
    not_signed_in,
    question_refused,
)

PAGE_SIZE: Final = 50
BEHIND_THE_END: Final = frozenset({204, 400, 404, 416, 422})
"""Statuses of a page whose number is too high, where it is not an empty one: Django says 404, WordPress 400."""
MANY_ITEMS: Final = 200
"""Items of a page from which on mapping them leaves the loop."""
SEARCH_PAGES: Final = 200
"""Pages read at most to find a fresh link again."""
SAMPLE_ELEMENTS: Final = 3
"""Of each list in an example: its elements are alike."""
SAMPLE_KEYS: Final = 60
"""Of each object in an example."""
SAMPLE_DEPTH: Final = 8
"""Levels of an example."""
SAMPLE_CHARACTERS: Final = 300
"""Of each text in an example."""


class JsonApi:
    """A source, and the resolver of its items. Secrets go to the origin of `base` only."""

    type = "json"

    def __init__(
        self, settings: SourceSettings, client: SourceClient, secrets: SecretStore
    ) -> None:
        self.name = settings.name
        self.host = urls.authority(settings.base)
        self.page_delay = units.parse_range(settings.page_delay)
        self._base = settings.base.rstrip("/")
        self._list = settings.list
        self._page = settings.page
        self._item = settings.item
        self._style: str = settings.page.get("style", "cursor")
        self._size = int(settings.list.get("page_size", PAGE_SIZE))
        self._named = client.named
        self._dates: deque[Any] = deque(maxlen=json_mapping.NEIGHBOURS)
        self._auth = JsonAuth(settings.name, settings.auth, secrets, urls.origin(settings.base)[1])
        self._origin = JsonOrigin(settings.name, self._base, client, self._auth)
        self._files = ItemFiles(settings.fetch, self._base, self._origin, self.page)

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
        given = await asyncio.to_thread(self._auth.parse, text)
        # Kept for the trial, since everything that asks reads them there; then the old ones come back.
        before = await self._auth.current(given)
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

    async def example(self, secret: str | None) -> Any:
        """The answer to the first question as it came. Raises SourceError or DownloadError."""
        if secret:
            await self._auth.keep(await asyncio.to_thread(self._auth.parse, secret))
        answer = await self._origin.get(self._address(None))
        self._check_status(answer, None)
        return await answer.json()

    async def page(self, cursor: str | None) -> Page:
        """One page, in the server's order."""
        answer = await self._origin.get(self._address(cursor))
        if self._is_behind_the_end(answer, cursor):
            return Page((), None)
        self._check_status(answer, cursor)
        body = await answer.json()
        rows = json_mapping.at_path(body, self._page["items"])
        if rows is None and json_mapping.is_empty_page(
            body, self._page["items"], is_first=cursor is None
        ):
            rows = []
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
        mapped = await asyncio.to_thread(work) if len(rows) > MANY_ITEMS else work()
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

    def _is_behind_the_end(self, answer: ApiAnswer, cursor: str | None) -> bool:
        """Whether there is no page of this number: where we count alone, we learn of the end by asking too far."""
        is_counted = self._style in {"page", "offset"} and not self._page.get("next")
        is_ours = is_counted and cursor is not None and answer.host in self._named
        return is_ours and answer.status in BEHIND_THE_END

    def _check_status(self, answer: ApiAnswer, cursor: str | None) -> None:
        # 1. The secrets are not taken.
        # 2. The server forgot the cursor: the sync begins anew.
        # 3. It does not take the question, whatever page is asked for: the settings are wrong.
        # 4. A fault of the moment, or an answer of another server than the one of the settings.
        if answer.status in {401, 403}:
            raise not_signed_in(self.name)
        if answer.status in {400, 404, 410} and cursor is not None:
            raise CursorError
        if 400 <= answer.status < 500 and answer.status not in {404, 408, 410}:
            raise question_refused(self.name, answer.status, "Check list in its settings.")
        if answer.status >= 300 or answer.host not in self._named:
            raise status_error(answer)

    def _address(self, cursor: str | None) -> str:
        if cursor is not None and self._style in {"next_url", "link_header"}:
            return self._origin.require_own(cursor)
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
        address = json_mapping.fill(self._list["url"], values, quote_except(self._base))
        return with_query(address, {name: value for name, value in query.items() if value})

    def _following(self, cursor: str | None, body: Any, answer: ApiAnswer, rows: int) -> str | None:
        """The cursor of the page after, None at the end. Raises CutOffError.

        | page.style  | the cursor is                      | the end is                                   |
        |-------------|------------------------------------|----------------------------------------------|
        | page, offset| a number that we count, unless the | an empty page, or none of that number; with  |
        |             | server says another                | page.next the server's word alone            |
        | next_url    | an address in the answer           | no address there                             |
        | link_header | an address in a Link header        | no `rel=next` there                          |
        | cursor      | what the server gave, sent back    | nothing, or something empty, there           |
        """
        told = json_mapping.at_path(body, self._page["next"]) if self._page.get("next") else None
        match self._style:
            case "page" | "offset":
                here = int(cursor or (1 if self._style == "page" else 0))
                more = rows > 0 if not self._page.get("next") else told
                return json_mapping.count(more, here + (1 if self._style == "page" else rows))
            case "next_url":
                address = json_mapping.next_address(told)
            case "link_header":
                address = json_mapping.next_link(answer.links)
            case _:
                word = json_mapping.cursor(told)
                if word is not None and len(self._address(word)) > urls.MAX_LENGTH:
                    raise CutOffError("its cursor is too long for an address")
                return word
        return None if address is None else self._origin.page_address(address, answer.url)


# --- one file ---
#
# What is tried in turn for one download; the first error stays the cause.
#
#   1. the address of the settings (`fetch.url`), or the data in its answer (`fetch.base64`)
#   2. the item's fallback as it was listed last, if the settings name one
#   3. its fallback from a fresh listing, since links expire
#   4. give up: raise the cause


@dataclass(frozen=True, slots=True)
class ItemLinks:
    """An item's addresses as they were listed; what may be signed is kept in memory only."""

    link: str | None = field(repr=False)
    fallback: str | None = field(repr=False)


@dataclass(slots=True)
class _FileTrial:
    cause: DownloadError | None = None
    steps: int = 0
    """Fallbacks tried."""


class ItemFiles:
    """Answers what to fetch next for an item; see the list above."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        base: str,
        origin: JsonOrigin,
        page: Callable[[str | None], Awaitable[Page]],
    ) -> None:
        self._template: str = settings.get("url") or "{url}"
        self._base64: str = settings.get("base64") or ""
        self._where_fallback: str = settings.get("fallback") or ""
        self._base = base
        self._origin = origin
        self._page = page
        self._links: RecentEntries[ItemLinks] = RecentEntries(20_000)
        self._items: RecentEntries[Listed] = RecentEntries(256)
        self._trials: RecentEntries[_FileTrial] = RecentEntries(256)
        self._searching = asyncio.Lock()

    def remember(self, item: Listed, row: Any) -> Listed:
        """The listing has just shown this; returns the item without what may be signed."""
        fallback = (
            json_mapping.link(json_mapping.at_path(row, self._where_fallback), f"{self._base}/")
            if self._where_fallback
            else None
        )
        signed = item.link if item.link and "?" in item.link else None
        # What has a query may be signed, and a signature is a secret: the store keeps none.
        if signed or fallback:
            self._links.put(item.ident, ItemLinks(item.link, fallback))
        return replace(item, link=None) if signed else item

    def recall(self, item: Listed) -> None:
        """What the library knows of an item that is about to be fetched."""
        self._items.put(item.ident, item)

    async def answer(self, ident: str, failure: DownloadError | None) -> Content | Request:
        """The next thing to try. Raises DownloadError, the first cause, when nothing is left."""
        trial = self._trials.get(ident)
        if failure is None or trial is None:
            trial = _FileTrial()
            self._trials.put(ident, trial)
        try:
            if failure is None:
                try:
                    return await self._first(ident)
                except DownloadError as error:
                    failure = error
            trial.cause = trial.cause or failure
            assert trial.cause is not None
            while self._where_fallback and trial.steps < 2:
                trial.steps += 1
                links = await self._find(ident, fresh=trial.steps == 2)
                if links is not None and links.fallback is not None:
                    return await self._origin.request(links.fallback)
            raise trial.cause
        except SourceError as error:
            raise download_error(error) from error

    async def _first(self, ident: str) -> Content | Request:
        values = await self._values(ident)
        address = json_mapping.fill(
            self._template, values, quote_except(self._base, values.get("url", ""))
        )
        if not self._base64:
            return await self._origin.request(address)
        answer = await self._origin.get(address, MEDIA_LIMIT)
        if answer.status >= 300:
            raise status_error(answer)
        data = json_mapping.at_path(await answer.json(), self._base64)
        if not isinstance(data, str) or not data:
            raise DownloadError("no_media_found", "the answer holds no data")
        # Some servers send a data: address, or break the lines of the base64.
        return Content(
            await asyncio.to_thread(decode_base64, re.sub(r"^data:[^,]*,|\s+", "", data))
        )

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

    async def _find(self, ident: str, *, fresh: bool = False) -> ItemLinks | None:
        """The item's addresses, read from the listing again where they are not known or not fresh."""
        before = self._links.get(ident)
        if before is not None and not fresh:
            return before
        # Many downloads find their links expired at once: one search renews those it passes for all.
        async with self._searching:
            cursor, asked = None, set[str]()
            # Whoever waited for the lock may find that the search before has brought its link, too.
            for _ in range(SEARCH_PAGES if self._links.get(ident) is before else 0):
                page = await self._page(cursor)
                cursor = page.next
                if any(item.ident == ident for item in page.items) or cursor in (None, *asked):
                    break
                assert cursor is not None
                asked.add(cursor)
        return self._links.get(ident)


def sample(value: Any, depth: int = 0) -> Any:
    """An answer cut down to what a person looks at, to say what its fields are."""
    # Everything is bounded, since a page draws it all: a foreign answer may hold a million entries.
    if isinstance(value, str):
        return value[:SAMPLE_CHARACTERS]
    if not isinstance(value, (list, dict)):
        return value
    if depth >= SAMPLE_DEPTH:
        return None
    if isinstance(value, list):
        return [sample(one, depth + 1) for one in value[:SAMPLE_ELEMENTS]]
    some = list(value.items())[:SAMPLE_KEYS]
    return {key[:SAMPLE_CHARACTERS]: sample(one, depth + 1) for key, one in some}
