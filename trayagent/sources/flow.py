"""Google Flow's media interface as it was in 2025: cookie, session token, paged listing, raw names.

The listing answers to the session cookie alone; `meta` goes with the first page only, since the
server ignores a cursor beside it. Files come inline as base64, else by a signed link.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from trayagent.model import sizes, urls
from trayagent.model.dates import parse_moment
from trayagent.model.download import ErrorInfo
from trayagent.model.errors import DownloadError
from trayagent.model.library import Account, Listed, Page
from trayagent.model.transfer import Content, Request, Target
from trayagent.sources import json_mapping, names
from trayagent.sources.api_client import ApiAnswer, SourceClient, refusal
from trayagent.sources.cookies import NAMES, session_cookie
from trayagent.sources.flow_media import Media
from trayagent.sources.flow_session import Session, account_moved
from trayagent.sources.source import CursorError, CutOffError, Secrets, SourceError, not_signed_in

PAGE_SIZE: Final = 18
"""What the site itself asks for."""
_KINDS: Final = {"IMAGE": "image", "VIDEO": "video"}
_FORMS: Final = {"userUploadedImage": "image", "image": "image", "video": "video"}


class Flow:
    """A source, and the resolver of its items."""

    type = "flow"

    def __init__(
        self,
        name: str,
        web: SourceClient,
        session: Session,
        secrets: Secrets,
        *,
        labs_base: str,
        media_base: str,
        page_delay: str,
    ) -> None:
        self.name = name
        self.host = urls.authority(media_base)
        self.page_delay = sizes.parse_range(page_delay)
        self._web = web
        self._session = session
        self._secrets = secrets
        self._labs = labs_base.rstrip("/")
        self._media = Media(web, session, media_base)

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
        """One page, newest first."""
        address = f"{self._labs}/api/trpc/media.fetchUserHistoryDirectly?input={_input(cursor)}"
        answer = await self._web.get(address, await self._session.cookie())
        self._judge(answer, cursor)
        inner = _at(await answer.json(), "result", "data", "json")
        if not isinstance(inner, dict) or inner.get("status", 200) != 200:
            raise DownloadError("server_error", "Flow reports a fault of its own")
        return self._read(inner.get("result"))

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

    def _judge(self, answer: ApiAnswer, cursor: str | None) -> None:
        if answer.host not in self._web.named or answer.status in (404, 410):
            raise account_moved(self.name)
        if answer.status == 401:
            # The session was found good just before page one, so that its refusal there means something else.
            raise account_moved(self.name) if cursor is None else not_signed_in(self.name)
        if answer.status == 400 and cursor is not None:
            raise CursorError
        if answer.status >= 300:
            raise refusal(answer)

    def _read(self, result: Any) -> Page:
        rows = result.get("userWorkflows", []) if isinstance(result, dict) else None
        if not isinstance(rows, list):
            raise DownloadError("server_error", "Flow answers with no list")
        found = [self._listed(row) for row in rows]
        items = tuple(item for item in found if item is not None)
        undated = sum(
            item is not None and item.created is None and bool(row.get("createTime"))
            for item, row in zip(found, rows, strict=True)
        )
        following, cut_off = None, None
        try:
            following = json_mapping.cursor(result.get("nextPageToken"))
        except CutOffError as error:
            cut_off = ErrorInfo(error.code, error.message, "Sync again later.")
        return Page(items, following, len(found) - len(items), undated, cut_off)

    def _listed(self, row: Any) -> Listed | None:
        media = row.get("media") if isinstance(row, dict) else None
        media = media if isinstance(media, dict) else {}
        raw = row.get("name") if isinstance(row, dict) else None
        raw = raw or media.get("name")
        name = names.canonical(raw) if isinstance(raw, str) else ""
        if not names.is_usable(name):
            return None
        given, inside = media.get("mediaGenerationId"), names.decoded(name)
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


def _input(cursor: str | None) -> str:
    asked: dict[str, Any] = {
        "json": {
            "type": "ASSET_MANAGER",
            "pageSize": PAGE_SIZE,
            "responseScope": "RESPONSE_SCOPE_UNSPECIFIED",
            "cursor": cursor,
        }
    }
    if cursor is None:
        asked["meta"] = {"values": {"cursor": ["undefined"]}}
    return quote(json.dumps(asked, separators=(",", ":")), safe="")


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    return (
        value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None
    )
