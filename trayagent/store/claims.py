"""Claim, then release with an outcome: how workers take downloads and give them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from trayagent.model.batch import Batch
from trayagent.model.download import Download, State
from trayagent.model.errors import DownloadError
from trayagent.model.order import Job
from trayagent.model.transfer import Fetched
from trayagent.store import batches, library
from trayagent.store.downloads import Change, download, error_json, order_of, public_id, row_of

AT_ONCE = 500
"""Rows that one transaction wakes."""
READY = "state = 'queued' AND not_before IS NULL"


@dataclass(frozen=True, slots=True)
class Turn:
    """Who may be served now."""

    room: Mapping[str, int]
    """How many more a host may get, where that differs from `default`."""
    default: int
    after: str = ""
    """The host served last; the ones behind it come first."""
    busy: frozenset[str] = frozenset()
    """Downloads that a slot still holds, whatever their row says: asked to go on while they stop."""


def claim(
    conn: sqlite3.Connection, turn: Turn, *, limit: int, now: float
) -> list[tuple[Job, Download]]:
    """Take up to `limit` downloads, fairly across hosts, and make them active. Urgent ones come first."""
    rows: list[sqlite3.Row] = []
    left = dict(turn.room)
    for row in _urgent(conn, turn):
        if len(rows) == limit:
            break
        _take(conn, row, rows, left, turn.default, now)
    after = turn.after
    while len(rows) < limit:
        following = _next_in_turn(conn, left, turn, after)
        if following is None:
            break
        _take(conn, following, rows, left, turn.default, now)
        after = following["host"]
    return [_claimed(row) for row in rows]


def _take(
    conn: sqlite3.Connection,
    row: sqlite3.Row,
    rows: list[sqlite3.Row],
    left: dict[str, int],
    default: int,
    now: float,
) -> None:
    taken = conn.execute(
        "UPDATE downloads SET state = 'active', started_at = ?, error = NULL WHERE n = ? RETURNING *",
        (now, row["n"]),
    )
    rows += taken.fetchall()
    left[row["host"]] = left.get(row["host"], default) - 1


def _urgent(conn: sqlite3.Connection, turn: Turn) -> list[sqlite3.Row]:
    rows = conn.execute(
        f"SELECT n, host FROM downloads WHERE {READY} AND urgent > 0 ORDER BY urgent DESC, n LIMIT 256"
    )
    given: dict[str, int] = {}
    chosen = []
    for row in rows:
        host = row["host"]
        room = turn.room.get(host, turn.default)
        if given.get(host, 0) < room and public_id(row["n"]) not in turn.busy:
            given[host] = given.get(host, 0) + 1
            chosen.append(row)
    return chosen


def _next_in_turn(
    conn: sqlite3.Connection, left: Mapping[str, int], turn: Turn, after: str
) -> sqlite3.Row | None:
    # A skip scan: one index probe a host, never a walk over the rows of a host without room.
    for start, end in ((after, None), ("", after)):
        host = start
        while (host := _host_after(conn, host)) != "" and (end is None or host <= end):
            if left.get(host, turn.default) > 0:
                row = _oldest(conn, host, turn.busy)
                if row is not None:
                    return row
    return None


def _oldest(conn: sqlite3.Connection, host: str, busy: frozenset[str]) -> sqlite3.Row | None:
    rows: list[sqlite3.Row] = conn.execute(
        f"SELECT n, host FROM downloads WHERE {READY} AND host = ? ORDER BY n LIMIT ?",
        (host, len(busy) + 1),
    ).fetchall()
    return next((row for row in rows if public_id(row["n"]) not in busy), None)


def _host_after(conn: sqlite3.Connection, host: str) -> str:
    row = conn.execute(
        f"SELECT host FROM downloads INDEXED BY claimable WHERE {READY} AND host > ? ORDER BY host LIMIT 1",
        (host,),
    ).fetchone()
    return row[0] if row else ""


def _claimed(row: sqlite3.Row) -> tuple[Job, Download]:
    claimed = download(row)
    job = Job(
        n=row["n"],
        id=public_id(row["n"]),
        key=row["key"],
        url=row["url"],
        host=row["host"],
        order=order_of(row),
        path=row["path"],
        attempts=row["attempts"],
        via=row["via"],
        source=row["source"],
        owner=claimed.owner,
    )
    return job, claimed


def next_due(conn: sqlite3.Connection) -> float | None:
    """When the first waiting download may be tried, in Unix seconds."""
    due: float | None = conn.execute(
        "SELECT min(not_before) FROM downloads WHERE state = 'queued' AND not_before IS NOT NULL"
    ).fetchone()[0]
    return due


def cooling(conn: sqlite3.Connection, now: float) -> dict[str, float]:
    """The hosts that asked us to slow down, and until when (Unix seconds)."""
    rows = conn.execute(
        "SELECT host, max(not_before) FROM downloads WHERE state = 'queued' AND not_before > ?"
        " AND error ->> 'code' = 'server_busy' GROUP BY host",
        (now,),
    )
    return dict(rows.fetchall())


def wake(conn: sqlite3.Connection, now: float, horizon: float) -> int:
    """Make claimable what is due, or waits beyond `horizon` seconds because a clock jumped.

    Some at a time: the rest stays due, and comes with the next claim.
    """
    return conn.execute(
        "UPDATE downloads SET not_before = NULL WHERE n IN (SELECT n FROM downloads"
        " WHERE state = 'queued' AND not_before IS NOT NULL AND (not_before <= ? OR not_before > ?)"
        " LIMIT ?)",
        (now, now + horizon, AT_ONCE),
    ).rowcount


def reserve(conn: sqlite3.Connection, n: int, path: str, size: int | None) -> None:
    """Note the name a file will get, before anything appears under it."""
    conn.execute("UPDATE downloads SET path = ?, size = ? WHERE n = ?", (path, size, n))


def complete(conn: sqlite3.Connection, n: int, fetched: Fetched, now: float) -> Change:
    """The file is published: that is so, whatever the row said meanwhile."""
    row = row_of(conn, n)
    updated: sqlite3.Row = conn.execute(
        "UPDATE downloads SET state = 'completed', path = ?, size = ?, received = ?, sha256 = ?, warning = ?,"
        " error = NULL, not_before = NULL, attempts = attempts + 1, finished_at = ? WHERE n = ? RETURNING *",
        (str(fetched.path), fetched.size, fetched.size, fetched.sha256, fetched.warning, now, n),
    ).fetchone()
    if row["source"]:
        library.arrived(conn, row["key"], str(fetched.path), fetched.size, fetched.sha256, now)
    if row["state"] == State.CANCELLED:
        batches.arrived_after_all(conn, n)
    finished = batches.settled(conn, n, now)
    return Change(download(updated), row["state"], finished)


def fail(
    conn: sqlite3.Connection, n: int, error: DownloadError, received: int, now: float
) -> Change:
    """It cannot go on; what has arrived is kept for a retry."""
    row = row_of(conn, n)
    finished: tuple[Batch, ...] = ()
    if row["state"] == State.ACTIVE:
        conn.execute(
            "UPDATE downloads SET state = 'failed', error = ?, received = ?, attempts = attempts + 1,"
            " finished_at = ? WHERE n = ?",
            (error_json(error), received, now, n),
        )
        if row["source"]:
            library.failed(conn, row["key"], error_json(error))
        finished = batches.settled(conn, n, now)
    return Change(download(row_of(conn, n)), row["state"], finished)


def requeue(
    conn: sqlite3.Connection,
    n: int,
    *,
    received: int,
    not_before: float | None,
    error: DownloadError | None,
    tried: int,
) -> Change:
    """Give an active download back, to be tried again at `not_before`, or as soon as a slot is free."""
    row = row_of(conn, n)
    if row["state"] == State.ACTIVE:
        conn.execute(
            "UPDATE downloads SET state = 'queued', not_before = ?, error = ?, received = ?,"
            " attempts = attempts + ? WHERE n = ?",
            (not_before, error_json(error) if error else None, received, tried, n),
        )
    else:
        conn.execute(
            "UPDATE downloads SET received = ? WHERE n = ? AND state <> 'completed'", (received, n)
        )
    return Change(download(row_of(conn, n)), row["state"])


def requeue_active(conn: sqlite3.Connection) -> int:
    """Crash-only recovery, at every start: whatever was active waits for a slot again."""
    return conn.execute(
        "UPDATE downloads SET state = 'queued', not_before = NULL WHERE state = 'active'"
    ).rowcount
