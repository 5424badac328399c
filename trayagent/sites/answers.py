"""What yt-dlp gets to read of a server's answer: manifests as the standards have them, all else untouched."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

from trayagent.model import manifests

_HEAD: Final = 1024
"""Bytes of an answer that are looked at."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes of a manifest; a longer one is passed on as it came."""
_TYPES: Final = {"hls": "application/vnd.apple.mpegurl", "dash": "application/dash+xml"}
_CHANGED: Final = frozenset({"content-type", "content-length", "content-encoding"})


def clean_manifests(site: Any, response_class: Callable[..., Any]) -> None:
    """Make a YoutubeDL see every manifest by its content, whatever type it is sent with.

    yt-dlp knows one by its type or its very first bytes only: a mark, a blank line or a title in Latin-1
    hides it, and it then takes the manifest itself for the film.
    """
    ask = site.urlopen

    def urlopen(request: Any) -> Any:
        response = ask(request)
        return _cleaned(response, response_class) if response.status == 200 else response

    site.urlopen = urlopen


def _cleaned(response: Any, response_class: Callable[..., Any]) -> Any:
    head = _read(response.read, _HEAD)
    kind = manifests.kind_of(head)
    if kind is None:
        response.read = _with_head(head, response.read)
        return response
    data = head + _read(response.read, _MOST - len(head))
    if len(data) >= _MOST:
        response.read = _with_head(data, response.read)
        return response
    response.close()
    body = manifests.clean(data, kind)
    headers = {
        name: value for name, value in response.headers.items() if name.lower() not in _CHANGED
    }
    headers |= {"Content-Type": _TYPES[kind], "Content-Length": str(len(body))}
    return response_class(
        io.BytesIO(body),
        response.url,
        headers,
        response.status,
        response.reason,
        response.extensions,
    )


def _read(read: Callable[[int], bytes], most: int) -> bytes:
    """As many bytes as there are, `most` at most; a read alone may bring fewer."""
    data = b""
    while len(data) < most and (piece := read(most - len(data))):
        data += piece
    return data


def _with_head(head: bytes, read: Callable[..., bytes]) -> Callable[..., bytes]:
    """A `read` that begins with bytes that were read already."""
    left = head

    def again(most: int | None = None) -> bytes:
        nonlocal left
        if not left:
            return read(most)
        if most is None or most < 0:
            data, left = left + read(most), b""
        else:
            data, left = left[:most], left[most:]
        return data

    return again
