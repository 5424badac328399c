"""Batches: downloads that were asked for together, and what became of every entry.

An entry is one line of a list or one item of a request. It points to a download, which may be
older than the batch and shared with others, or was settled at once (rejected, duplicate).
"""

from __future__ import annotations

import sqlite3
from typing import Final

from trayagent.model.errors import NotFoundError

SCHEMA: Final = """
CREATE TABLE batches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    via TEXT NOT NULL,
    list TEXT,
    pending INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL,
    finished_at REAL
);
CREATE TABLE entries (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    url TEXT NOT NULL,
    download INTEGER,
    outcome TEXT,
    path TEXT,
    code TEXT,
    message TEXT,
    PRIMARY KEY (batch, line)
) WITHOUT ROWID;
CREATE INDEX entry_of ON entries(download) WHERE download IS NOT NULL;
"""


def public_id(n: int) -> str:
    """The id that people and programs see."""
    return f"b{n}"


def number(id: str) -> int:
    """The row behind a public id; raises NotFoundError for anything that cannot be one."""
    digits = id[1:]
    if not (id.startswith("b") and digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise NotFoundError("not_found", f"There is no batch {id[:40]}.", "See: trayagent list")
    return int(digits)


def create(conn: sqlite3.Connection, title: str, via: str, now: float, *, list: str | None = None) -> int:
    """A new batch without entries; a list stays open (`closed = 0`) until its last line is in."""
    cursor = conn.execute(
        "INSERT INTO batches(title, via, list, closed, created_at) VALUES (?, ?, ?, ?, ?)",
        (title, via, list, 0 if list else 1, now),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def enter(conn: sqlite3.Connection, batch: int, line: int, url: str, download: int) -> None:
    """An entry whose download is under way."""
    conn.execute("INSERT INTO entries(batch, line, url, download) VALUES (?, ?, ?, ?)", (batch, line, url, download))
    conn.execute("UPDATE batches SET pending = pending + 1 WHERE n = ?", (batch,))


def enter_settled(
    conn: sqlite3.Connection, batch: int, line: int, url: str, outcome: str, *, path: str | None = None,
    code: str | None = None, message: str | None = None,
) -> None:
    """An entry that is done at once: a duplicate or a rejected one."""
    conn.execute(
        "INSERT INTO entries(batch, line, url, outcome, path, code, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (batch, line, url, outcome, path, code, message),
    )


def settled(conn: sqlite3.Connection, download: int, now: float) -> None:
    """A download came to its end: so do all its entries, and maybe their batches."""
    batches = conn.execute(
        "SELECT batch, count(*) FROM entries WHERE download = ? AND outcome IS NULL GROUP BY batch", (download,)
    ).fetchall()
    if not batches:
        return
    conn.execute(
        "UPDATE entries SET (outcome, path, code, message) ="
        " (SELECT state, CASE state WHEN 'completed' THEN path END, error ->> 'code', error ->> 'message'"
        "  FROM downloads WHERE n = entries.download) WHERE download = ? AND outcome IS NULL",
        (download,),
    )
    for batch, count in batches:
        conn.execute("UPDATE batches SET pending = pending - ? WHERE n = ?", (count, batch))
        finish(conn, batch, now)


def finish(conn: sqlite3.Connection, batch: int, now: float) -> None:
    """Mark the batch finished if nothing of it is pending and no line is still to come."""
    conn.execute(
        "UPDATE batches SET finished_at = ? WHERE n = ? AND pending = 0 AND closed = 1 AND finished_at IS NULL",
        (now, batch),
    )


def reopened(conn: sqlite3.Connection, download: int) -> None:
    """A settled download is tried again: its entries in batches that have not finished wait for it."""
    open_batches = conn.execute(
        "SELECT batch, count(*) FROM entries JOIN batches ON batches.n = entries.batch"
        " WHERE download = ? AND outcome IS NOT NULL AND finished_at IS NULL GROUP BY batch",
        (download,),
    ).fetchall()
    for batch, count in open_batches:
        conn.execute(
            "UPDATE entries SET outcome = NULL, code = NULL, message = NULL WHERE batch = ? AND download = ?",
            (batch, download),
        )
        conn.execute("UPDATE batches SET pending = pending + ? WHERE n = ?", (count, batch))


def forgotten(conn: sqlite3.Connection, download: int) -> None:
    """A row is removed: its entries keep their outcome, and point to nothing."""
    conn.execute("UPDATE entries SET download = NULL WHERE download = ?", (download,))
