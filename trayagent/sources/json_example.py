"""An answer of a JSON API, cut down to what a person looks at to say what its fields are."""

from __future__ import annotations

from typing import Any, Final

MOST_ELEMENTS: Final = 3
"""Of each list: its elements are alike."""
MOST_KEYS: Final = 60
"""Of each object."""
MOST_DEPTH: Final = 8
MOST_CHARACTERS: Final = 300
"""Of each text."""


def sample(value: Any, depth: int = 0) -> Any:
    """The same value with short lists, short texts and no more than `MOST_DEPTH` levels."""
    # Everything is bounded, since a page draws it all: a foreign answer may hold a million entries.
    if isinstance(value, str):
        return value[:MOST_CHARACTERS]
    if not isinstance(value, (list, dict)):
        return value
    if depth >= MOST_DEPTH:
        return None
    if isinstance(value, list):
        return [sample(one, depth + 1) for one in value[:MOST_ELEMENTS]]
    some = list(value.items())[:MOST_KEYS]
    return {key[:MOST_CHARACTERS]: sample(one, depth + 1) for key, one in some}
