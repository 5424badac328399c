"""What of a library is missing here: files that went away, files that are here already, and the rest to fetch."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trayagent.model import filenames
from trayagent.model.dates import local_day
from trayagent.model.order import New, Order
from trayagent.store import library
from trayagent.transfer.content import HEAD, sniff

CHUNK: Final = 500
_OURS: Final = (".part", ".part.json", ".json")
"""Endings in a library's folder that are no pictures."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of one source go."""

    folder: Path
    """`library/<source>`, absolute."""
    by_download: bool = False
    """Whether the day of the download names the folder, not that of the creation."""

    def day(self, created: float | None, now: float) -> str:
        """The folder's name for an item: a day in local time."""
        if created is not None and not self.by_download:
            with contextlib.suppress(OverflowError):  # what no calendar holds
                return local_day(created)
        return local_day(now)


def stem_of(row: sqlite3.Row) -> str:
    """The file's name without its ending: the media key made safe, else a hash of the identity."""
    key: str | None = row["media_key"]
    return (
        filenames.safe(key, 160) if key else hashlib.sha256(row["ident"].encode()).hexdigest()[:32]
    )


def order_for(
    row: sqlite3.Row, place: Place, host: str, now: float, folder: str | None = None
) -> New:
    """The row as a download: its identity, its place, what it must be."""
    return New(
        key=library.item_key(row["source"], row["account"], row["ident"]),
        url=f"{row['source']}:{row['name']}",
        host=host,
        order=Order(
            root=str(place.folder),
            folder=folder if folder is not None else place.day(row["created"], now),
            stem=stem_of(row),
            mtime=row["created"],
            # A promise of a medium: login pages are refused, unknown bytes are not.
            kind="video" if row["kind"] == "video" else "image",
            checksum=f"sha-256={row['remote_sha256']}" if row["remote_sha256"] else None,
        ),
        source=row["source"],
        again=True,
    )


def is_here(path: str | None, size: int | None) -> bool:
    """Whether a saved file is where it was saved, with the size it had. Blocking."""
    if path is None:
        return False
    try:
        seen = Path(path).stat()
    except OSError:
        return False
    return size is None or seen.st_size == size


def files_under(folder: Path) -> Iterator[list[str]]:
    """Finished files below a folder, in chunks. Blocking."""
    chunk: list[str] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and not name.endswith(_OURS):
                chunk.append(str(Path(where) / name))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def fits(path: str, row: sqlite3.Row) -> int | None:
    """The size of a stray file if it can be the row's, else None. Blocking."""
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size or row["remote_size"] not in {None, size}:
                return None
            seen = sniff(file.read(HEAD))
            if seen is not None and seen.kind not in {"image", "video", "audio"}:
                return None
            file.seek(0)
            told = row["remote_sha256"]
            if told and hashlib.file_digest(file, "sha256").hexdigest() != told:
                return None
    except OSError:
        return None
    return size
