"""Google Flow's media interface as it was in 2025: cookie, session token, paged listing, raw names.

The listing answers to the session cookie alone. Files come inline as base64, else by a signed link.
A name goes into addresses raw: the server knows it so, and an encoded one is another name to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from trayagent.model import units, urls
from trayagent.model.downloads import ErrorInfo
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Request, Target
from trayagent.model.units import parse_moment
from trayagent.sources import json_mapping
from trayagent.sources.api_client import (
    MEDIA_LIMIT,
    ApiAnswer,
    SourceClient,
    decode_base64,
    status_error,
)
from trayagent.sources.flow_session import FlowSession, account_moved
from trayagent.sources.pasted_cookies import NAMES, session_cookie
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

PAGE_SIZE: Final = 18
"""What the site itself asks for."""
_KINDS: Final = {"IMAGE": "image", "VIDEO": "video"}
_FORMS: Final = {"userUploadedImage": "image", "image": "image", "video": "video"}
# Not `\s`: that leaves U+200B and U+FEFF, and takes U+001C to U+001F and U+0085.
_SPACE: Final = re.compile(
    "[\t\n\v\f\r \u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]+"
)
_RAW_PATH: Final = re.compile(r"[!$&'()*+,\-./0-9:;=@A-Z_a-z~]{1,2048}")
"""What goes into the path of a URL as it is (RFC 3986 `pchar` and `/`, without percent-encoding)."""
# Every client takes `..` in a path for the way up, so the server would be asked for another name.
_DOT_SEGMENTS: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_INLINE: Final = (
    ("userUploadedImage", "image"),
    ("image", "encodedImage"),
    ("image", "image"),
    ("video", "encodedVideo"),
)
"""Where the base64 is: form -> key."""


class Flow:
    """One account of Flow: lists its media, and resolves their downloads through FlowMedia."""

    type = "flow"

    def __init__(
        self,
        name: str,
        client: SourceClient,
        session: FlowSession,
        secrets: SecretStore,
        *,
        labs_base: str,
        media_base: str,
        page_delay: str,
    ) -> None:
        self.name = name
        self.host = urls.authority(media_base)
        self.page_delay = units.parse_range(page_delay)
        self._client = client
        self._session = session
        self._secrets = secrets
        self._labs = labs_base.rstrip("/")
        self._media = FlowMedia(client, session, media_base)

    def __repr__(self) -> str:
        return f"<Flow {self.name}>"

    async def has_secrets(self) -> bool:
        """Whether a session cookie is kept."""
        return bool(await self._secrets.get(self._session.secret_name))

    async def account(self) -> Account:
        """Who is signed in, asked afresh."""
        self._session.forget()
        return await self._session.account()

    async def sign_in(self, text: str) -> Account:
        """Keep the session cookie found in `text`, once the site has said whose it is."""
        host = urls.origin(self._labs)[1]
        value = await asyncio.to_thread(session_cookie, text, host)
        if value is None:
            raise SourceError(
                "no_cookie",
                f"There is no session cookie of {host} in this text.",
                f"Copy the cookie {NAMES[0]} of {host} and try again.",
            )
        self._session.forget()
        account = await self._session.account(
            {"Cookie": f"__Secure-next-auth.session-token={value}"}
        )
        await self._secrets.set(self._session.secret_name, value)
        return account

    async def sign_out(self) -> None:
        """Forget the cookie."""
        self._session.forget()
        await self._secrets.delete(self._session.secret_name)

    async def page(self, cursor: str | None) -> Page:
        """One page, newest first. Raises what `Source.page` raises."""
        asked: dict[str, Any] = {
            "json": {
                "type": "ASSET_MANAGER",
                "pageSize": PAGE_SIZE,
                "responseScope": "RESPONSE_SCOPE_UNSPECIFIED",
                "cursor": cursor,
            }
        }
        if cursor is None:
            # As the site itself writes "no cursor". Beside a real one the server would ignore that.
            asked["meta"] = {"values": {"cursor": ["undefined"]}}
        question = quote(json.dumps(asked, separators=(",", ":")), safe="")
        address = f"{self._labs}/api/trpc/media.fetchUserHistoryDirectly?input={question}"
        answer = await self._client.get(address, await self._session.cookie_header())
        self._check_status(answer, cursor)
        inner: Any = await answer.json()
        for key in ("result", "data", "json"):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or inner.get("status", 200) != 200:
            raise DownloadError("server_error", "Flow reports a fault of its own")
        result = inner.get("result")
        rows = result.get("userWorkflows", []) if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(rows, list):
            raise DownloadError("server_error", "Flow answers with no list")
        found = [self._item_of(row) for row in rows]
        items = tuple(item for item in found if item is not None)
        undated = sum(
            item is not None and item.created is None and bool(row.get("createTime"))
            for item, row in zip(found, rows, strict=True)
        )
        following, cut_off = None, None
        try:
            following = json_mapping.cursor(result.get("nextPageToken"))
        except CutOffError as error:
            # The page itself is good: its items are kept, and the sync is told that there are more.
            cut_off = ErrorInfo(error.code, error.message, "Sync again later.")
        return Page(items, following, len(found) - len(items), undated, cut_off)

    def recall(self, item: Listed) -> None:
        """A name is all that Flow needs."""

    async def resolve(
        self,
        key: str,
        target: Target,
        failure: DownloadError | None,
        note: Callable[[int, int | None], None],
    ) -> Request | Content:
        """Inline data, else a signed link; the first error is the cause."""
        del target, note
        return await self._media.answer(key.partition("/")[2], failure)

    def _check_status(self, answer: ApiAnswer, cursor: str | None) -> None:
        # 1. The interface is not there any more, or leads to another site: the account has moved.
        # 2. The session ended: on page one the account has moved, later it is signed out.
        # 3. The server forgot the cursor: the sync begins anew.
        # 4. It does not understand the first question: Flow has changed.
        # 5. Anything else is a fault of the moment.
        if answer.host not in self._client.named or answer.status in (404, 410):
            raise account_moved(self.name)
        if answer.status == 401:
            # Just before page one the session was found good: a 401 there is not about the session.
            raise account_moved(self.name) if cursor is None else not_signed_in(self.name)
        if answer.status == 400 and cursor is not None:
            raise CursorError
        if answer.status == 400:
            raise question_refused(
                self.name, 400, "Flow may have changed; see if trayagent is new."
            )
        if answer.status >= 300:
            raise status_error(answer)

    def _item_of(self, row: Any) -> Listed | None:
        """The item of a row, None where it has no name that can be asked for.

        Rows of different years differ: an id is told beside the name or only within it, the kind by a
        type, by the form of the medium, or only within the name.
        """
        media = row.get("media") if isinstance(row, dict) else None
        media = media if isinstance(media, dict) else {}
        raw = row.get("name") if isinstance(row, dict) else None
        raw = raw or media.get("name")
        name = canonical_name(raw) if isinstance(raw, str) else ""
        if not is_usable_name(name):
            return None
        given, inside = media.get("mediaGenerationId"), ids_in(name)
        ids = given if isinstance(given, dict) else {}
        form = next((form for form in _FORMS if isinstance(media.get(form), dict)), "")
        about = media.get(form, {}) if form else {}
        self._media.remember(name, about.get("fifeUrl"))
        kind = _KINDS.get(str(ids.get("mediaType"))) or _FORMS.get(form) or inside.kind
        return Listed(
            ident=name,
            name=name,
            kind="video" if kind == "video" else "image" if kind == "image" else "unknown",
            created=parse_moment(row.get("createTime")),
            aspect_ratio=_text(about.get("aspectRatio")),
            media_key=_text(ids.get("mediaKey")) or inside.media_key,
            workflow_id=_text(ids.get("workflowId")) or inside.workflow,
        )


def _text(value: Any) -> str | None:
    return (
        value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None
    )


# --- one medium ---
#
# What is tried in turn for one download. The first error stays the cause that a person reads, since
# what fails later often fails because of it.
#
#   step                      when                                        then
#   ------------------------  ------------------------------------------  -----------------------------
#   1. ask for the data       always (a video: for the link only)         inline data: done
#   2. the link just told     the answer has no data                      transfer fetches it
#   3. the listing's link     2 failed, or 1 told nothing; not used yet,  transfer fetches it
#                             good for another minute
#   4. a fresh link           a link was used and failed, or the data     transfer fetches it
#                             was damaged or missing; once
#   5. the listing's link     its date is past by our clock, which may    transfer fetches it
#                             be the wrong one
#   6. give up                                                            raise the cause


class _MediaTrial(Struct):
    """How far one download has come."""

    cause: DownloadError | None = None
    refreshed: bool = False
    used: str | None = None
    """The link that transfer was given last."""


class FlowMedia:
    """Answers what to fetch next for a name; see the table above."""

    def __init__(
        self,
        client: SourceClient,
        session: FlowSession,
        media_base: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._session = session
        self._base = media_base.rstrip("/")
        self._now = now
        # Signed links are credentials: they live in memory only.
        self._links: RecentEntries[str] = RecentEntries(20_000)
        self._trials: RecentEntries[_MediaTrial] = RecentEntries(256)

    def remember(self, name: str, link: Any) -> None:
        """A link that the listing gave."""
        if isinstance(link, str) and link.startswith(("https://", "http://")):
            self._links.put(name, link)

    async def answer(self, name: str, failure: DownloadError | None) -> Content | Request:
        """The next thing to try. Raises DownloadError, the first cause, when nothing is left."""
        trial = self._trials.get(name)
        if failure is None or trial is None:
            trial = _MediaTrial()
            self._trials.put(name, trial)
        try:
            if failure is None:
                return await self._first(name, trial)
            trial.cause = trial.cause or failure
            return await self._fallback(name, trial)
        except SourceError as error:
            raise download_error(error) from error

    async def _first(self, name: str, trial: _MediaTrial) -> Content | Request:
        link = None
        try:
            # A film as base64 is a third larger, and all of it is in memory at once: only its link
            # is asked for.
            about = await self._ask(name, uri_only=ids_in(name).kind == "video")
            link = _signed_link(about)
            for form, key in _INLINE:
                part = about.get(form)
                text = part.get(key) if isinstance(part, dict) else None
                if isinstance(text, str) and text:
                    return Content(await asyncio.to_thread(decode_base64, text))
        except DownloadError as error:
            trial.cause = error  # where the data was damaged, the same answer may hold a link
        if link is not None:
            return self._request_for(link, trial)
        trial.cause = trial.cause or DownloadError(
            "no_media_found", "neither data nor a link in the answer"
        )
        return await self._fallback(name, trial)

    async def _fallback(self, name: str, trial: _MediaTrial) -> Content | Request:
        cause = trial.cause
        assert cause is not None
        kept = self._links.get(name)
        if kept == trial.used:
            kept = None
        # A signed link says itself how long it is good; a minute is for asking with it.
        expires = re.search(r"[?&]Expires=(\d{1,12})(?:&|$)", kept) if kept else None
        if kept and (expires is None or float(expires[1]) > self._now() + 60):
            return self._request_for(kept, trial)
        may_help = trial.used is not None or cause.code in ("no_media_found", "truncated")
        if may_help and not trial.refreshed:
            trial.refreshed = True
            try:
                if link := _signed_link(await self._ask(name, uri_only=True)):
                    return self._request_for(link, trial)
            except DownloadError as error:
                if error.traits.is_retryable and not cause.traits.is_retryable:
                    # Worth another try later, which the first cause alone would not be.
                    trial.cause = cause = error
        if kept:
            return self._request_for(kept, trial)
        raise cause

    def _request_for(self, link: str, trial: _MediaTrial) -> Request:
        trial.used = link
        # Only the hosts of the settings may be private; the link carries its own signature and nothing else.
        return Request(link, named=self._client.named)

    async def _ask(self, name: str, *, uri_only: bool) -> dict[str, Any]:
        if not is_usable_name(name):
            raise DownloadError("bad_url", "the name cannot be part of an address")
        token = await self._session.token()
        key = await self._session.key()
        answer = await self._get(name, key, token, uri_only)
        if answer.status == 401:
            token = await self._session.token(refused=token)
            answer = await self._get(name, key, token, uri_only)
            if answer.status == 401:
                self._session.refuse(token)
        if answer.status == 400 and b"API_KEY_INVALID" in answer.body:
            key = await self._session.key(refused=key)
            answer = await self._get(name, key, token, uri_only)
        if answer.status == 400:
            raise DownloadError("not_found", "Flow no longer gives it out this way")
        if answer.status >= 300:
            raise status_error(answer)
        about = await answer.json()
        if not isinstance(about, dict):
            raise DownloadError("no_media_found", "the answer describes no medium")
        return about

    async def _get(self, name: str, key: str, token: str, uri_only: bool) -> ApiAnswer:
        # By concatenation: the server knows names raw, and nothing in them may be encoded.
        only = "&returnUriOnly=true" if uri_only else ""
        address = f"{self._base}/media/{name}?key={key}&clientContext.tool=PINHOLE{only}"
        return await self._client.get(
            address, {"Authorization": f"Bearer {token}"}, limit=MEDIA_LIMIT
        )


def _signed_link(about: dict[str, Any]) -> str | None:
    """The medium's signed link. `servingBaseUri` is a video's poster, never the video."""
    for form in ("userUploadedImage", "image", "video"):
        part = about.get(form)
        if not isinstance(part, dict):
            continue
        inner = part.get("generatedImage")
        for place in (part, inner if isinstance(inner, dict) else {}):
            link = place.get("fifeUrl")
            if isinstance(link, str) and link.startswith(("https://", "http://")):
                return link
    return None


# --- names: canonical form, what may go into a URL raw, and the ids inside ---


class NameIds(Struct, frozen=True):
    """What a name tells about its item; empty where it does not."""

    kind: str = ""
    workflow: str | None = None
    media_key: str | None = None


def canonical_name(listed: str) -> str:
    """The name without the white space a listing may break it with."""
    return _SPACE.sub("", listed)


def is_usable_name(name: str) -> bool:
    """Whether the name can go into a URL raw without any client altering it."""
    return bool(_RAW_PATH.fullmatch(name)) and not _DOT_SEGMENTS.search(name)


def ids_in(name: str) -> NameIds:
    """The ids inside: a name is base64url of `08 03|05, fields` with workflow (3) and media key (5)."""
    kind = "video" if name.startswith("CAUS") else "image" if name.startswith("CAM") else ""
    plain = re.sub(r"[^A-Za-z0-9_-]", "", name)
    try:
        data = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return NameIds(kind)
    # Protobuf's form behind those two: each field is its tag, a length, and so many bytes.
    fields, at = dict[int, bytes](), 2
    while at + 2 <= len(data) and data[at] & 7 == 2:
        field, length = data[at] >> 3, data[at + 1]
        fields[field] = data[at + 2 : at + 2 + length]
        at += 2 + length
    return NameIds(kind, _uuid_in(fields.get(3)), _uuid_in(fields.get(5)))


def _uuid_in(value: bytes | None) -> str | None:
    match = re.fullmatch(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", value or b"")
    return match[0].decode() if match else None
