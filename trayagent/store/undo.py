"""Taking a batch back, in steps that survive a kill: a mark first, then rows by the chunk, then the mark away."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Batch, ErrorInfo, State
from trayagent.store import batches, library
from trayagent.store.downloads import (
    Change,
    download_of,
    info_json,
    public_id,
    row_or_none,
    settled_orders,
)
from trayagent.store.facts import fact, set_fact

MOST_CHANGED_AT_ONCE: Final = 1000
"""Rows that one transaction changes: a few tens of milliseconds, which the hook does not feel."""

_MARK: Final = "undoing "


def begin(conn: sqlite3.Connection, id: str, now: float) -> bool:
    """Note that the batch is taken back; says whether anything is left to do."""
    new = conn.execute(
        "UPDATE batches SET undone_at = ? WHERE n = ? AND undone_at IS NULL",
        (now, batches.number(id)),
    ).rowcount
    if new:
        set_fact(conn, _MARK + id, "begun")
    return fact(conn, _MARK + id) is not None


def end(conn: sqlite3.Connection, id: str, *, whole: bool) -> None:
    """Everything was done, or some files would not go to the trash: then it may be asked again."""
    set_fact(conn, _MARK + id, None)
    if not whole:
        conn.execute("UPDATE batches SET undone_at = NULL WHERE n = ?", (batches.number(id),))


def unfinished_undos(conn: sqlite3.Connection) -> list[str]:
    """The batches at which an earlier run was stopped."""
    names = conn.execute("SELECT name FROM facts WHERE name GLOB ? || '*'", (_MARK,))
    return [name.removeprefix(_MARK) for (name,) in names]


class Cancelled(Struct, frozen=True):
    """What one transaction gave up."""

    numbers: tuple[int, ...] = ()
    queued: int = 0
    """How many of them were in the queue; the others were paused."""
    tried: tuple[str, ...] = ()
    """Those that a worker had in hand once."""
    finished: tuple[Batch, ...] = ()


def cancel_untouched(conn: sqlite3.Connection, batch: int, after: int, now: float) -> Cancelled:
    """Give up some downloads behind number `after` of which nothing is on the disk and nobody is at work."""
    rows = conn.execute(
        "SELECT n, state, started_at, orders FROM downloads INDEXED BY by_batch WHERE batch = ? AND n > ?"
        " AND state IN ('queued', 'paused') AND path IS NULL AND received = 0 ORDER BY n LIMIT ?",
        (batch, after, MOST_CHANGED_AT_ONCE),
    ).fetchall()
    numbers = tuple(row["n"] for row in rows)
    conn.execute(
        "UPDATE downloads SET state = 'cancelled', not_before = NULL, finished_at = ?"
        " WHERE n IN (SELECT value FROM json_each(?))",
        (now, json.dumps(numbers)),
    )
    conn.executemany(
        "UPDATE downloads SET orders = ? WHERE n = ?",
        ((settled_orders(row), row["n"]) for row in rows if row["orders"]),
    )
    return Cancelled(
        numbers,
        sum(row["state"] == State.QUEUED for row in rows),
        tuple(public_id(row["n"]) for row in rows if row["started_at"] is not None),
        batches.cancel_entries(conn, numbers, now),
    )


def unsettled_downloads(conn: sqlite3.Connection, batch: int, limit: int) -> list[str]:
    """Downloads of the batch that have not settled, oldest first."""
    rows = conn.execute(
        "SELECT n FROM downloads INDEXED BY by_batch WHERE batch = ?"
        " AND state IN ('queued', 'active', 'paused') ORDER BY n LIMIT ?",
        (batch, limit),
    )
    return [public_id(n) for (n,) in rows]


def completed_files(
    conn: sqlite3.Connection, batch: int, after: int, limit: int = 200
) -> list[tuple[int, str]]:
    """Completed downloads of the batch behind number `after`, with their files."""
    rows = conn.execute(
        "SELECT n, path FROM downloads INDEXED BY by_batch WHERE batch = ? AND n > ?"
        " AND state = 'completed' AND path IS NOT NULL ORDER BY n LIMIT ?",
        (batch, after, limit),
    )
    return [(n, path) for n, path in rows]


def mark_taken_back(conn: sqlite3.Connection, n: int, name: str, now: float) -> Change | None:
    """The file of a completed download is in the trash: from now on it is as if it had been cancelled."""
    row = row_or_none(conn, n)
    if row is None or row["state"] != State.COMPLETED:
        return None  # it was removed meanwhile
    why = ErrorInfo(
        "cancelled",
        f"It was undone; {name} is in the trash.",
        f"To fetch it again: trayagent retry {public_id(n)}",
    )
    updated: sqlite3.Row = conn.execute(
        "UPDATE downloads SET state = 'cancelled', path = NULL, received = 0, sha256 = NULL,"
        " warning = NULL, error = ?, finished_at = ? WHERE n = ? RETURNING *",
        (info_json(why), now, n),
    ).fetchone()
    return Change(download_of(updated), State.COMPLETED)


def ignore_items(conn: sqlite3.Connection, batch: int, after: int) -> int | None:
    """No sync fetches these items again by itself; returns the number to go on after, or None."""
    rows: Sequence[sqlite3.Row] = conn.execute(
        "SELECT n, key FROM downloads INDEXED BY by_batch WHERE batch = ? AND n > ?"
        " AND source IS NOT NULL ORDER BY n LIMIT ?",
        (batch, after, MOST_CHANGED_AT_ONCE),
    ).fetchall()
    for row in rows:
        library.mark_ignored(conn, row["key"])
    return rows[-1]["n"] if rows else None
