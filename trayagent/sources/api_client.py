"""Asking an API: one GET, its whole answer, and what its status means."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from trayagent.model import addresses, lenient_json, urls
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.api_client import ApiClient
from trayagent.sources.source import SourceError

PAGE_LIMIT: Final = 16 << 20
"""Bytes of one page of a listing."""
MEDIA_LIMIT: Final = 256 << 20
"""Bytes of an answer that holds a file as base64."""
_LARGE: Final = 1 << 18
"""From here on decoding leaves the loop."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A status and a whole body."""

    status: int
    host: str
    """`host:port` that answered, after redirects."""
    links: tuple[str, ...]
    """The Link headers, one to a line (RFC 8288)."""
    body: bytes = field(repr=False)
    url: str = field(default="", repr=False)
    """What answered, after redirects; what it says is relative to it."""

    async def json(self) -> Any:
        """The body as JSON; raises DownloadError `truncated` or `needs_login` when it is none."""
        try:
            if len(self.body) > _LARGE:
                return await asyncio.to_thread(lenient_json.read, self.body)
            return lenient_json.read(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if self.body.lstrip()[:1] == b"<":
                raise DownloadError("needs_login", "a page came instead of data") from None
            raise DownloadError("truncated", "the answer is not proper JSON") from None


class SourceClient:
    """GET for sources. `named` are the hosts of the user's own settings, which may be private."""

    def __init__(self, client: ApiClient, named: frozenset[str]) -> None:
        self.named = named
        self._client = client

    async def get(
        self, url: str, secret: Mapping[str, str], *, limit: int = PAGE_LIMIT
    ) -> ApiAnswer:
        """Ask for exactly this URL; `secret` headers go to its origin only.

        Any status but 429 and 503 is the caller's to judge; those raise DownloadError `server_busy`
        and leave the whole host alone for as long as it wishes.
        """
        _refuse_plain_text(url, secret)
        request = Request(url, headers=dict(secret), named=self.named)
        accept = {"Accept": "application/json, */*"}
        async with self._client.open(request, accept) as response:
            if response.status in (429, 503):
                raise self._client.busy(response)
            return ApiAnswer(
                response.status,
                urls.authority(response.url),
                tuple(response.headers.getall("Link", ())),
                await response.read(limit),
                response.url,
            )


def _refuse_plain_text(url: str, secret: Mapping[str, str]) -> None:
    scheme, host, _ = urls.origin(url)
    if secret and scheme == "http" and not addresses.names_private(host):
        raise SourceError(
            "insecure",
            f"{host} is asked over plain http, which would expose your sign-in.",
            "Use https in the settings.",
        )


def refusal(answer: ApiAnswer) -> DownloadError:
    """The error for a status that is not a success."""
    detail = f"HTTP {answer.status}"
    match answer.status:
        case 401:
            return DownloadError("needs_login", detail)
        case 403:
            return DownloadError("forbidden", detail)
        case 404 | 410:
            return DownloadError("not_found", detail)
        case 408:
            return DownloadError("timeout", detail)
        case status if status >= 500:
            return DownloadError("server_error", detail)
        case _:
            return DownloadError("forbidden", detail)


def decode_base64(text: str) -> bytes:
    """The bytes of a file inside JSON, padded or not (RFC 4648 §4).

    Raises DownloadError `truncated` for anything damaged.
    """
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise DownloadError("truncated", "the data in the answer is damaged") from None
