"""The indented options of aria2's input files, read into items and written from them.

Source: aria2 manual, "Input File". Options of our own say what aria2 has no word for; it ignores them.
`crawljob` and `metalink` put what they find into these options, too, so that the rules for folders and
names are here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, get_args

from trayagent.lists.entry import ListError
from trayagent.model import filenames
from trayagent.model.downloads import Cookie, Item, Kind
from trayagent.model.units import parse_count, parse_size

MOST_SEGMENTS: Final = 16
"""The most connections that an item may ask for; a larger `split` means as many."""
_REFUSED: Final = re.compile(
    r"on-.*|hook-.*|conf-path|input-file|log|save-.*|load-cookies|server-stat-.*|netrc-path|rpc-.*|daemon"
)
"""Options that start programs or reach for files of their own."""
_SILENT: Final = frozenset(
    {"gid", "continue", "auto-file-renaming", "remote-time", "max-connection-per-server"}
)
"""Options of saved sessions that say what we do anyway, or that mean nothing here."""
_BREAKS: Final = re.compile(r"[\t\r\n\u2028\u2029]+")
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
    "engine": "engine",
}
"""Field -> option, where both are plain text."""
_FLAGS: Final = {"paused": "pause", "next": "next", "again": "again"}
OPTIONS: Final = frozenset(
    {"header", "cookie", "size", "split", "max-download-limit", "kind", "subtitles"}
    | set(_TEXTS.values())
    | set(_FLAGS.values())
)
"""All options that are read."""


def build_item(
    uris: Sequence[str], options: Sequence[tuple[str, str]], folder: str | None
) -> tuple[Item, tuple[str, ...]]:
    """The item that a line of URIs and its options ask for, and warnings on what is ignored.

    `folder` is the heading's; `dir` overrides it. Raises DownloadError `permission_denied` for a place
    outside the downloads folder, ListError for an option that is never obeyed or makes no sense.
    """
    fields: dict[str, Any] = {}
    headers: dict[str, str] = {}
    cookies: list[Cookie] = []
    warnings: list[str] = []
    for name, value in options:
        # 1. An option that could start a program or read a file costs the entry: whoever wrote it
        #    expects something that will not happen.
        # 2. Headers and cookies add up; of other options the last one counts.
        # 3. An option that we do not have is ignored, with a warning where it may be missed.
        if _REFUSED.fullmatch(name):
            raise ListError(f"The option {name} may not be used in a list.")
        if name == "header":
            header, colon, content = value.partition(":")
            if colon and header.strip():
                headers[header.strip()] = content.strip()
            else:
                warnings.append("A header without a colon is ignored.")
        elif name == "cookie":
            cookies.append(_parse_cookie(value))
        elif name in OPTIONS:
            fields.update(_fields_of(name, value))
        elif name not in _SILENT:
            warnings.append(f"The option {name} is ignored.")
    if fields.get("referer") == "*":  # aria2: the URL itself
        fields["referer"] = uris[0]
    # `dir` may be empty on purpose: the downloads folder itself, whatever the heading says.
    fields |= _folder_and_name(fields.get("folder", folder), fields.get("filename"))
    item = Item(uris[0], mirrors=tuple(uris[1:]), headers=headers, cookies=tuple(cookies), **fields)
    return item, tuple(warnings)


def format_list(items: Iterable[Item]) -> str:
    """Items as an aria2 input file, nothing of them left out."""
    out: list[str] = []
    for item in items:
        # A line break in a value would begin a line of its own: another option, another URL.
        addresses = (_BREAKS.sub(" ", address) for address in (item.url, *item.mirrors))
        out.append("\t".join(addresses) + "\n")
        out += [f" {name}={_BREAKS.sub(' ', value)}\n" for name, value in _options_of(item)]
    return "".join(out)


def _options_of(item: Item) -> Iterator[tuple[str, str]]:
    for field, name in _TEXTS.items():
        value = getattr(item, field)
        if value:
            yield name, value
    for field, name in _FLAGS.items():
        if getattr(item, field):
            yield name, "true"
    for header, value in item.headers.items():
        yield "header", f"{header}: {value}"
    for cookie in item.cookies:
        domain = f"; Domain={cookie.domain}" if cookie.domain else ""
        secure = "; Secure" if cookie.secure else ""
        yield "cookie", f"{cookie.name}={cookie.value}{domain}; Path={cookie.path}{secure}"
    if item.kind != "auto":
        yield "kind", item.kind
    if item.size is not None:
        yield "size", str(item.size)
    if item.segments:
        yield "split", str(item.segments)
    if item.speed_limit:
        # Our K and M are powers of 1000, aria2's of 1024: in bytes a limit means the same to both.
        limit = item.speed_limit
        has_short_unit = re.fullmatch(r"[0-9]+\s*[KkMm]", limit)
        yield "max-download-limit", str(parse_size(limit)) if has_short_unit else limit
    if item.subtitles:
        yield "subtitles", ",".join(item.subtitles)


def _fields_of(name: str, value: str) -> dict[str, Any]:
    """Read one option into fields of an item. Raises ListError for a value that makes no sense."""
    if name in _TEXTS.values():
        field = next(field for field, option in _TEXTS.items() if option == name)
        if name == "checksum":
            value = value.replace(" ", "").lower()
        return {field: value or None}
    if name in _FLAGS.values():
        field = next(field for field, option in _FLAGS.items() if option == name)
        return {field: value.lower() == "true"}
    match name:
        case "size":
            if parse_count(value) is None:
                raise ListError(f"The option size={value[:40]} is not a number of bytes.")
            return {"size": parse_count(value)}
        case "split":
            if not re.fullmatch(r"[0-9]{1,6}", value):
                raise ListError(f"The option split={value[:40]} is not a number.")
            return {"segments": min(MOST_SEGMENTS, int(value)) or None}
        case "max-download-limit":
            # aria2's K and M are powers of 1024; other units are ours, which aria2 does not have.
            text = f"{value}iB" if re.fullmatch(r"[0-9]+[KkMm]", value) else value
            try:
                return {"speed_limit": text if parse_size(text) else None}  # 0 is no limit
            except ValueError as error:
                raise ListError(f"The option max-download-limit: {error}.") from error
        case "kind":
            kinds = get_args(Kind)
            if value not in kinds:
                raise ListError(f"The option kind={value[:40]} is none of {', '.join(kinds)}.")
            return {"kind": value}
        case _:  # "subtitles"
            return {"subtitles": tuple(filter(None, re.split(r"[,\s]+", value)))}


def _parse_cookie(value: str) -> Cookie:
    """A cookie in the words of Set-Cookie (RFC 6265 §4.1.1)."""
    # Without a Domain it is for the host of the entry's own URL alone.
    pair, *attributes = re.split(r";\s*", value)
    name, _, content = pair.partition("=")
    known = {
        key.strip().lower(): text for key, _, text in (part.partition("=") for part in attributes)
    }
    if not name:
        raise ListError("A cookie needs a name.")
    domain = known.get("domain") or None
    return Cookie(name, content, domain, known.get("path") or "/", "secure" in known)


def _folder_and_name(folder: str | None, out: str | None) -> dict[str, str | None]:
    """Folder and file name; `out` may name folders before the file, all inside the downloads folder."""
    # Backslashes part folders here on every system: a list goes from one machine to another.
    parts = re.split(r"[/\\]", out) if out else [""]
    filenames.safe_folder(folder)
    if len(parts) > 1 or parts[0] == "..":
        filenames.safe_folder(out)  # whole: an absolute path or a drive shows at its beginning
    joined = "/".join(part for part in (folder, *parts[:-1]) if part and part != ".")
    return {"folder": joined or None, "filename": parts[-1] or None}
