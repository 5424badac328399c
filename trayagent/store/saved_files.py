"""Files that were saved and should still be there: the library's, and those of finished downloads.

What checks and repairs them reads a page at a time, the library's files first. A path is part of every
update's condition: while a check reads a long file, the row may get another one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from trayagent.model.downloads import Item
from trayagent.store import downloads

# A download that belongs to a source is its item's file, and counted there.
_LIBRARY: Final = (
    "SELECT n, path, size, sha256 FROM library WHERE state = 'present' AND path IS NOT NULL"
)
_DOWNLOADS: Final = (
    "SELECT n, path, size, sha256 FROM downloads"
    " WHERE state = 'completed' AND source IS NULL AND path IS NOT NULL"
)


class SavedFile(Struct, frozen=True):
    """One file that was saved."""

    kind: Literal["library", "download"]
    n: int
    path: str
    size: int | None
    sha256: str | None

    @property
    def cursor(self) -> tuple[str, int]:
        """Where the next page begins."""
        return (self.kind, self.n)


def count(conn: sqlite3.Connection) -> int:
    """How many files there are."""
    total: int = conn.execute(
        f"SELECT (SELECT count(*) FROM ({_LIBRARY})) + (SELECT count(*) FROM ({_DOWNLOADS}))"
    ).fetchone()[0]
    return total


def count_elsewhere(conn: sqlite3.Connection) -> int:
    """How many finished downloads have their file on no disk of ours."""
    total: int = conn.execute(
        "SELECT count(*) FROM downloads"
        " WHERE state = 'completed' AND path IS NULL AND remote_path IS NOT NULL"
    ).fetchone()[0]
    return total


def page(conn: sqlite3.Connection, after: tuple[str, int], limit: int) -> list[SavedFile]:
    """The files after a cursor, the library's first."""
    # The library's files come first; once it has none left, `n` begins anew with the downloads.
    kind, n = after
    if kind != "download":
        rows = conn.execute(f"{_LIBRARY} AND n > ? ORDER BY n LIMIT ?", (n, limit)).fetchall()
        if rows:
            return [SavedFile("library", *row) for row in rows]
        n = 0
    rows = conn.execute(f"{_DOWNLOADS} AND n > ? ORDER BY n LIMIT ?", (n, limit)).fetchall()
    return [SavedFile("download", *row) for row in rows]


def keep_checksum(conn: sqlite3.Connection, file: SavedFile, sha256: str) -> None:
    """The checksum of a file that had none."""
    conn.execute(
        f"UPDATE {_table(file)} SET sha256 = ? WHERE n = ? AND path = ?",
        (sha256, file.n, file.path),
    )


def keep_path(conn: sqlite3.Connection, file: SavedFile, path: str) -> None:
    """The file was found elsewhere."""
    conn.execute(
        f"UPDATE {_table(file)} SET path = ? WHERE n = ? AND path = ?", (path, file.n, file.path)
    )


def forget_paths(conn: sqlite3.Connection, files: Iterable[SavedFile]) -> None:
    """Other downloads fetch these again: the old rows stay in the history, without a file."""
    conn.executemany("UPDATE downloads SET path = NULL WHERE n = ?", ((file.n,) for file in files))


def _table(file: SavedFile) -> str:
    return "library" if file.kind == "library" else "downloads"


def items_to_repeat(conn: sqlite3.Connection, files: Iterable[SavedFile]) -> dict[SavedFile, Item]:
    """What to ask for to fetch finished downloads again.

    A row that was removed or replaced since the check saw it is left out.
    """
    # Name and folder are taken from where the file was, so that the new one comes to the same place.
    rows = ((file, downloads.row_or_none(conn, file.n)) for file in files)
    return {file: _item(row) for file, row in rows if row is not None and row["path"]}


def _item(row: sqlite3.Row) -> Item:
    order, path = downloads.order_of(row), Path(row["path"])
    return Item(
        row["url"],
        filename=path.name,
        folder=os.path.relpath(path.parent, order.root) if order.root else order.folder,
        referer=order.referer,
        kind=order.kind,
        checksum=order.checksum,
        size=order.size,
        pieces=order.pieces,
        mirrors=order.mirrors,
        quality=order.quality,
        # It is known, and wanted all the same: else it would count as a duplicate.
        again=True,
    )
