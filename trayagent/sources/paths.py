"""Dotted paths into JSON (`data.items[0].name`, `*` for every element), and templates with `{fields}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+|\*)\]")
_FIELD: Final = re.compile(r"\{([a-z_]+(?::[A-Za-z0-9_-]+)?)\}")


def at(value: Any, path: str) -> Any:
    """What is at the path, or None; `*` answers a list with what each element has there."""
    found, many = [value], False
    for name, index in _STEP.findall(path):
        if (name or index) == "*":
            found, many = [inner for one in found for inner in _elements(one)], True
        else:
            found = [_inside(one, name, index) for one in found]
    return found if many else found[0]


def _inside(value: Any, name: str, index: str) -> Any:
    if name:
        return value.get(name) if isinstance(value, dict) else None
    number = int(index)
    return value[number] if isinstance(value, list) and number < len(value) else None


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) else ()


def fields(template: str) -> list[str]:
    """The names in braces, in order."""
    return _FIELD.findall(template)


def filled(template: str, values: Mapping[str, str], put: Callable[[str], str] = str) -> str:
    """The template with each `{field}` replaced by its value as `put` writes it; unknown ones vanish."""
    return _FIELD.sub(lambda match: put(values.get(match[1], "")), template)
