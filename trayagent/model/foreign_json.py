"""JSON as others write it: with half a character where a text was cut inside an emoji."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

_HALVES: Final = re.compile(
    rb"\\\\"  # a backslash, escaped: what follows it is plain text
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # both halves: one character
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


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
        whole = _HALVES.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)
        if whole == text:
            raise
        return msgspec.json.decode(whole, type=type)
