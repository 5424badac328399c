"""What a status other than "here it is" means for a download."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from trayagent.model.errors import DownloadError

_SIGNED: Final = frozenset(
    "expires exp x-amz-signature x-amz-expires x-goog-signature x-goog-expires signature sig se policy"
    " key-pair-id hdnea hdnts token_expires validuntil".split()
)


_NO_FILE: Final = {
    203: "a version that a proxy has changed",
    204: "an answer without content",
    205: "an answer without content",
    206: "a part of the file instead of all of it",
    226: "a changed form of the file, which nobody asked for",
    304: "not modified, though nothing was asked to compare",
}
"""What answers below 400 bring instead of the file (RFC 9110 §15.2 to §15.4, RFC 3229)."""


def refusal(status: int, url: str, wish: float | None = None) -> DownloadError:
    """Why an answer with this status is no file; 429 and 503 are the client's to judge (`Client.busy`).

    `wish` is the server's Retry-After in seconds: it is about this file, and goes to where time may help.
    """
    said = f"HTTP {status}"
    if status < 400:
        empty = status in (204, 205)
        return DownloadError(
            "not_found" if empty else "server_error", f"{said}: {_NO_FILE.get(status, 'no file')}"
        )
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
