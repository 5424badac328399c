"""JSON lists: an array of items as the local HTTP door takes them, or of plain addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from trayagent.lists.line import ListError
from trayagent.lists.text import decode
from trayagent.lists.whole import Entry, reader
from trayagent.model import foreign_json
from trayagent.model.download import Item


def parse(data: bytes) -> Iterator[Entry]:
    """The entries of an array, of one object, or of `{"items": […]}`; raises ListError."""
    for element in _elements(decode(data).strip().encode()):
        yield _entry(element)


read = reader(parse)


def write(items: Iterable[Item]) -> str:
    """Items as a JSON array, an item a line."""
    rows = ",\n".join(msgspec.json.encode(item).decode() for item in items)
    return f"[\n{rows}\n]\n"


def _elements(data: bytes) -> list[msgspec.Raw]:
    if not data:
        return []
    try:
        if data.startswith(b"["):
            elements: list[msgspec.Raw] = foreign_json.read(data, list[msgspec.Raw])
            return elements
        fields: dict[str, msgspec.Raw] = foreign_json.read(data, dict[str, msgspec.Raw])
        if set(fields) == {"items"}:
            return msgspec.json.decode(fields["items"], type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ListError("This is not a JSON array of items.") from error
    return [msgspec.Raw(data)]


def _entry(element: msgspec.Raw) -> Entry:
    repeated = foreign_json.repeated_key(element)
    if repeated is not None:
        return Entry(_url_of(element), problem=f"The key {repeated[:40]!r} is there twice.")
    try:
        value = foreign_json.read(element)
        item = Item(value) if isinstance(value, str) else msgspec.convert(value, Item)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return Entry(_url_of(element), problem=f"{error}.")
    return Entry(item.url, item)


def _url_of(element: msgspec.Raw) -> str:
    try:
        value: dict[str, object] = foreign_json.read(element, dict[str, object])
    except msgspec.DecodeError:
        return ""
    return str(value.get("url", ""))
