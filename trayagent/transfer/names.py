"""The names that files on their way hold, before anything on a disk says so."""

from __future__ import annotations

import threading
import unicodedata
from pathlib import Path


class Names:
    """The names held now, compared as the pickiest file system would: without case, composed. Thread-safe."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def hold(self, path: Path) -> bool:
        """Hold exactly this name; False when another transfer has it."""
        key = _key(path)
        with self._lock:
            if key in self._held:
                return False
            self._held.add(key)
        return True

    def is_held(self, path: str) -> bool:
        """Whether another transfer has this name now."""
        return bool(self._held) and _key(path) in self._held

    def release(self, path: Path) -> None:
        """Give a name back; the file system guards it from here on."""
        self._held.discard(_key(path))

    def __repr__(self) -> str:
        return f"<Names {len(self._held)} held>"


def _key(path: Path | str) -> str:
    text = str(path)
    return (text if text.isascii() else unicodedata.normalize("NFC", text)).casefold()
