"""The tables of a json source: `list`, `page`, `item`, `fetch` and `auth`.

To msgspec they are free-form, so their keys and values are judged here. A misspelt field or path would
else be found by a sync, as an empty list or an address without its id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trayagent.model.settings import SourceSettings
from trayagent.settings.schema import RawValue, unknown_key_sentence

_TABLES: Final = {
    "list": ("url", "query", "page_size"),
    "page": ("items", "next", "style"),
    "item": ("id", "name", "kind", "created", "size", "sha256", "url"),
    "fetch": ("url", "base64", "fallback"),
    "auth": ("headers", "query"),
}
_STYLES: Final = ("cursor", "page", "offset", "next_url", "link_header")
# More would make one answer as large as many pages; servers cut it anyway.
_LARGEST_PAGE: Final = 100_000
_FIELD: Final = re.compile(r"\{([a-z_]+)\}")
_LIST_FIELDS: Final = ("base", "page_size", "cursor", "page", "offset")
_FETCH_FIELDS: Final = ("base", "id", "name", "kind", "url")
_PATH: Final = re.compile(r"(?:(?:^|\.)[^.\[\]]+|\[(?:\d+|\*)\])*")
"""`data.items[0].name`; an empty one is the whole answer."""


def broken_table_rules(source: SourceSettings, key: str) -> Iterator[str]:
    """A sentence for every rule that the tables of a json source break; `key` is `sources.NAME`."""
    for name, known in _TABLES.items():
        for inner, value in getattr(source, name).items():
            if inner not in known:
                candidates = [f"{key}.{name}.{one}" for one in known]
                raw = RawValue(value, "config.toml")
                yield unknown_key_sentence(f"{key}.{name}.{inner}", raw, candidates)
    # Without these nothing can be listed: where to ask, where the items stand in the answer, and what
    # tells one item from another.
    for name, inner in (("list", "url"), ("page", "items"), ("item", "id")):
        if not isinstance(getattr(source, name).get(inner), str):
            yield f"{key}.{name} needs a text named {inner}."
    for name, inner in (("list", "query"), ("auth", "headers"), ("auth", "query")):
        if not isinstance(getattr(source, name).get(inner, {}), dict):
            yield f"{key}.{name}.{inner} must be a table."
    style = source.page.get("style", "cursor")
    if style not in _STYLES:
        yield f'{key}.page.style is "{style}", but must be one of {", ".join(_STYLES)}.'
    if not source.fetch.get("url") and not source.item.get("url"):
        yield f"{key} needs fetch.url or item.url, to know where the files are."
    yield from _bad_values(source, key)


def _bad_values(source: SourceSettings, key: str) -> Iterator[str]:
    """What is there, and means nothing."""
    size = source.list.get("page_size", 1)
    # In Python `true` is the number 1.
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= _LARGEST_PAGE:
        yield f"{key}.list.page_size must be a whole number from 1 to {_LARGEST_PAGE}."
    yield from _bad_fields(
        f"{key}.list", {**_table(source.list, "query"), "url": source.list.get("url")}, _LIST_FIELDS
    )
    yield from _bad_fields(f"{key}.fetch", {"url": source.fetch.get("url")}, _FETCH_FIELDS)
    paths = {f"page.{inner}": source.page.get(inner) for inner in ("items", "next")}
    paths |= {f"item.{inner}": source.item.get(inner) for inner in _TABLES["item"]}
    paths |= {f"fetch.{inner}": source.fetch.get(inner) for inner in ("base64", "fallback")}
    for name, path in paths.items():
        if path is not None and not (isinstance(path, str) and _PATH.fullmatch(path)):
            yield f'{key}.{name} is "{path}", but must be a path like data.items[0].name.'


def _bad_fields(key: str, templates: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for name, template in templates.items():
        for field in _FIELD.findall(str(template or "")):
            if field not in known:
                braces = ", ".join(f"{{{one}}}" for one in known)
                yield f"{key}.{name} holds {{{field}}}, but may hold {braces}."


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = table.get(name, {})
    return dict(inner) if isinstance(inner, dict) else {}
