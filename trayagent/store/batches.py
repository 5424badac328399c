"""Batches: downloads that were asked for together, and what became of every entry.

An entry is one line of a list or one item of a request. It points to a download, which may be older
than the batch and shared with others, or it was settled at once (rejected, duplicate).

| entry            | `outcome`                                  | becomes                               |
|------------------|--------------------------------------------|---------------------------------------|
| waits            | NULL; `download` says for what             | settled with its download             |
| settled          | completed, failed, cancelled, duplicate,   | waiting again, when its download is   |
|                  | rejected                                   | retried and the batch is unfinished   |

`pending` counts the entries that wait, so that a batch of a million entries knows at once that it is
finished. A batch is finished when nothing is pending and no entry is still to come (`closed`); it stays
finished, whatever a person retries later.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from trayagent.model.downloads import Batch, Entry
from trayagent.model.errors import NotFoundError
from trayagent.model.units import stamp

SCHEMA: Final = """
CREATE TABLE batches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    via TEXT NOT NULL,
    list TEXT,
    pending INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL,
    finished_at REAL,
    undone_at REAL
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


def create(
    conn: sqlite3.Connection,
    title: str,
    via: str,
    now: float,
    *,
    list_path: str | None = None,
    open: bool = False,
) -> int:
    """Make a batch without entries; an open one does not finish before `close`."""
    cursor = conn.execute(
        "INSERT INTO batches(title, via, list, closed, created_at) VALUES (?, ?, ?, ?, ?)",
        (title, via, list_path, 0 if open else 1, now),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def next_line(conn: sqlite3.Connection, batch: int) -> int:
    """The number of the entry to come."""
    # By the primary key, so as quick in a batch of a million entries as in one of ten.
    last: int | None = conn.execute(
        "SELECT max(line) FROM entries WHERE batch = ?", (batch,)
    ).fetchone()[0]
    return (last or 0) + 1


def close(conn: sqlite3.Connection, batch: int, now: float) -> tuple[Batch, ...]:
    """Note that no entry is still to come; returns the batch if it is finished by that."""
    conn.execute("UPDATE batches SET closed = 1 WHERE n = ?", (batch,))
    return finish(conn, batch, now)


def enter(
    conn: sqlite3.Connection, batch: int, waiting: Sequence[tuple[int, str, int, str | None]]
) -> None:
    """Add entries that wait for their downloads: (line, url, download, note about the line)."""
    conn.executemany(
        "INSERT INTO entries(batch, line, url, download, message) VALUES (?, ?, ?, ?, ?)",
        ((batch, *entry) for entry in waiting),
    )
    # Once for all of them: an update of the batch for each line would double the statements.
    conn.execute("UPDATE batches SET pending = pending + ? WHERE n = ?", (len(waiting), batch))


def enter_settled(
    conn: sqlite3.Connection,
    batch: int,
    line: int,
    url: str,
    outcome: str,
    *,
    path: str | None = None,
    code: str | None = None,
    message: str | None = None,
) -> None:
    """Add an entry that is settled at once: a duplicate or a rejected one."""
    conn.execute(
        "INSERT INTO entries(batch, line, url, outcome, path, code, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (batch, line, url, outcome, path, code, message),
    )


def settle_entries(
    conn: sqlite3.Connection, downloads: Sequence[int], now: float
) -> tuple[Batch, ...]:
    """Give all entries of settled downloads their outcomes. Returns the batches that finished by it."""
    # 1. The numbers go in as one JSON value: a statement may not have a thousand parameters everywhere.
    # 2. The path is told of what is complete only; the error of a download outweighs a note about its line.
    rows = conn.execute(
        "UPDATE entries SET (outcome, path, code, message) ="
        " (SELECT state, CASE state WHEN 'completed' THEN path END, error ->> 'code',"
        "  coalesce(error ->> 'message', message)"
        "  FROM downloads WHERE n = entries.download)"
        " WHERE download IN (SELECT value FROM json_each(?)) AND outcome IS NULL RETURNING batch",
        (json.dumps(downloads),),
    ).fetchall()
    finished: list[Batch] = []
    for batch, count in Counter(row["batch"] for row in rows).items():
        (pending,) = conn.execute(
            "UPDATE batches SET pending = pending - ? WHERE n = ? RETURNING pending", (count, batch)
        ).fetchone()
        if not pending:
            finished += finish(conn, batch, now)
    return tuple(finished)


def complete_cancelled_entries(conn: sqlite3.Connection, download: int) -> None:
    """Correct the entries of a download that was cancelled, but whose last bytes were quicker."""
    conn.execute(
        "UPDATE entries SET outcome = 'completed', code = NULL, message = NULL,"
        " path = (SELECT path FROM downloads WHERE n = entries.download)"
        " WHERE download = ? AND outcome = 'cancelled'",
        (download,),
    )


def finish(conn: sqlite3.Connection, batch: int, now: float) -> tuple[Batch, ...]:
    """Mark the batch finished if nothing of it is pending and no entry is still to come."""
    # One statement decides: of two transactions that settle the last entries, one finds it finished.
    done = conn.execute(
        "UPDATE batches SET finished_at = ? WHERE n = ? AND pending = 0 AND closed = 1 AND finished_at IS NULL",
        (now, batch),
    ).rowcount
    return (get(conn, public_id(batch)),) if done else ()


def is_undone(conn: sqlite3.Connection, batch: int) -> bool:
    """Whether the batch is being, or was, taken back."""
    (undone_at,) = conn.execute("SELECT undone_at FROM batches WHERE n = ?", (batch,)).fetchone()
    return undone_at is not None


def reopen_entries(conn: sqlite3.Connection, download: int) -> None:
    """Let the entries of a download that is tried again wait for it, in batches that have not finished."""
    # A finished batch has its report already, and people have been told: it stays as it was.
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


def detach_entries(conn: sqlite3.Connection, download: int) -> None:
    """Let the entries of a row that is being removed point to nothing; they keep their outcome."""
    # Numbers are never given again (AUTOINCREMENT), so a stale one would do no harm but to be looked up.
    conn.execute("UPDATE entries SET download = NULL WHERE download = ?", (download,))


def get(conn: sqlite3.Connection, id: str) -> Batch:
    """The batch `id`; raises NotFoundError."""
    row = conn.execute("SELECT * FROM batches WHERE n = ?", (number(id),)).fetchone()
    if row is None:
        raise NotFoundError("not_found", f"There is no batch {id[:40]}.", "See: trayagent list")
    return batch_of(conn, row)


def batch_of(conn: sqlite3.Connection, row: sqlite3.Row) -> Batch:
    """The public value of a row."""
    # An entry that waits counts under the state of its download; one whose row is gone was given up.
    counts: dict[str, int] = dict(
        conn.execute(
            "SELECT coalesce(outcome, (SELECT state FROM downloads WHERE n = entries.download), 'cancelled') AS what,"
            " count(*) FROM entries WHERE batch = ? GROUP BY what",
            (row["n"],),
        ).fetchall()
    )
    first = conn.execute(
        "SELECT message FROM entries WHERE batch = ? AND outcome IN ('failed', 'rejected') ORDER BY line LIMIT 1",
        (row["n"],),
    ).fetchone()
    return Batch(
        id=public_id(row["n"]),
        title=row["title"],
        via=row["via"],
        list=row["list"],
        counts=counts,
        created_at=stamp(row["created_at"]) or "",
        finished_at=stamp(row["finished_at"]),
        undone_at=stamp(row["undone_at"]),
        first_error=first[0] if first else None,
    )


def page(
    conn: sqlite3.Connection, *, limit: int = 50, after: str | None = None
) -> tuple[list[Batch], str | None]:
    """A page, newest first, and the id to continue `after`, or None."""
    before = number(after) if after else 1 << 62  # above every number that SQLite gives
    rows = conn.execute(
        "SELECT * FROM batches WHERE n < ? ORDER BY n DESC LIMIT ?", (before, limit + 1)
    ).fetchall()
    page = [batch_of(conn, row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def latest_with_file(conn: sqlite3.Connection, since: float) -> Batch | None:
    """The batch that finished last, but not before `since`, of those that saved a file."""
    rows = conn.execute(
        "SELECT * FROM batches WHERE finished_at >= ? ORDER BY finished_at DESC, n DESC",
        (since,),
    )
    # One by one: a batch of a million rows is only counted when nothing newer saved a file.
    found = (batch_of(conn, row) for row in rows)
    return next((batch for batch in found if batch.counts.get("completed")), None)


def entries(conn: sqlite3.Connection, id: str, *, limit: int = 1000, after: int = 0) -> list[Entry]:
    """What was asked in the batch and what became of it, by line."""
    rows = conn.execute(
        "SELECT line, url, download, outcome, path, code, message FROM entries"
        " WHERE batch = ? AND line > ? ORDER BY line LIMIT ?",
        (number(id), after, limit),
    ).fetchall()
    return [
        Entry(
            line=row["line"],
            url=row["url"],
            download=f"d{row['download']}" if row["download"] is not None else None,
            outcome=row["outcome"],
            path=row["path"],
            code=row["code"],
            message=row["message"],
        )
        for row in rows
    ]
