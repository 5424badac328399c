"""Forgets what has ended long ago, a few rows a transaction; files stay, and so does what the library has.

| never forgotten                        | because                                              |
|----------------------------------------|------------------------------------------------------|
| queued, active, paused downloads       | they wait or run                                     |
| failed ones                            | a person has not looked at them, and may retry them  |
| what is on its way to another disk     | its move would find no row                           |
| what the webhook is still to be told   | its words are made from the row                      |
| downloads of a batch that goes on      | its report and its undo need them                    |

A batch goes when all of its downloads went and its list is filed. An address whose download was forgotten
is no duplicate any more. Items of synced libraries are known by `library`, which is not touched.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import State
from trayagent.store import batches

ROWS_AT_ONCE: Final = 200
"""Downloads, or entries of a batch, in one transaction: some milliseconds."""

# In these words exactly: SQLite uses a partial index where a query repeats the index's condition.
_ENDED: Final = "state IN ('completed', 'failed', 'cancelled')"


Place = tuple[float, int]
"""Of a row among those that have ended: when (Unix seconds) and its number. A clock that ticks 64 times a
second gives many rows the same time."""

BEGINNING: Final[Place] = (0.0, 0)


class Trimmed(Struct, frozen=True):
    """What one transaction forgot, and where the next one goes on."""

    after: Place
    """The last row that was looked at."""
    completed: int
    """How many of the forgotten rows were completed; the others were cancelled."""


def boundary(conn: sqlite3.Connection, since: float | None, most: int) -> Place | None:
    """What stands before it is to go, so that `most` rows are left of what ended after `since`.

    None: everything stays.
    """
    bounds = [] if since is None else [(since, 0)]
    if most:
        row = conn.execute(
            f"SELECT finished_at, n FROM downloads INDEXED BY stopped WHERE {_ENDED}"
            " ORDER BY finished_at DESC, n DESC LIMIT 1 OFFSET ?",
            (most - 1,),
        ).fetchone()
        bounds += [] if row is None else [(row["finished_at"], row["n"])]
    return max(bounds, default=None)


def forget_downloads(conn: sqlite3.Connection, before: Place, after: Place) -> Trimmed | None:
    """Forget the next rows between two places; None when none is left to look at."""
    # By the place after the last row: what stays is walked over once, not again with each transaction.
    rows = conn.execute(
        "SELECT n, state, finished_at, state = 'failed'"
        " OR EXISTS (SELECT 1 FROM moves WHERE moves.n = downloads.n)"
        " OR EXISTS (SELECT 1 FROM settled_records WHERE settled_records.n = downloads.n)"
        " OR EXISTS (SELECT 1 FROM outbox WHERE outbox.download = downloads.n)"
        " OR EXISTS (SELECT 1 FROM batches WHERE batches.n = batch AND batches.finished_at IS NULL)"
        f" AS stays FROM downloads INDEXED BY stopped WHERE {_ENDED}"
        " AND (finished_at, n) < (?, ?) AND (finished_at, n) > (?, ?) ORDER BY finished_at, n LIMIT ?",
        (*before, *after, ROWS_AT_ONCE),
    ).fetchall()
    if not rows:
        return None
    gone = [row for row in rows if not row["stays"]]
    for row in gone:
        batches.detach_entries(conn, row["n"])
    conn.executemany("DELETE FROM downloads WHERE n = ?", ((row["n"],) for row in gone))
    completed = sum(row["state"] == State.COMPLETED for row in gone)
    return Trimmed((rows[-1]["finished_at"], rows[-1]["n"]), completed)


def forget_batches(conn: sqlite3.Connection, before: Place) -> bool:
    """Forget entries of a batch that nothing is left of, at last the batch itself; False: there is none."""
    row = conn.execute(
        "SELECT n FROM batches WHERE finished_at <= ?"
        " AND NOT EXISTS (SELECT 1 FROM downloads WHERE downloads.batch = batches.n)"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.batch = batches.n)"
        " AND NOT EXISTS (SELECT 1 FROM lists WHERE lists.batch = batches.n AND filed = 0)"
        " ORDER BY n LIMIT 1",
        (before[0],),  # it ended with its last download, which has gone
    ).fetchone()
    if row is None:
        return False
    lines = conn.execute(
        "SELECT line FROM entries WHERE batch = ? LIMIT ?", (row["n"], ROWS_AT_ONCE)
    ).fetchall()
    conn.execute(
        "DELETE FROM entries WHERE batch = ? AND line IN (SELECT value FROM json_each(?))",
        (row["n"], json.dumps([line for (line,) in lines])),
    )
    if len(lines) < ROWS_AT_ONCE:
        conn.execute("DELETE FROM lists WHERE batch = ?", (row["n"],))
        conn.execute("DELETE FROM batches WHERE n = ?", (row["n"],))
    return True
