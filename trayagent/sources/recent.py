"""A bounded memory: the oldest entry makes room for the newest."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """At most `size` entries by name."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        """What was put under the name, if it is still remembered."""
        return self._entries.get(name)

    def put(self, name: str, value: T) -> None:
        """Remember it as the newest."""
        self._entries.pop(name, None)
        self._entries[name] = value
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
