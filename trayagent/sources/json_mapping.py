"""What a JSON API's answers mean, by the paths of the settings: items, and how to ask for the next page.

A path is dotted (`data.items[0].name`, `*` for every element); a template holds `{fields}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from trayagent.model import filenames, urls
from trayagent.model.errors import DownloadError
from trayagent.model.library import Listed
from trayagent.model.units import parse_moment
from trayagent.sources.source import CutOffError

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+|\*)\]")
_FIELD: Final = re.compile(r"\{([a-z_]+(?::[A-Za-z0-9_-]+)?)\}")
NEIGHBOURS: Final = 20
"""Dates of other items that are looked at to understand one."""
CURSOR_BYTES: Final = 16 * 1024
"""A longer cursor is none that could be asked with."""
_TARGET: Final = re.compile(r"<([^<>]*)>")
_PARAMETER: Final = re.compile(
    r"""\s*;\s*([\w!#$%&*+.^`|~-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;,"]*))?"""
)
"""Of a link (RFC 8288 §3); single quotes are no quotes there, but are sent."""
_SAYS_NEXT: Final = re.compile(r"\brel\b[\s=\"']{0,9}[^\"',;=]{0,40}\bnext\b", re.IGNORECASE)


_MAY_BE_ERROR: Final = re.compile("err|fault|exception|message|msg|detail|reason", re.IGNORECASE)
"""In the name of a key."""


# --- paths and templates ---


def at_path(value: Any, path: str) -> Any:
    """What is at the path, or None; `*` answers a list with what each element has there."""
    found, many = [value], False
    for name, index in _STEP.findall(path):
        # A step is, in this order: all elements (`*`, of a list or an object), a key, an index. What is
        # not there, or not of that form, is None and ends nothing: a server may leave out what it likes.
        if (name or index) == "*":
            many = True
            lists = [list(one.values()) if isinstance(one, dict) else one for one in found]
            found = [inner for one in lists if isinstance(one, list) for inner in one]
        elif name:
            found = [one.get(name) if isinstance(one, dict) else None for one in found]
        else:
            at = int(index)
            found = [one[at] if isinstance(one, list) and at < len(one) else None for one in found]
    return found if many else found[0]


def fields(template: str) -> list[str]:
    """The names in braces, in order."""
    return _FIELD.findall(template)


def fill(template: str, values: Mapping[str, str], put: Callable[[str], str] = str) -> str:
    """The template with each `{field}` replaced by its value as `put` writes it; unknown ones vanish."""
    return _FIELD.sub(lambda match: put(values.get(match[1], "")), template)


# --- items ---


class MappedPage(Struct, frozen=True):
    """What the entries of a page are."""

    items: list[Listed]
    rows: list[Any]
    """The entry of each item."""
    undated: int
    """Items whose date is not understood."""
    dates: list[Any]
    """Some dates as they are written, to understand those of other pages."""


def items(
    rows: Sequence[Any], where: Mapping[str, str], base: str, earlier: Iterable[Any] = ()
) -> MappedPage:
    """The items of a page; `earlier` are dates of pages before. Entries without an id are left out."""
    path = where.get("created")
    dates = [at_path(row, path) if path else None for row in rows]
    # A date alone may have several meanings; a few of its neighbours tell which.
    some = range(0, len(rows), max(1, len(rows) // NEIGHBOURS))
    found, undated = [], 0
    for at, row in enumerate(rows):
        # Its own date is left out: alone it would vote for its own reading.
        others = [*earlier, *(dates[one] for one in some if one != at)]
        made = item(row, where, base, others)
        if made is not None:
            found.append((made, row))
            undated += made.created is None and dates[at] not in (None, "")
    return MappedPage(
        [one for one, _ in found], [row for _, row in found], undated, [dates[one] for one in some]
    )


def item(raw: Any, where: Mapping[str, str], base: str, dates: Iterable[Any] = ()) -> Listed | None:
    """The item behind one entry; None without an id. `dates` are how other items write theirs."""

    def get(what: str) -> Any:
        return at_path(raw, where[what]) if where.get(what) else None

    ident = text(get("id"))
    if not ident:
        return None
    return Listed(
        ident=ident,
        name=printable(text(get("name")) or ident) or "unnamed",
        kind=kind(get("kind")),
        created=parse_moment(get("created"), dates),
        media_key=stem(ident),
        size=whole(get("size")),
        sha256=digest(get("sha256")),
        link=link(get("url"), f"{base}/"),
    )


def stem(ident: str) -> str:
    """The file's name without its ending: the id, made safe."""
    # With a dot left in it, the rest of an id would look like the file's ending.
    return filenames.safe(re.sub(r"\.", "_", ident), 120)


def text(value: Any) -> str | None:
    """A name or id as text; numbers count."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    # A NUL ends a text in too many places: what has one would be two different things.
    return None if "\0" in str(value) else str(value).strip()[:1024] or None


def printable(word: str) -> str:
    """The word without what a terminal or a page could take for a command."""
    return "".join(character for character in word if character.isprintable())


def kind(value: Any) -> Literal["image", "video", "unknown"]:
    """Image or video, from words like `image/png`, `VIDEO`, `photo`."""
    word = value.lower() if isinstance(value, str) else ""
    if word.startswith(("image", "photo", "picture")):
        return "image"
    return "video" if word.startswith(("video", "movie")) else "unknown"


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


def link(value: Any, page: str) -> str | None:
    """An absolute web address, as seen from a page, or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return urls.check(urls.resolve(page, value))
    except DownloadError:
        return None


# --- the next page ---


def is_end(told: Any) -> bool:
    """Whether a server says that there is no more: with null, false, or something empty of any kind."""
    return told is None or told is False or told in ("", [], {})


def is_empty_page(body: Any, path: str, *, is_first: bool) -> bool:
    """Whether an answer without a list at the path is a page without items, and no failure.

    1. The list is null: Go writes one without elements so.
    2. Nothing is there at all: JSON made of protobufs leaves out what is empty. On a first page the path
       would rather be wrong.

    Neither counts beside a word that may be an error: to stop there would look like the end of the list.
    """
    if body == {}:
        return not is_first
    *above, last = path.split(".")
    holder = at_path(body, ".".join(above)) if above else body
    if not isinstance(body, dict) or not isinstance(holder, dict):
        return False
    told = {**body, **holder}
    if any(_MAY_BE_ERROR.search(name) and value for name, value in told.items()):
        return False
    if any(told.get(name) is False for name in ("success", "ok")):
        return False
    return last in holder


def cursor(told: Any) -> str | None:
    """What goes back to the server to get the page after, None at the end. Raises CutOffError.

    A text goes back as it came, anything else as JSON.
    """
    if is_end(told):
        return None
    if told is True:
        raise CutOffError("the answer says that there is more, but not where")
    word = told if isinstance(told, str) else json.dumps(told, separators=(",", ":"))
    if len(word.encode()) > CURSOR_BYTES:
        raise CutOffError("its cursor is too long")
    return word


def count(told: Any, following: int) -> str | None:
    """The number of the next page or item where we count ourselves; None at the end. Raises CutOffError.

    The server may say it, say that there is more, or give the whole address of the next page.
    """
    # 1. Nothing, a word for no, or a number below 0: the end.
    # 2. A word for yes: the number that we count.
    # 3. A number: that one.
    # 4. An address: it only says that there is more, and we count.
    # 5. Anything else we do not understand, and say so: to stop there would look like the end.
    word = told.strip().lower() if isinstance(told, str) else told
    if is_end(word) or word in ("false", "no", "0", 0):
        return None
    if word is True or word in ("true", "yes", "1", 1):
        return str(following)
    if isinstance(word, float) and word.is_integer():
        word = int(word)
    if isinstance(word, (int, str)) and re.fullmatch(r"-?[0-9]{1,18}", str(word)):
        return None if str(word).startswith("-") else str(word)
    if isinstance(word, str) and ("/" in word or word.startswith("?")):
        return str(following)
    raise CutOffError("it does not say in numbers how it goes on")


def next_address(told: Any) -> str | None:
    """The address in a JSON answer: a text, or an object that holds one, as HAL has it. Raises CutOffError."""
    if is_end(told):
        return None
    if isinstance(told, dict):
        told = next((told[key] for key in ("href", "url", "uri") if key in told), told)
    if not isinstance(told, str):
        raise CutOffError("what should be the address of the next page is none")
    return told


def next_link(lines: Iterable[str]) -> str | None:
    """The address with `rel=next` in Link headers; None for none. Raises CutOffError."""
    for line in lines:
        at = 0
        while target := _TARGET.search(line, at):
            at, relations = target.end(), None
            while parameter := _PARAMETER.match(line, at):
                at = parameter.end()
                if parameter[1].lower() == "rel" and relations is None:
                    relations = (parameter[2] or "").strip("\"'").lower().split()
            if "next" in (relations or ()):
                return target[1]
    if any(_SAYS_NEXT.search(line) for line in lines):
        raise CutOffError("its Link header cannot be read", "Tell whoever runs the server.")
    return None
