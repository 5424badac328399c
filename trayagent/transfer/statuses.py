"""What a status other than "here it is" means for a download."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from trayagent.model.errors import DownloadError

_SIGNED: Final = frozenset(
    "expires exp x-amz-signature x-amz-expires x-goog-signature x-goog-expires signature sig se policy"
    " key-pair-id hdnea hdnts token_expires validuntil".split()
)


def refusal(status: int, url: str, wish: float | None = None) -> DownloadError:
    """Why an answer with this status is no file; 429 and 503 are the client's to judge (`Client.busy`).

    `wish` is the server's Retry-After in seconds: it is about this file, and goes to where time may help.
    """
    said = f"HTTP {status}"
    if status < 400:  # RFC 9110 §15.3.5 and its neighbours: an answer, but not with a file
        return DownloadError("not_media", f"{said}, without a file")
    if status == 407:
        return DownloadError("network", "HTTP 407: a proxy asks for a login")
    if status == 401:
        return DownloadError("needs_login", said)
    if status in (403, 410) and is_signed(url):
        return DownloadError("link_expired", said)
    if status in (404, 410):
        return DownloadError("not_found", said)
    if status in (408, 425):
        return DownloadError("timeout", said, retry_after=wish)
    if 400 <= status < 500:
        return DownloadError("forbidden", said)
    return DownloadError("server_error", said, retry_after=wish)


def is_signed(url: str) -> bool:
    """Whether a URL looks like one that ends to be valid."""
    return any(
        name.lower() in _SIGNED
        for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)
    )
