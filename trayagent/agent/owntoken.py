"""The bearer token of this machine's own clients, in a 0600 file."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Self


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


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step by one that only the user can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
