"""The library as people look at it: pages of items, counts, one item."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from trayagent.model.download import ErrorInfo
from trayagent.model.library import LibraryItem
from trayagent.model.times import stamp
from trayagent.store.library import SHOWN, STATE

_error: Final = msgspec.json.Decoder(ErrorInfo)


def item_of(row: sqlite3.Row) -> LibraryItem:
    """The public value of a row."""
    return LibraryItem(
        name=row["name"],
        kind=row["kind"],
        created_at=stamp(row["created"]),
        aspect_ratio=row["aspect_ratio"],
        media_key=row["media_key"],
        workflow_id=row["workflow_id"],
        state=row["shown"],
        local_path=row["path"],
        size=row["size"] if row["size"] is not None else row["remote_size"],
        error=_error.decode(row["error"]) if row["error"] else None,
    )


def page(
    conn: sqlite3.Connection,
    source: str,
    *,
    state: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> tuple[list[LibraryItem], str | None]:
    """Items, newest first, and what to continue `after`, or None."""
    clauses, values = ["source = ?"], list[object]([source])
    if state == "gone":
        clauses.append("gone = 1")
    elif state is not None:
        clauses += ["gone = 0", "state = ?"]
        values.append(state)
    if after is not None:
        created, n = _place(after)
        if created is None:
            clauses.append("created IS NULL AND n < ?")
            values.append(n)
        else:
            # Items without a date come last.
            clauses.append("(created < ? OR created = ? AND n < ? OR created IS NULL)")
            values += [created, created, n]
    rows = conn.execute(
        f"SELECT {SHOWN} FROM library WHERE {' AND '.join(clauses)} ORDER BY created DESC, n DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    last = rows[limit - 1] if len(rows) > limit else None
    return [item_of(row) for row in rows[:limit]], _token(last) if last else None


def _token(row: sqlite3.Row) -> str:
    return f"{'' if row['created'] is None else row['created']}.{row['n']}"


def _place(after: str) -> tuple[float | None, int]:
    created, _, n = after.rpartition(".")
    try:
        return (float(created) if created else None), int(n)
    except ValueError:
        return None, 0


def counts(conn: sqlite3.Connection, source: str) -> dict[str, int]:
    """How many items of a source are in each state."""
    sql = f"SELECT {STATE} AS shown, count(*) FROM library WHERE source = ? GROUP BY shown"
    return dict(conn.execute(sql, (source,)).fetchall())


def by_id(conn: sqlite3.Connection, source: str, id: str) -> sqlite3.Row | None:
    """The row of a media key, else of a name."""
    for column in ("media_key", "name"):
        row: sqlite3.Row | None = conn.execute(
            f"SELECT {SHOWN} FROM library WHERE source = ? AND {column} = ? ORDER BY path IS NULL LIMIT 1",
            (source, id),
        ).fetchone()
        if row is not None:
            return row
    return None


def paths(conn: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Where the files of these rows are, as far as they are here."""
    marks = ", ".join("?" * len(numbers))
    rows = conn.execute(
        f"SELECT n, path FROM library WHERE n IN ({marks}) AND path IS NOT NULL", tuple(numbers)
    )
    return dict(rows.fetchall())
