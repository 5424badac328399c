"""Secrets: a download's cookies and headers in files, a source's in the system's keyring.

| whose       | where                                          | until                               |
|-------------|------------------------------------------------|-------------------------------------|
| a download  | `SecretFiles`: one file (0600) each            | it settles                          |
| a source    | `Vault`: the keyring, else one file (0600)     | the person signs out                |

Nothing of it is ever in the database or a log, and no `repr` shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Final, Protocol, Self

import msgspec

from trayagent.files import open_shared, read_shared, remove_shared, write_private
from trayagent.model.errors import FREE_SPACE, StoreUnavailableError
from trayagent.model.jobs import DownloadSecrets


class SecretFiles:
    """`<folder>/<id>.json`; never in the database, never in a log.

    Which downloads have one is known without asking the disk: `sweep` looks once, at the start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()

    def keep(self, id: str, secrets: DownloadSecrets) -> None:
        """Write and fsync; the caller commits the row afterwards. Raises StoreUnavailableError."""
        # SQLite gives a number again when the transaction that took it failed: what lies there under
        # this id may be the secrets of another download.
        if id in self._kept:
            self.erase(id)
        if not secrets:
            return
        self._kept.add(id)
        # Not in one step, as `write_private` does it: without its row the file means nothing, and it costs
        # a rename less for each download.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(open_shared(self._path(id), flags, 0o600), "wb") as file:
                file.write(msgspec.json.encode(secrets))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreUnavailableError(
                f"Cookies and headers cannot be saved now ({error.strerror}).", FREE_SPACE
            ) from error

    def has(self, id: str) -> bool:
        """Whether there is anything to load."""
        return id in self._kept

    def load(self, id: str) -> DownloadSecrets:
        """What was kept, or nothing."""
        try:
            return msgspec.json.decode(read_shared(self._path(id)), type=DownloadSecrets)
        except (FileNotFoundError, msgspec.DecodeError):
            return DownloadSecrets()

    def erase(self, id: str) -> None:
        """Forget; nothing happens when there is nothing. What cannot be erased now is swept at the next start."""
        if id in self._kept:
            self._kept.discard(id)
            with contextlib.suppress(OSError):
                remove_shared(self._path(id))

    def sweep(self, wanted: Callable[[str], bool]) -> None:
        """Find what an earlier run kept; erase the files of downloads that no longer need theirs."""
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.iterdir():
                if wanted(path.stem):
                    self._kept.add(path.stem)
                    continue
                with contextlib.suppress(OSError):
                    remove_shared(path)

    def _path(self, id: str) -> Path:
        return self._folder / f"{id}.json"


SERVICE: Final = "trayagent"
PIECE_UNITS: Final = 1200
"""Characters of one entry. Windows' Credential Manager takes 2560 bytes: 1280 UTF-16 units (wincred.h,
CRED_MAX_CREDENTIAL_BLOB_SIZE); the cookies of a login are often longer."""

PIECES: Final = "trayagent-pieces:"
"""How an entry begins that, in place of the secret, tells the number of its pieces and what their names have."""

_NAMES_PIECES: Final = re.compile(rf"{PIECES}(\d{{1,3}}):([0-9a-f]{{8}})")

REST_SECONDS: Final = 30.0
"""Seconds for which a keyring is not asked again for what it did not have."""


class _SecretPlace(Protocol):
    """Where the vault keeps secrets by name; all of it may block."""

    def get(self, name: str) -> str | None: ...
    def set(self, name: str, value: str) -> None: ...
    def delete(self, name: str) -> None: ...


class Vault:
    """Asynchronous, since a keyring may ask its owner before it answers. Never shows what it holds.

    The place is found at the first use: looking for a keyring costs time and memory.
    """

    def __init__(self, find: Callable[[], _SecretPlace]) -> None:
        self._find = find
        self._found: _SecretPlace | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path, environ: Mapping[str, str]) -> Self:
        """The keyring if this machine has a usable one and TRAYAGENT_SECRETS is not `file`."""
        file = SecretFile(folder / "secrets.json")
        if environ.get("TRAYAGENT_SECRETS") == "file":
            return cls(lambda: file)
        return cls(lambda: Keyring.find() or file)

    def __repr__(self) -> str:
        kept = (
            "file"
            if isinstance(self._found, SecretFile)
            else "keyring"
            if self._found
            else "place not yet found"
        )
        return f"<Vault in a {kept}>"

    def kind(self) -> str:
        """`keyring` or `file`, for people. Blocking."""
        return "file" if isinstance(self._place(), SecretFile) else "keyring"

    def _place(self) -> _SecretPlace:
        with self._lock:
            if self._found is None:
                self._found = self._find()
            return self._found

    async def get(self, name: str) -> str | None:
        """The secret, or None."""
        return await asyncio.to_thread(lambda: self._place().get(name))

    async def set(self, name: str, value: str) -> None:
        """Keep it; durable when this returns."""
        await asyncio.to_thread(lambda: self._place().set(name, value))

    async def delete(self, name: str) -> None:
        """Forget it; harmless when there is none."""
        await asyncio.to_thread(lambda: self._place().delete(name))


class SecretFile:
    """A JSON object in a file that only its owner may read; replaced whole, never half written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """The secret, or None."""
        return self._load().get(name)

    def set(self, name: str, value: str) -> None:
        """Keep it."""
        with self._lock:
            self._save({**self._load(), name: value})

    def delete(self, name: str) -> None:
        """Forget it."""
        with self._lock:
            kept = self._load()
            if kept.pop(name, None) is not None:
                self._save(kept)

    def _load(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(read_shared(self._path), type=dict[str, str])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def _save(self, secrets: dict[str, str]) -> None:
        write_private(self._path, msgspec.json.encode(secrets))


class Keyring:
    """The system's keyring: Secret Service, KWallet, the macOS Keychain, the Windows Credential Locker.

    What it said is remembered: a locked keyring asks its owner each time it is looked into.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[str | None, float]] = {}

    @classmethod
    def find(cls) -> Self | None:
        """None where there is no keyring that really keeps something."""
        import keyring
        from keyring.backends import fail, null

        try:
            backend = keyring.get_keyring()
            # `fail` and `null` stand in where there is no keyring: the one raises, the other
            # forgets.
            usable = not isinstance(backend, (fail.Keyring, null.Keyring)) and backend.priority > 0
        except (RuntimeError, OSError, keyring.errors.KeyringError):
            return None
        return cls() if usable else None

    def get(self, name: str) -> str | None:
        """The secret, or None; also None while the keyring is locked."""
        import keyring

        value, until = self._kept.get(name, (None, 0.0))
        if value is None and self._clock() >= until:
            with contextlib.suppress(keyring.errors.KeyringError):
                value = keyring.get_password(SERVICE, name)
                if names := piece_names(name, value):
                    pieces = [keyring.get_password(SERVICE, piece) for piece in names]
                    # With a piece missing the rest is no secret, and worse than none.
                    value = None if None in pieces else "".join(filter(None, pieces))
            # What it has is kept for good, what it has not for a while: a person may unlock it
            # meanwhile.
            self._kept[name] = (value, self._clock() + REST_SECONDS)
        return value

    def set(self, name: str, value: str) -> None:
        """Keep it."""
        import keyring

        if sys.platform == "win32" and len(value.encode("utf-16-le")) > 2 * PIECE_UNITS:
            pieces = split(value)
            # New names each time: a kill between two pieces leaves those of the old secret whole.
            kept = f"{PIECES}{len(pieces)}:{token_hex(4)}"
            for piece_name, piece in zip(piece_names(name, kept), pieces, strict=True):
                keyring.set_password(SERVICE, piece_name, piece)
        else:
            kept = value
        # The entry itself last: until then, the old secret is what there is.
        before = keyring.get_password(SERVICE, name)
        keyring.set_password(SERVICE, name, kept)
        self._delete_pieces(name, before)
        self._kept[name] = (value, 0.0)

    def delete(self, name: str) -> None:
        """Forget it."""
        import keyring

        self._kept.pop(name, None)
        with contextlib.suppress(keyring.errors.KeyringError):
            before = keyring.get_password(SERVICE, name)
            keyring.delete_password(SERVICE, name)
            self._delete_pieces(name, before)

    @staticmethod
    def _delete_pieces(name: str, entry: str | None) -> None:
        """Forget the pieces that an entry of before named."""
        import keyring

        for piece_name in piece_names(name, entry):
            with contextlib.suppress(keyring.errors.KeyringError):
                keyring.delete_password(SERVICE, piece_name)


def split(value: str) -> list[str]:
    """The secret in pieces of at most `PIECE_UNITS` UTF-16 units."""
    # Half as many characters: one outside the basic plane takes two units.
    step = PIECE_UNITS if value.isascii() else PIECE_UNITS // 2
    return [value[start : start + step] for start in range(0, len(value), step)]


def piece_names(name: str, entry: str | None) -> list[str]:
    """The names of a secret's pieces; none for an entry that is the secret itself."""
    found = _NAMES_PIECES.fullmatch(entry or "")
    return [f"{name}#{found[2]}#{number}" for number in range(int(found[1]))] if found else []
