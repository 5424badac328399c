"""Runs of a source: where its listing is, what it found, and what is gone from it.

| state      | means                                              | next                              |
|------------|----------------------------------------------------|-----------------------------------|
| running    | pages are being read; after a kill: interrupted    | `finish`, or `begin` resumes it   |
| failed     | an error ended it; its cursor is kept for an hour  | `begin` resumes it in that time   |
| complete   | all pages were read                                | a new run                         |
| incomplete | the listing ended early, or a newer run took over  | a new run                         |

Every item that a pass sees gets its `mark`. Only a pass over all pages may conclude that items with an
older mark are gone, and even then not when that looks like a mistake (`is_suspicious`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.model.downloads import ErrorInfo
from trayagent.model.library import LastRun, Listed, RunState
from trayagent.model.units import stamp
from trayagent.store import batches, library

SCHEMA: Final = """
CREATE TABLE sync_runs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    mark INTEGER NOT NULL,
    cursor TEXT,
    first TEXT,
    tail INTEGER NOT NULL DEFAULT 0,
    productive INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0,
    new INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,
    suspicious INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    started_at REAL NOT NULL,
    touched_at REAL NOT NULL,
    finished_at REAL
);
CREATE INDEX sync_runs_newest ON sync_runs(source, n DESC);
"""

RESUMABLE_SECONDS: Final = 3600.0
"""Seconds for which a cursor is trusted."""

_error = msgspec.json.Decoder(ErrorInfo)


class ListingRun(Struct, frozen=True):
    """A run as its listing works on it."""

    n: int
    source: str
    account: str
    mark: int
    cursor: str | None
    """The page to read next; None: the first."""
    first: str | None
    """The first item of page one."""
    tail: bool
    """Whether it was resumed, so that the newest pages must be read again."""
    productive: int
    """Pages that showed something for the first time."""
    pages: int
    shown: LastRun


def public_id(n: int) -> str:
    """The id that people and programs see."""
    return f"r{n}"


def run_of(row: sqlite3.Row) -> ListingRun:
    """The value of a row."""
    shown = LastRun(
        id=public_id(row["n"]),
        state=row["state"],
        pages=row["pages"],
        seen=row["seen"],
        new=row["new"],
        gone=row["gone"],
        suspicious=bool(row["suspicious"]),
        error=_error.decode(row["error"]) if row["error"] else None,
        started_at=stamp(row["started_at"]),
    )
    return ListingRun(
        n=row["n"],
        source=row["source"],
        account=row["account"],
        mark=row["mark"],
        cursor=row["cursor"],
        first=row["first"],
        tail=bool(row["tail"]),
        productive=row["productive"],
        pages=row["pages"],
        shown=shown,
    )


def get(conn: sqlite3.Connection, n: int) -> ListingRun:
    """The run `n`."""
    return run_of(conn.execute("SELECT * FROM sync_runs WHERE n = ?", (n,)).fetchone())


def latest_run(conn: sqlite3.Connection, source: str) -> LastRun | None:
    """The newest run of a source."""
    row = _newest(conn, source)
    return run_of(row).shown if row is not None else None


def last_activity(conn: sqlite3.Connection, source: str) -> float | None:
    """When the newest run was last heard of, in Unix seconds."""
    row = _newest(conn, source)
    return row["touched_at"] if row is not None else None


def _newest(conn: sqlite3.Connection, source: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = conn.execute(
        "SELECT * FROM sync_runs WHERE source = ? ORDER BY n DESC LIMIT 1", (source,)
    ).fetchone()
    return row


def interrupted_sources(conn: sqlite3.Connection) -> list[str]:
    """Sources whose newest run was cut off by the end of the program."""
    # Only the newest: an older one that still says "running" was replaced, and is over.
    newest = "SELECT max(n) FROM sync_runs GROUP BY source"
    sql = f"SELECT source FROM sync_runs WHERE n IN ({newest}) AND state = 'running'"
    return [source for (source,) in conn.execute(sql)]


def begin(conn: sqlite3.Connection, source: str, now: float) -> ListingRun:
    """A run to work on: the interrupted one while its cursor is young, else a new one."""
    row = _newest(conn, source)
    # Cursors die with the server's session; and a clock that was set back (a negative age) proves nothing.
    if (
        row is not None
        and row["state"] in {"running", "failed"}
        and row["cursor"] is not None
        and 0 <= now - row["touched_at"] < RESUMABLE_SECONDS
    ):
        # `tail`: what was added meanwhile stands before page one, which this run has behind it.
        conn.execute(
            "UPDATE sync_runs SET state = 'running', tail = 1, error = NULL, touched_at = ?, finished_at = NULL"
            " WHERE n = ?",
            (now, row["n"]),
        )
        return get(conn, row["n"])
    # A source has one run at a time: what still says "running" was cut off too long ago to go on.
    conn.execute(
        "UPDATE sync_runs SET state = 'incomplete', cursor = NULL WHERE source = ? AND state = 'running'",
        (source,),
    )
    cursor = conn.execute(
        "INSERT INTO sync_runs(source, account, state, mark, started_at, touched_at)"
        " VALUES (?, '', 'running', ?, ?, ?)",
        (source, _next_mark(conn), now, now),
    )
    assert cursor.lastrowid is not None
    return get(conn, cursor.lastrowid)


def keep_account(conn: sqlite3.Connection, n: int, account: str, now: float) -> ListingRun:
    """Note whose library the run reads. A resumed run of another account starts from page one."""
    # Its cursor belongs to somebody else's library.
    if get(conn, n).account not in {"", account}:
        restart(conn, n, now)
    conn.execute("UPDATE sync_runs SET account = ?, touched_at = ? WHERE n = ?", (account, now, n))
    return get(conn, n)


def _next_mark(conn: sqlite3.Connection) -> int:
    mark: int = conn.execute("SELECT coalesce(max(mark), 0) + 1 FROM sync_runs").fetchone()[0]
    return mark


def restart(conn: sqlite3.Connection, n: int, now: float) -> ListingRun:
    """Begin a new pass from page one: the server no longer knows the cursor."""
    # A new mark, too: what the broken pass has seen must be seen again before anything is concluded.
    conn.execute(
        "UPDATE sync_runs SET mark = ?, cursor = NULL, first = NULL, tail = 0, productive = 0, pages = 0, seen = 0,"
        " touched_at = ? WHERE n = ?",
        (_next_mark(conn), now, n),
    )
    return get(conn, n)


def upsert_page(
    conn: sqlite3.Connection,
    run: ListingRun,
    items: Iterable[Listed],
    following: str | None,
    now: float,
) -> tuple[ListingRun, int]:
    """Keep a page, and where the next one is, as one transaction.

    Returns the run, and how many items this pass had not seen.
    """
    listed = tuple(items)
    seen, new = library.upsert_listed(conn, run.source, run.account, listed, run.mark)
    # The first item of page one tells a listing that goes round from one that goes on.
    first = listed[0].ident if listed and run.pages == 0 else None
    conn.execute(
        "UPDATE sync_runs SET cursor = ?, first = coalesce(first, ?), pages = pages + 1, seen = seen + ?,"
        " new = new + ?, productive = productive + ?, touched_at = ? WHERE n = ?",
        (following, first, seen, new, int(seen > 0), now, run.n),
    )
    return get(conn, run.n), seen


def finish(
    conn: sqlite3.Connection,
    run: ListingRun,
    state: RunState,
    now: float,
    *,
    error: ErrorInfo | None = None,
    conclude: bool = False,
) -> ListingRun:
    """End the listing. With `conclude` what it did not see is gone, unless that would be suspicious."""
    gone, suspicious = _conclude(conn, run) if conclude else (0, False)
    # Only what failed may go on where it was; see `begin`.
    cursor = run.cursor if state == "failed" else None
    conn.execute(
        "UPDATE sync_runs SET state = ?, error = ?, cursor = ?, gone = ?, suspicious = ?, touched_at = ?,"
        " finished_at = ? WHERE n = ?",
        (
            state,
            msgspec.json.encode(error).decode() if error else None,
            cursor,
            gone,
            suspicious,
            now,
            now,
            run.n,
        ),
    )
    return get(conn, run.n)


def _conclude(conn: sqlite3.Connection, run: ListingRun) -> tuple[int, bool]:
    # Of this account only: after a sign-in as somebody else the first one's items are out of sight, and
    # not gone.
    mine = "source = ? AND account = ? AND gone = 0"
    where = (run.source, run.account)
    known: int = conn.execute(f"SELECT count(*) FROM library WHERE {mine}", where).fetchone()[0]
    unseen: int = conn.execute(
        f"SELECT count(*) FROM library WHERE {mine} AND mark <> ?", (*where, run.mark)
    ).fetchone()[0]
    # A server that suddenly lists a fraction has a fault, more likely than an emptied library.
    if unseen and is_suspicious(known, unseen):
        return 0, True
    conn.execute(f"UPDATE library SET gone = 1 WHERE {mine} AND mark <> ?", (*where, run.mark))
    return unseen, False


def is_suspicious(known: int, unseen: int) -> bool:
    """Whether so many vanished at once that the answer is doubted: all, or more than half and than ten.

    A server that answers with an empty page during its maintenance must not empty a library.
    """
    return unseen == known or (unseen * 2 > known and unseen > 10)


def latest_account(conn: sqlite3.Connection, source: str) -> str | None:
    """Whose library was read last."""
    row = conn.execute(
        "SELECT account FROM sync_runs WHERE source = ? AND account <> '' ORDER BY n DESC LIMIT 1",
        (source,),
    ).fetchone()
    return row[0] if row else None


def open_batches(conn: sqlite3.Connection) -> list[str]:
    """Batches of runs that were cut off before all their items were in."""
    rows = conn.execute("SELECT n FROM batches WHERE via = 'sync' AND closed = 0").fetchall()
    return [batches.public_id(n) for (n,) in rows]
