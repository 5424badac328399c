"""One medium of Flow: inline data first, then signed links; the first error stays the cause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trayagent.model.errors import WAITS, DownloadError
from trayagent.model.transfer import Content, Request
from trayagent.sources import names
from trayagent.sources.api_client import (
    MEDIA_LIMIT,
    ApiAnswer,
    SourceClient,
    decode_base64,
    refusal,
)
from trayagent.sources.flow_session import Session
from trayagent.sources.recent import Recent
from trayagent.sources.source import SourceError, download_error

_INLINE: Final = (
    ("userUploadedImage", "image"),
    ("image", "encodedImage"),
    ("image", "image"),
    ("video", "encodedVideo"),
)
"""Where the base64 is: form -> key."""


@dataclass(slots=True)
class _Trial:
    """How far the attempts for one download have come."""

    cause: DownloadError | None = None
    refreshed: bool = False
    used: str | None = None


class Media:
    """Answers what to fetch next for a name."""

    def __init__(
        self,
        web: SourceClient,
        session: Session,
        media_base: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._web = web
        self._session = session
        self._base = media_base.rstrip("/")
        self._now = now
        # Signed links are credentials: they live in memory only.
        self._links: Recent[str] = Recent(20_000)
        self._trials: Recent[_Trial] = Recent(256)

    def remember(self, name: str, link: Any) -> None:
        """A link that the listing gave."""
        if isinstance(link, str) and link.startswith(("https://", "http://")):
            self._links.put(name, link)

    async def answer(self, name: str, failure: DownloadError | None) -> Content | Request:
        """The next thing to try. Raises DownloadError, the first cause, when nothing is left."""
        trial = self._trials.get(name)
        if failure is None or trial is None:
            trial = _Trial()
            self._trials.put(name, trial)
        try:
            if failure is None:
                return await self._first(name, trial)
            trial.cause = trial.cause or failure
            return await self._fallback(name, trial)
        except SourceError as error:
            raise download_error(error) from error

    async def _first(self, name: str, trial: _Trial) -> Content | Request:
        try:
            about = await self._ask(name, uri_only=names.decoded(name).kind == "video")
        except DownloadError as error:
            trial.cause = error
            return await self._fallback(name, trial)
        try:
            if (data := await _inline(about)) is not None:
                return Content(data)
        except DownloadError as error:
            trial.cause = error
        link = _link(about)
        if link is None:
            trial.cause = trial.cause or DownloadError(
                "no_media_found", "neither data nor a link in the answer"
            )
            return await self._fallback(name, trial)
        return self._linked(link, trial)

    async def _fallback(self, name: str, trial: _Trial) -> Content | Request:
        cause = trial.cause
        assert cause is not None
        kept = self._links.get(name)
        if kept and kept != trial.used and self._ends(kept) > self._now() + 60:
            return self._linked(kept, trial)
        if (not trial.refreshed and trial.used is not None) or cause.code in (
            "no_media_found",
            "truncated",
        ):
            link = await self._refreshed(name, trial)
            if link:
                return self._linked(link, trial)
        if kept and kept != trial.used:
            # Its date is past by our clock, which may be the wrong one.
            return self._linked(kept, trial)
        raise cause

    async def _refreshed(self, name: str, trial: _Trial) -> str | None:
        if trial.refreshed:
            return None
        trial.refreshed = True
        try:
            return _link(await self._ask(name, uri_only=True))
        except DownloadError as error:
            if error.code in WAITS and trial.cause is not None and trial.cause.code not in WAITS:
                trial.cause = (
                    error  # worth another try later, which the first cause alone would not be
                )
            return None

    def _linked(self, link: str, trial: _Trial) -> Request:
        trial.used = link
        # Only the hosts of the settings may be private; the link carries its own signature and nothing else.
        return Request(link, named=self._web.named)

    def _ends(self, link: str) -> float:
        expires = re.search(r"[?&]Expires=(\d{1,12})(?:&|$)", link)
        return float(expires[1]) if expires else float("inf")

    async def _ask(self, name: str, *, uri_only: bool) -> dict[str, Any]:
        if not names.is_usable(name):
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
            raise refusal(answer)
        about = await answer.json()
        if not isinstance(about, dict):
            raise DownloadError("no_media_found", "the answer describes no medium")
        return about

    async def _get(self, name: str, key: str, token: str, uri_only: bool) -> ApiAnswer:
        # By concatenation: the server knows names raw, and nothing in them may be encoded.
        only = "&returnUriOnly=true" if uri_only else ""
        address = f"{self._base}/media/{name}?key={key}&clientContext.tool=PINHOLE{only}"
        return await self._web.get(address, {"Authorization": f"Bearer {token}"}, limit=MEDIA_LIMIT)


async def _inline(about: dict[str, Any]) -> bytes | None:
    for form, key in _INLINE:
        part = about.get(form)
        text = part.get(key) if isinstance(part, dict) else None
        if isinstance(text, str) and text:
            return await asyncio.to_thread(decode_base64, text)
    return None


def _link(about: dict[str, Any]) -> str | None:
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
