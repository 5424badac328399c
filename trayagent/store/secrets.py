"""The cookies and secret headers of downloads: one 0600 file each, erased when it settles."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from trayagent.model.errors import StoreUnavailableError
from trayagent.model.order import Secrets


class SecretFiles:
    """`<folder>/<id>.json`; never in the database, never in a log.

    Which downloads have one is known without asking the disk: `sweep` looks once, at the start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()

    def keep(self, id: str, secrets: Secrets) -> None:
        """Write and fsync; the caller commits the row afterwards. Raises StoreUnavailableError."""
        if id in self._kept:  # that commit failed, and the number is somebody else's now
            self.erase(id)
        if not secrets:
            return
        self._kept.add(id)
        try:
            self._write(id, msgspec.json.encode(secrets))
        except OSError as error:
            raise StoreUnavailableError(
                f"Cookies and headers cannot be saved now ({error.strerror})."
            ) from error

    def _write(self, id: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self._path(id), flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def keeps(self, id: str) -> bool:
        """Whether there is anything to load."""
        return id in self._kept

    def load(self, id: str) -> Secrets:
        """What was kept, or nothing."""
        try:
            return msgspec.json.decode(self._path(id).read_bytes(), type=Secrets)
        except (FileNotFoundError, msgspec.DecodeError):
            return Secrets()

    def erase(self, id: str) -> None:
        """Forget; nothing happens when there is nothing. What cannot be erased now is swept at the next start."""
        if id in self._kept:
            self._kept.discard(id)
            with contextlib.suppress(OSError):
                self._path(id).unlink()

    def sweep(self, wanted: Callable[[str], bool]) -> None:
        """Find what an earlier run kept; erase the files of downloads that no longer need theirs."""
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if wanted(path.stem):
                    self._kept.add(path.stem)
                    continue
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.json"
