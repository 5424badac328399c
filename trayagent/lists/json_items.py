"""JSON lists: an array of items as the local HTTP interface takes them, or of plain addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from trayagent.lists.entry import ListError, ParsedEntry, whole_reader
from trayagent.lists.text import decode
from trayagent.model import lenient_json
from trayagent.model.downloads import Item

MOST_ENTRIES: Final = 1_000_000
MOST_ITEM_BYTES: Final = 1024 * 1024
"""Of one entry; its values become Python's own, twenty times as large."""
MOST_DEPTH: Final = 100
"""Brackets inside each other; an item needs three."""
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
"""A string, or what separates; a string that never ends is one to the end of the file.

The possessive `++` and `*+` never go back, so that no text makes the pattern slow.
"""
_NO_ARRAY: Final = "This is not a JSON array of items."


def parse(data: bytes) -> Iterator[ParsedEntry]:
    """The entries of an array, of one object, or of `{"items": […]}`; raises ListError."""
    text = decode(data).strip().encode()
    del data  # it may have been another coding, and large
    # An element that is no item costs itself alone, so each is decoded for itself. The array is
    # 1. the whole text;
    # 2. what stands under `items`;
    # 3. else there is none: the text is one object, and that is the item.
    array: bytes | None = text if text.startswith(b"[") else None
    if text and array is None:
        try:
            array = bytes(lenient_json.read(text, _ItemsObject).items)
        except msgspec.ValidationError:
            array = None
        except (msgspec.DecodeError, RecursionError) as error:
            raise ListError(_NO_ARRAY) from error
    for element in elements(array) if array is not None else [text] if text else []:
        yield _entry(msgspec.Raw(element))


read = whole_reader(parse)


class _ItemsObject(msgspec.Struct, forbid_unknown_fields=True):
    items: msgspec.Raw


def elements(array: bytes) -> Iterator[bytes]:
    """The elements one by one, once all of them are known to be JSON: a broken list brings nothing.

    Decoded all at once they would take many times the memory of the file.
    """
    # Between the brackets of an empty array stands one "element", of nothing.
    is_empty = array[1:].strip() == b"]"
    for number, element in enumerate(_split(array)):
        if number >= MOST_ENTRIES:
            raise ListError("The list has too many entries; save it as a .txt, one address a line.")
        try:
            if not is_empty:
                lenient_json.read(element, msgspec.Raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ListError(_NO_ARRAY) from error
    yield from () if is_empty else _split(array)


def _split(array: bytes) -> Iterator[bytes]:
    """The texts between the commas of an array. Raises ListError where its brackets do not fit."""
    depth = start = 0
    for token in _TOKEN.finditer(array):
        mark = token[0][:1]
        if mark in (b"[", b"{"):
            depth += 1
            start = start if depth > 1 else token.end()
        elif mark in (b"]", b"}"):
            depth -= 1
            if not depth:
                yield array[start : token.start()]
                if mark == b"}" or array[token.end() :].strip():
                    break  # another bracket, or something behind the array
                return
        elif mark == b"," and depth == 1:
            yield array[start : token.start()]
            start = token.end()
        if depth > MOST_DEPTH:
            break
    raise ListError(_NO_ARRAY)


def _entry(element: msgspec.Raw) -> ParsedEntry:
    if len(bytes(element)) > MOST_ITEM_BYTES:
        return ParsedEntry("", problem="The entry is too long.")
    # Two readers could take two different URLs from it.
    repeated = lenient_json.repeated_key(element)
    if repeated is not None:
        return ParsedEntry(_url_of(element), problem=f"The key {repeated[:40]!r} is there twice.")
    try:
        # A number or a list is no item either, and msgspec says so.
        value = lenient_json.read(element)
        item = Item(value) if isinstance(value, str) else msgspec.convert(value, Item)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return ParsedEntry(_url_of(element), problem=f"{error}.")
    return ParsedEntry(item.url, item)


def _url_of(element: msgspec.Raw) -> str:
    """The address that the report shows for an element that is no item."""
    try:
        value: dict[str, object] = lenient_json.read(element, dict[str, object])
    except msgspec.DecodeError:
        return ""
    return str(value.get("url", ""))
