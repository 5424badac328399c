"""Taking a batch back, in steps that survive a kill at any point.

1. `begin` marks the batch (`undone_at`, and a fact for the next start).
2. `cancel_untouched` gives up, a thousand rows at a time, what nobody has begun.
3. The queue cancels the rest one by one; a slot may be at work on it.
4. What is complete goes to the trash, file by file; `mark_taken_back` then changes its row.
5. `ignore_items` keeps a sync from fetching the same items again.
6. `end` removes the mark. A start that finds one (`unfinished_undos`) goes on at step 2: every step
   finds by itself what is left to do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Batch, ErrorInfo, State
from trayagent.store import batches, library
from trayagent.store.downloads import (
    COLUMNS,
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
"""How the fact of a batch that is being undone begins; its id follows."""


def begin(conn: sqlite3.Connection, id: str, now: float) -> bool:
    """Mark the batch as being taken back. True while anything is left to do, whoever began it."""
    new = conn.execute(
        "UPDATE batches SET undone_at = ? WHERE n = ? AND undone_at IS NULL",
        (now, batches.number(id)),
    ).rowcount
    # Two marks: the batch says for people that it was undone, the fact says that it is not
    # finished.
    if new:
        set_fact(conn, _MARK + id, "begun")
    return fact(conn, _MARK + id) is not None


def end(conn: sqlite3.Connection, id: str, *, whole: bool) -> None:
    """Remove the mark. An undo that was not `whole` (the trash refused a file) may be asked for again."""
    set_fact(conn, _MARK + id, None)
    if not whole:
        conn.execute("UPDATE batches SET undone_at = NULL WHERE n = ?", (batches.number(id),))


def unfinished_undos(conn: sqlite3.Connection) -> list[str]:
    """The ids of batches whose undo was interrupted."""
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
    """Cancel downloads of the batch behind number `after` that left nothing on the disk.

    At most `MOST_CHANGED_AT_ONCE`; the caller goes on behind the last of `numbers`.
    """
    # INDEXED BY: with a million rows the planner may prefer the index of states, and walk all of them.
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
    # Few rows have an order of their own; the others need no second statement.
    conn.executemany(
        "UPDATE downloads SET orders = ? WHERE n = ?",
        ((settled_orders(row), row["n"]) for row in rows if row["orders"]),
    )
    return Cancelled(
        numbers,
        sum(row["state"] == State.QUEUED for row in rows),
        tuple(public_id(row["n"]) for row in rows if row["started_at"] is not None),
        batches.settle_entries(conn, numbers, now),
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
    """Note that the file of a completed download is in the trash; its row becomes a cancelled one.

    None for a row that was removed, or is no longer completed.
    """
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
        f" warning = NULL, error = ?, finished_at = ? WHERE n = ? RETURNING {COLUMNS}",
        (info_json(why), now, n),
    ).fetchone()
    return Change(download_of(updated), State.COMPLETED)


def ignore_items(conn: sqlite3.Connection, batch: int, after: int) -> int | None:
    """Keep syncs from fetching the batch's items again by themselves.

    Returns the number to go on after, or None when all are done.
    """
    rows: Sequence[sqlite3.Row] = conn.execute(
        "SELECT n, key FROM downloads INDEXED BY by_batch WHERE batch = ? AND n > ?"
        " AND source IS NOT NULL ORDER BY n LIMIT ?",
        (batch, after, MOST_CHANGED_AT_ONCE),
    ).fetchall()
    for row in rows:
        library.mark_ignored(conn, row["key"])
    return rows[-1]["n"] if rows else None
