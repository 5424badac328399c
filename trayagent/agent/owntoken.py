"""The bearer token of this machine's own clients, in a 0600 file."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Self

from trayagent.files import write_private


class OwnToken:
    """Read or made by `OwnToken.load`; the command line reads the same file."""

    def __init__(self, path: Path, value: str) -> None:
        self.path = path
        self.value = value

    @classmethod
    def load(cls, path: Path) -> Self:
        """The token in `path`; made when there is none, and always kept to the user alone."""
        with contextlib.suppress(FileNotFoundError):
            os.chmod(path, 0o600)
            value = path.read_text("ascii", "ignore").strip()
            if len(value) >= 32:
                return cls(path, value)
        token = cls(path, "")
        token.rotate()
        return token

    def rotate(self) -> str:
        """A new token; the old one is worth nothing from now on."""
        value = secrets.token_urlsafe(32)
        write_private(self.path, value.encode())
        self.value = value
        return value

    def __repr__(self) -> str:
        return f"<OwnToken in {self.path}>"
