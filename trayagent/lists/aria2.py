"""The indented options of aria2's input files, read into items and written from them.

Source: aria2 manual, "Input File". Options of our own say what aria2 has no word for; it ignores them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, get_args

from trayagent.lists.line import ListError
from trayagent.model import filenames
from trayagent.model.downloads import Cookie, Item, Kind
from trayagent.model.units import parse_count, parse_size

_REFUSED: Final = re.compile(
    r"on-.*|hook-.*|conf-path|input-file|log|save-.*|load-cookies|server-stat-.*|netrc-path|rpc-.*|daemon"
)
"""Options that start programs or reach for files of their own."""
_SILENT: Final = frozenset(
    {"gid", "continue", "auto-file-renaming", "remote-time", "max-connection-per-server"}
)
"""Options of saved sessions that say what we do anyway, or that mean nothing here."""
_BREAKS: Final = re.compile(r"[\t\r\n\u2028\u2029]+")


def item(
    uris: Sequence[str], options: Sequence[tuple[str, str]], folder: str | None
) -> tuple[Item, tuple[str, ...]]:
    """The item that a line of URIs and its options ask for, and warnings on what is not done.

    `folder` is the heading's; `dir` overrides it. Raises DownloadError `permission_denied` for a place
    outside the downloads folder, ListError for an option that is never obeyed or makes no sense.
    """
    fields: dict[str, Any] = {}
    headers: dict[str, str] = {}
    cookies: list[Cookie] = []
    warnings: list[str] = []
    for name, value in options:
        if _REFUSED.fullmatch(name):
            raise ListError(f"The option {name} may not be used in a list.")
        if name == "header":
            _add_header(headers, value, warnings)
        elif name == "cookie":
            cookies.append(_cookie(value))
        elif name in _READ:
            fields.update(_READ[name](value))
        elif name not in _SILENT:
            warnings.append(f"The option {name} is ignored.")
    if fields.get("referer") == "*":
        fields["referer"] = uris[0]
    fields |= _place(fields.pop("dir", folder), fields.get("filename"))
    made = Item(uris[0], mirrors=tuple(uris[1:]), headers=headers, cookies=tuple(cookies), **fields)
    return made, tuple(warnings)


def write(items: Iterable[Item]) -> str:
    """Items as an aria2 input file, nothing of them left out."""
    out: list[str] = []
    for one in items:
        out.append("\t".join((one.url, *one.mirrors)) + "\n")
        out += [f" {name}={_BREAKS.sub(' ', value)}\n" for name, value in _options(one)]
    return "".join(out)


def _options(one: Item) -> Iterator[tuple[str, str]]:
    for field, name in _TEXTS.items():
        value = getattr(one, field)
        if value:
            yield name, value
    for field, name in _FLAGS.items():
        if getattr(one, field):
            yield name, "true"
    yield from _secrets(one)
    if one.kind != "auto":
        yield "kind", one.kind
    if one.size is not None:
        yield "size", str(one.size)
    if one.segments:
        yield "split", str(one.segments)
    if one.speed_limit:
        yield "max-download-limit", _bytes(one.speed_limit)
    if one.subtitles:
        yield "subtitles", ",".join(one.subtitles)


def _secrets(one: Item) -> Iterator[tuple[str, str]]:
    for header, value in one.headers.items():
        yield "header", f"{header}: {value}"
    for cookie in one.cookies:
        domain = f"; Domain={cookie.domain}" if cookie.domain else ""
        secure = "; Secure" if cookie.secure else ""
        yield (
            "cookie",
            f"{cookie.name}={cookie.value}{domain}; Path={cookie.path}{secure}",
        )


_TEXTS: Final = {
    "folder": "dir",
    "filename": "out",
    "referer": "referer",
    "user_agent": "user-agent",
    "checksum": "checksum",
    "pieces": "pieces",
    "quality": "quality",
    "title": "title",
    "page_url": "page-url",
}
"""Field -> option, where both are plain text."""
_FLAGS: Final = {"paused": "pause", "next": "next", "again": "again"}


def _text(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {field: value or None}


def _flag(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {field: value.lower() == "true"}


def _split(value: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise ListError(f"The option split={value[:40]} is not a number.")
    return {"segments": min(16, int(value)) or None}


def _size(value: str) -> dict[str, Any]:
    if parse_count(value) is None:
        raise ListError(f"The option size={value[:40]} is not a number of bytes.")
    return {"size": parse_count(value)}


def _limit(value: str) -> dict[str, Any]:
    # aria2's K and M are powers of 1024.
    text = f"{value}iB" if re.fullmatch(r"[0-9]+[KkMm]", value) else value
    try:
        return {"speed_limit": text if parse_size(text) else None}
    except ValueError as error:
        raise ListError(f"The option max-download-limit: {error}.") from error


def _kind(value: str) -> dict[str, Any]:
    if value not in get_args(Kind):
        raise ListError(f"The option kind={value[:40]} is none of {', '.join(get_args(Kind))}.")
    return {"kind": value}


_READ: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    **{name: _text(field) for field, name in _TEXTS.items()},
    **{name: _flag(field) for field, name in _FLAGS.items()},
    "dir": lambda value: {"dir": value},
    "checksum": lambda value: {"checksum": value.replace(" ", "").lower() or None},
    "size": _size,
    "split": _split,
    "max-download-limit": _limit,
    "kind": _kind,
    "subtitles": lambda value: {"subtitles": tuple(filter(None, re.split(r"[,\s]+", value)))},
}
"""Option -> the fields of an item it sets."""


def _bytes(limit: str) -> str:
    """A limit that means the same to aria2 and to us."""
    return str(parse_size(limit)) if re.fullmatch(r"[0-9]+\s*[KkMm]", limit) else limit


def _add_header(headers: dict[str, str], value: str, warnings: list[str]) -> None:
    name, colon, content = value.partition(":")
    if colon and name.strip():
        headers[name.strip()] = content.strip()
    else:
        warnings.append("A header without a colon is ignored.")


def _cookie(value: str) -> Cookie:
    """A cookie in the words of Set-Cookie (RFC 6265 §4.1.1)."""
    pair, *attributes = re.split(r";\s*", value)
    name, _, content = pair.partition("=")
    known = {
        key.strip().lower(): text for key, _, text in (part.partition("=") for part in attributes)
    }
    if not name:
        raise ListError("A cookie needs a name.")
    domain = known.get("domain") or None
    return Cookie(name, content, domain, known.get("path") or "/", "secure" in known)


def _place(folder: str | None, out: str | None) -> dict[str, str | None]:
    """Folder and file name; `out` may lead into a folder of its own, both stay inside."""
    parts = re.split(r"[/\\]", out) if out else [""]
    filenames.safe_folder(folder)
    if len(parts) > 1 or parts[0] == "..":
        filenames.safe_folder(out)
    joined = "/".join(part for part in (folder, *parts[:-1]) if part and part != ".")
    return {"folder": joined or None, "filename": parts[-1] or None}
