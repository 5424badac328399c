"""What a JSON API's answers mean, by the paths of the settings: items, and how to ask for the next page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from trayagent.model import filenames, urls
from trayagent.model.errors import DownloadError
from trayagent.model.library import Listed
from trayagent.sources import paths

_LINK: Final = re.compile(r"<([^<>]*)>((?:[^,\"]|\"[^\"]*\")*)")
"""One link of a Link header (RFC 8288 §3)."""
_NEXT: Final = re.compile(
    r";\s*rel\s*=\s*(?:\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\"|next)\s*(?:;|$)", re.IGNORECASE
)


def item(raw: Any, where: Mapping[str, str], base: str) -> Listed | None:
    """The item behind one entry; None without an id."""

    def get(what: str) -> Any:
        return paths.at(raw, where[what]) if where.get(what) else None

    ident = text(get("id"))
    if not ident:
        return None
    return Listed(
        ident=ident,
        name=shown(text(get("name")) or ident) or "unnamed",
        kind=kind(get("kind")),
        created=moment(get("created")),
        media_key=stem(ident),
        size=whole(get("size")),
        sha256=digest(get("sha256")),
        link=link(get("url"), base),
    )


def stem(ident: str) -> str:
    """The file's name without its ending: the id, made safe."""
    return filenames.safe(re.sub(r"\.", "_", ident), 120)


def text(value: Any) -> str | None:
    """A name or id as text; numbers count."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()[:1024] or None


def shown(word: str) -> str:
    """The word without what a terminal or a page could take for a command."""
    return "".join(character for character in word if character.isprintable())


def kind(value: Any) -> Literal["image", "video", "unknown"]:
    """Image or video, from words like `image/png`, `VIDEO`, `photo`."""
    word = value.lower() if isinstance(value, str) else ""
    if word.startswith(("image", "photo", "picture")):
        return "image"
    return "video" if word.startswith(("video", "movie")) else "unknown"


def moment(value: Any) -> float | None:
    """Unix seconds of an RFC 3339 text, or of a number of seconds or milliseconds since 1970."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value):
            when = datetime.fromisoformat(value)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        number = float(value) if not isinstance(value, bool) else None
    except (ValueError, TypeError, OverflowError):
        return None
    if number is None or not 0 <= number < 1e14:
        return None
    return number / 1000 if number > 1e11 else number


def whole(value: Any) -> int | None:
    """A size in bytes."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 18:
        return int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
        else None
    )


def digest(value: Any) -> str | None:
    """A SHA-256 in hex."""
    word = value.lower().removeprefix("sha256:") if isinstance(value, str) else ""
    return word if re.fullmatch(r"[0-9a-f]{64}", word) else None


def link(value: Any, base: str) -> str | None:
    """An absolute web address, or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return urls.check(urls.resolve(base + "/", value))
    except DownloadError:
        return None


def linked_next(header: str | None) -> str | None:
    """The address with `rel=next` of a Link header."""
    return next(
        (match[1] for match in _LINK.finditer(header or "") if _NEXT.search(match[2])), None
    )
