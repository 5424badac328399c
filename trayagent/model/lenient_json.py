"""JSON as others write it: with half a character where a text was cut inside an emoji, or a key said twice."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import msgspec

from trayagent.model.disposition import codec_of

_HALVES: Final = re.compile(
    rb"\\\\"  # a backslash, escaped: what follows it is plain text
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves: one character
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


MOST_LOOKED_THROUGH: Final = 1024 * 1024
"""Bytes in which a key is looked for twice: some values of them become Python's own for that moment."""


def read(data: bytes | msgspec.Raw, type: Any = Any) -> Any:
    """The value; half a surrogate pair, which JSON.stringify escapes but no text can hold, is read as U+FFFD.

    Raises msgspec.DecodeError, and its subclass ValidationError for a value of another type.
    """
    try:
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text = bytes(data)
        whole = _without_halves(text)
        if whole == text:
            raise
        return msgspec.json.decode(whole, type=type)


def _without_halves(text: bytes) -> bytearray:
    """Half a surrogate pair becomes U+FFFD; a whole pair, and an escaped backslash before a `u`, stay."""
    # Letter by letter in one place, since both are as long: `re.sub` would keep millions of pieces.
    whole = bytearray(text)
    for found in _HALVES.finditer(text):
        if found[1]:
            whole[found.start() : found.end()] = rb"\ufffd"
    return whole


def read_loosely(data: bytes, charset: str = "") -> Any:
    """The value of what is nearly JSON, as libraries write it that nobody holds to RFC 8259. Raises ValueError.

    | what is written                               | is read as                               |
    |-----------------------------------------------|------------------------------------------|
    | another coding, by its mark or the `charset`  | its text                                 |
    | bytes that are no text in that coding         | U+FFFD                                   |
    | NaN, Infinity, a number beyond all others     | null                                     |
    | a line break or another control character     | itself                                   |
    """
    # The mark of UTF-16 and UTF-32, or where the zeros stand (RFC 4627 §3); else what the server says.
    coding: str = json.detect_encoding(data)
    if coding == "utf-8":
        coding = codec_of(charset) or coding
    text = _without_halves(data.decode(coding, "replace").encode("utf-8", "replace"))

    def finite(digits: str) -> float | None:
        return number if math.isfinite(number := float(digits)) else None

    return json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=finite)


def repeated_key(data: bytes | msgspec.Raw) -> str | None:
    """The key that an object says twice, at any depth; None where there is none, and for what is no JSON.

    Readers differ on which of the two counts, so nobody can tell what is meant. What is longer than
    `MOST_LOOKED_THROUGH` is taken for good.
    """
    if len(bytes(data)) > MOST_LOOKED_THROUGH:
        return None

    def refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(key)
            seen.add(key)

    # msgspec keeps the last of two without a word, so the standard library looks first.
    try:
        json.loads(bytes(data).decode("utf-8", "replace"), object_pairs_hook=refuse_repeated)
    except _RepeatedKeyError as error:
        return error.key
    except (ValueError, RecursionError):
        return None
    return None


class _RepeatedKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key
