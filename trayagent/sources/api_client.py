"""Asking an API for a source: one GET, its whole answer, and what its status means.

It stands on `net/api_client`, and adds what sources need: hosts that the settings name may be private,
and secrets go to the asked origin only, never over plain http to a public one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from trayagent.model import addresses, lenient_json, urls
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.api_client import ApiClient
from trayagent.net.refusals import refuse_status
from trayagent.sources.source import SourceError

PAGE_LIMIT: Final = 16 << 20
"""Bytes of one page of a listing."""
MEDIA_LIMIT: Final = 256 << 20
"""Bytes of an answer that holds a file as base64."""
_LARGE_BYTES: Final = 1 << 18
"""From here on decoding leaves the loop: it would hold up everything else for milliseconds."""
_BEFORE_JSON: Final = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s{0,9}(?:\)\]\}'?,?\s{0,9}\n|(?:while|for) ?\((?:1|;;)\);)?"
)
"""A byte order mark, and the `)]}'` or `for(;;);` that keeps other sites from running an answer as a script."""

_CHARSET: Final = re.compile(
    r";\s{0,9}charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE | re.ASCII
)


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
    charset: str = ""
    """Of its Content-Type; JSON is UTF-8, whatever it says, but some servers mean it."""

    async def json(self) -> Any:
        """The body as JSON. Raises DownloadError: `needs_login` for a page, `truncated` for other things."""
        body = _BEFORE_JSON.sub(b"", self.body, count=1)
        try:
            if len(body) > _LARGE_BYTES:
                return await asyncio.to_thread(self._read, body)
            return self._read(body)
        except (ValueError, RecursionError):
            if body.lstrip()[:1] == b"<":
                raise DownloadError(
                    "needs_login",
                    "a page came instead of data",
                    action="Sign in to the source again, or check its address in the settings.",
                ) from None
            raise DownloadError("truncated", "the answer is not proper JSON") from None

    def _read(self, body: bytes) -> Any:
        # One name that is no UTF-8, or a NaN somewhere, must not cost the whole library.
        try:
            return lenient_json.read(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return lenient_json.read_loosely(body, self.charset)


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
        scheme, host, _ = urls.origin(url)
        if secret and scheme == "http" and not addresses.names_private(host):
            raise SourceError(
                "insecure",
                f"{host} is asked over plain http, which would expose your sign-in.",
                "Use https in the settings.",
            )
        request = Request(url, headers=dict(secret), named=self.named)
        accept = {"Accept": "application/json, */*"}
        async with self._client.open(request, accept) as response:
            # Whatever the answer says, the host wants to be left alone: its body is not waited for.
            if response.status in (429, 503):
                raise self._client.busy(response)
            return ApiAnswer(
                response.status,
                urls.authority(response.url),
                tuple(response.headers.getall("Link", ())),
                await response.read(limit),
                response.url,
                _charset_of(response.headers.get("Content-Type", "")),
            )


def _charset_of(content_type: str) -> str:
    said = _CHARSET.search(content_type)
    return said[1] if said else ""


def status_error(answer: ApiAnswer) -> DownloadError:
    """The error for a status that is not a success."""
    # Without its address: that of an API never has its own date to expire at.
    return refuse_status(answer.status, "")


def decode_base64(text: str) -> bytes:
    """The bytes of a file inside JSON, padded or not (RFC 4648 §4).

    Raises DownloadError `truncated` for anything damaged.
    """
    try:
        # Strictly: what is damaged would become another file, a little shorter, without a word.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise DownloadError("truncated", "the data in the answer is damaged") from None
