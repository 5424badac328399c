"""Downloads that an engine elsewhere fetches (an aria2 on a NAS), and how far each is handed over.

A download for an engine has `engine` set, and a host that no server can have (`model/jobs`), so that the pool
never claims it. While the engine has it, a row of `handovers` stands beside it; see
`agent/queue/remote_queue` for the states. Its `gid` is made from the row and written before the engine
hears of it: the engine takes each gid once, so that nothing is fetched twice.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from trayagent.model import units
from trayagent.model.downloads import Download, State
from trayagent.model.errors import DownloadError
from trayagent.model.jobs import Order
from trayagent.store import batches, downloads
from trayagent.store.downloads import Change

SCHEMA: Final = """
ALTER TABLE downloads ADD COLUMN engine TEXT;
ALTER TABLE downloads ADD COLUMN remote_path TEXT;
CREATE TABLE handovers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    n INTEGER NOT NULL,
    engine TEXT NOT NULL,
    gid TEXT NOT NULL UNIQUE,
    mark TEXT NOT NULL,
    is_known INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0,
    speed_limit INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX handover_of ON handovers(n);
DROP INDEX active;
CREATE INDEX active ON downloads(engine, n) WHERE state = 'active';
CREATE INDEX for_engine ON downloads(engine, urgent DESC, n)
    WHERE engine IS NOT NULL AND state = 'queued' AND not_before IS NULL;
"""


class Handover(Struct, frozen=True):
    """One hand-over, and what its download is meant to do now."""

    number: int
    n: int
    id: str
    engine: str
    gid: str
    mark: str
    """What the engine remembered when it was offered; see `RemoteView.mark`."""
    is_known: bool
    """Whether the engine is known to have it."""
    is_paused: bool
    """Whether the engine was told last to pause it."""
    speed_limit: int
    """What the engine was told last, in bytes a second."""
    download: Download | None
    """None: its row was removed."""
    order: Order = Order()
    url: str = ""

    @property
    def is_wanted(self) -> bool:
        """Whether it is to arrive, now or after a pause."""
        return self.download is not None and self.download.state in downloads.IN_FLIGHT

    def __repr__(self) -> str:
        return f"<Handover {self.gid} of {self.id}>"


class Arrival(Struct, frozen=True):
    """A file that an engine has brought."""

    path: str | None
    """Where this machine sees it; None: nowhere."""
    remote_path: str
    size: int
    warning: str | None


def is_handed_over(conn: sqlite3.Connection, n: int) -> bool:
    """Whether an engine has the download, or may have it."""
    return conn.execute("SELECT 1 FROM handovers WHERE n = ?", (n,)).fetchone() is not None


def forget_running(conn: sqlite3.Connection) -> None:
    """At a start nobody knows what engines do: their downloads are queued until they are seen."""
    conn.execute(
        "UPDATE downloads SET state = 'queued' WHERE state = 'active' AND engine IS NOT NULL"
    )


def current(conn: sqlite3.Connection, engine: str) -> list[Handover]:
    """All hand-overs to an engine that have not ended, oldest first."""
    rows = conn.execute("SELECT * FROM handovers WHERE engine = ? ORDER BY number", (engine,))
    return [_handover(conn, row) for row in rows.fetchall()]


def waiting(conn: sqlite3.Connection, engine: str) -> bool:
    """Whether an engine has something to do, or could have."""
    row = conn.execute(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM handovers WHERE engine = ?1) OR EXISTS"
        " (SELECT 1 FROM downloads WHERE engine = ?1 AND state = 'queued' AND not_before IS NULL)",
        (engine,),
    ).fetchone()
    return row is not None


def offer(
    conn: sqlite3.Connection, engine: str, mark: str, most: int, at_once: int
) -> list[Handover]:
    """Write down new hand-overs, so that `most` are under way at the most; nobody has told the engine yet."""
    (under_way,) = conn.execute(
        "SELECT count(*) FROM handovers WHERE engine = ?", (engine,)
    ).fetchone()
    rows = conn.execute(
        f"SELECT {downloads.COLUMNS} FROM downloads WHERE engine = ? AND state = 'queued'"
        " AND not_before IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM handovers WHERE handovers.n = downloads.n)"
        " ORDER BY urgent DESC, n LIMIT ?",
        (engine, max(0, min(at_once, most - under_way))),
    ).fetchall()
    offered: list[Handover] = []
    for row in rows:
        order = downloads.order_of(row)
        limit = units.parse_size(order.speed_limit) if order.speed_limit else 0
        # The gid holds the number that SQLite gives, so the row is written first, under a name that
        # no gid has.
        number = conn.execute(
            "INSERT INTO handovers(n, engine, gid, mark, speed_limit) VALUES (?, ?, ?, ?, ?)",
            (row["n"], engine, f"offer of {row['n']}", mark, limit),
        ).lastrowid
        # The owner tells this database from others that use the same engine, the number tells this
        # hand-over from an earlier one of the same download.
        owner = downloads.download_of(row).owner
        gid = hashlib.sha256(f"{owner} {number}".encode()).hexdigest()[:16]
        written = conn.execute(
            "UPDATE handovers SET gid = ? WHERE number = ? RETURNING *", (gid, number)
        ).fetchone()
        offered.append(_handover(conn, written))
    return offered


def note_known(conn: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """The engine has these."""
    conn.executemany("UPDATE handovers SET is_known = 1 WHERE number = ?", ((n,) for n in numbers))


def note_told(conn: sqlite3.Connection, told: Sequence[tuple[int, bool, int]]) -> None:
    """What the engine was told: (number, whether to pause, bytes a second)."""
    conn.executemany(
        "UPDATE handovers SET is_paused = ?, speed_limit = ? WHERE number = ?",
        ((paused, limit, number) for number, paused, limit in told),
    )


def end(conn: sqlite3.Connection, number: int) -> None:
    """Nothing more is to be known of this hand-over."""
    conn.execute("DELETE FROM handovers WHERE number = ?", (number,))


def show(
    conn: sqlite3.Connection,
    handover: Handover,
    state: State,
    remote_path: str | None,
    now: float,
) -> Change | None:
    """The row says what the engine does; None: it says so already, or something else was asked meanwhile."""
    row = downloads.row_or_none(conn, handover.n)
    if row is None or State(row["state"]) not in downloads.IN_FLIGHT or row["state"] == state:
        return None
    # Only `adopt` makes it paused, or lets a paused one go on.
    if State.PAUSED in (state, row["state"]):
        return None
    updated = conn.execute(
        "UPDATE downloads SET state = ?, not_before = NULL, error = NULL,"
        " remote_path = coalesce(?, remote_path), started_at = coalesce(started_at, ?)"
        f" WHERE n = ? RETURNING {downloads.COLUMNS}",
        (state, remote_path, now if state == State.ACTIVE else None, handover.n),
    ).fetchone()
    return Change(downloads.download_of(updated), row["state"])


def adopt(conn: sqlite3.Connection, handover: Handover, *, paused: bool) -> Change | None:
    """Somebody paused it at the engine, or let it go on: that counts here, too."""
    row = downloads.row_or_none(conn, handover.n)
    if row is None or State(row["state"]) not in downloads.IN_FLIGHT:
        return None
    conn.execute("UPDATE handovers SET is_paused = ? WHERE number = ?", (paused, handover.number))
    updated = conn.execute(
        f"UPDATE downloads SET state = ?, not_before = NULL WHERE n = ? RETURNING {downloads.COLUMNS}",
        (State.PAUSED if paused else State.QUEUED, handover.n),
    ).fetchone()
    return Change(downloads.download_of(updated), row["state"])


def complete(
    conn: sqlite3.Connection, handover: Handover, arrival: Arrival, now: float
) -> Change | None:
    """The engine has brought the file: that is so, whatever the row says. None: the row was removed."""
    end(conn, handover.number)
    row = downloads.row_or_none(conn, handover.n)
    if row is None or row["state"] == State.COMPLETED:
        return None
    updated = conn.execute(
        "UPDATE downloads SET state = 'completed', path = ?, remote_path = ?, size = ?, received = ?,"
        " warning = ?, orders = ?, error = NULL, not_before = NULL, attempts = attempts + 1,"
        f" finished_at = ? WHERE n = ? RETURNING {downloads.COLUMNS}",
        (
            arrival.path,
            arrival.remote_path,
            arrival.size,
            arrival.size,
            arrival.warning,
            downloads.settled_orders(row),
            now,
            handover.n,
        ),
    ).fetchone()
    if row["state"] == State.CANCELLED:
        batches.complete_cancelled_entries(conn, handover.n)
    return Change(
        downloads.download_of(updated),
        row["state"],
        batches.settle_entries(conn, [handover.n], now),
    )


def fail(
    conn: sqlite3.Connection, handover: Handover, error: DownloadError, now: float
) -> Change | None:
    """It will not arrive; None: nobody wants it any more."""
    end(conn, handover.number)
    row = downloads.row_or_none(conn, handover.n)
    if row is None or State(row["state"]) not in downloads.IN_FLIGHT:
        return None
    updated = conn.execute(
        "UPDATE downloads SET state = 'failed', error = ?, not_before = NULL, attempts = attempts + 1,"
        f" finished_at = ? WHERE n = ? RETURNING {downloads.COLUMNS}",
        (downloads.error_json(error), now, handover.n),
    ).fetchone()
    return Change(
        downloads.download_of(updated),
        row["state"],
        batches.settle_entries(conn, [handover.n], now),
    )


def _handover(conn: sqlite3.Connection, row: sqlite3.Row) -> Handover:
    of = downloads.row_or_none(conn, row["n"])
    return Handover(
        number=row["number"],
        n=row["n"],
        id=downloads.public_id(row["n"]),
        engine=row["engine"],
        gid=row["gid"],
        mark=row["mark"],
        is_known=bool(row["is_known"]),
        is_paused=bool(row["is_paused"]),
        speed_limit=row["speed_limit"],
        download=None if of is None else downloads.download_of(of),
        order=Order() if of is None else downloads.order_of(of),
        url="" if of is None else of["url"],
    )
