"""Completed downloads whose file moves to another folder, and how far each move is; see `trayagent/targets`."""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Download
from trayagent.store import downloads, facts

SCHEMA: Final = """
CREATE TABLE moves (n INTEGER PRIMARY KEY, source TEXT NOT NULL, target TEXT, sha256 TEXT);
"""
BY_HAND: Final = """
ALTER TABLE moves ADD COLUMN folder TEXT;
"""
KNOWN_TARGET: Final = "move target"
"""The folder that was marked as the one to move to."""


class Move(Struct, frozen=True):
    """One move that has not ended."""

    n: int
    source: str
    target: str | None
    """The name that it is to get there; None: not copied yet."""
    sha256: str | None
    folder: str | None
    """The folder that a person chose for it; None: it goes where `[move]` says."""
    download: Download | None
    """None: its row was removed."""


def add(conn: sqlite3.Connection, id: str, source: str) -> None:
    """A file is to move."""
    number = downloads.number(id)
    conn.execute("INSERT OR IGNORE INTO moves(n, source) VALUES (?, ?)", (number, source))


def add_by_hand(conn: sqlite3.Connection, id: str, source: str, folder: str) -> bool:
    """A person sends a file to a folder, also one that only waits to move; False: it is on its way already."""
    done = conn.execute(
        "INSERT INTO moves(n, source, folder) VALUES (?, ?, ?) ON CONFLICT(n) DO UPDATE"
        " SET folder = excluded.folder WHERE target IS NULL AND folder IS NULL",
        (downloads.number(id), source, folder),
    )
    return done.rowcount > 0


def add_unnoted(conn: sqlite3.Connection, folder: str) -> None:
    """At a start: files that arrived in the last moment before a kill."""
    # With the separator of this system behind it: `Films 2` does not lie in `Films`.
    below = os.path.join(folder, "")  # noqa: PTH118 - a Path keeps no separator at its end
    conn.execute(
        "INSERT OR IGNORE INTO moves(n, source) SELECT n, path FROM settled_records"
        " JOIN downloads USING (n) WHERE state = 'completed' AND substr(path, 1, ?) = ?",
        (len(below), below),
    )


def first(conn: sqlite3.Connection, after: int) -> Move | None:
    """The next move behind a number."""
    row = conn.execute("SELECT * FROM moves WHERE n > ? ORDER BY n LIMIT 1", (after,)).fetchone()
    if row is None:
        return None
    of = downloads.row_or_none(conn, row["n"])
    found = None if of is None else downloads.download_of(of)
    return Move(row["n"], row["source"], row["target"], row["sha256"], row["folder"], found)


def intend(conn: sqlite3.Connection, n: int, target: str | None, sha256: str | None) -> None:
    """It is staged and verified, and gets this name next; None: it begins anew."""
    conn.execute("UPDATE moves SET target = ?, sha256 = ? WHERE n = ?", (target, sha256, n))


def note(
    conn: sqlite3.Connection, move: Move, place: str, sha256: str | None, *, is_on_disk: bool
) -> None:
    """The file is there: from now on that is its path, for the library and its checks, too.

    In a bucket it has no path that a program of this machine could open: its place is a remote one.
    """
    path, remote = (place, None) if is_on_disk else (None, place)
    conn.execute(
        "UPDATE downloads SET path = ?, remote_path = coalesce(?, remote_path),"
        " sha256 = coalesce(sha256, ?) WHERE n = ? AND path = ?",
        (path, remote, sha256, move.n, move.source),
    )
    conn.execute(
        "UPDATE entries SET path = ? WHERE download = ? AND path = ?",
        (place, move.n, move.source),
    )
    if move.download is not None and move.download.source is not None:
        conn.execute(
            "UPDATE library SET path = ? WHERE source = ? AND path = ?",
            (path, move.download.source, move.source),
        )


def end(conn: sqlite3.Connection, n: int) -> None:
    """Nothing is left to do."""
    conn.execute("DELETE FROM moves WHERE n = ?", (n,))


def is_new_target(conn: sqlite3.Connection, folder: str) -> bool:
    """Whether this folder was never moved to."""
    return facts.fact(conn, facts_name(folder)) is None


def note_target(conn: sqlite3.Connection, folder: str) -> None:
    """The folder has its mark from now on."""
    facts.set_fact(conn, facts_name(folder), "marked")


def facts_name(folder: str) -> str:
    """Under which name a folder is remembered."""
    return f"{KNOWN_TARGET} {folder}"
