"""Downloads in the database: their table, the value that others see of a row, and look-ups.

How a row gets from one state to the next is in `transitions`, which of them a slot may have in
`claims`, how they are listed in `listing`. Functions take the connection first and are run as whole
transactions by `Database`. Times are Unix seconds; `n` is the number behind the public id `d<n>`.

The indexes are partial: each covers the rows of some states, so that a claim and a count cost the same
with ten rows of history as with a million.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import msgspec

from trayagent.model.downloads import Batch, Download, ErrorInfo, State, Via
from trayagent.model.errors import DownloadError, NotFoundError
from trayagent.model.jobs import New, Order
from trayagent.model.status import Status
from trayagent.model.units import stamp
from trayagent.store import batches, facts, library
from trayagent.store.secrets import SecretFiles

SCHEMA = """
CREATE TABLE downloads (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    state TEXT NOT NULL,
    urgent INTEGER NOT NULL DEFAULT 0,
    not_before REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    orders TEXT,
    path TEXT,
    size INTEGER,
    received INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    warning TEXT,
    via TEXT NOT NULL,
    source TEXT,
    batch INTEGER,
    sha256 TEXT,
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL
);
-- One URL is never in flight twice.
CREATE UNIQUE INDEX in_flight ON downloads(key) WHERE state IN ('queued', 'active', 'paused');
CREATE INDEX have ON downloads(key) WHERE state = 'completed';
-- What may be claimed now, host by host, oldest first; its size is the queue's, not the history's.
CREATE INDEX claimable ON downloads(host, n) WHERE state = 'queued' AND not_before IS NULL;
CREATE INDEX urgent ON downloads(urgent, n) WHERE state = 'queued' AND not_before IS NULL AND urgent > 0;
CREATE INDEX waiting ON downloads(not_before) WHERE state = 'queued' AND not_before IS NOT NULL;
CREATE INDEX active ON downloads(n) WHERE state = 'active';
CREATE INDEX settled ON downloads(state, n) WHERE state IN ('completed', 'failed', 'cancelled', 'paused');
CREATE INDEX unhashed ON downloads(n) WHERE state = 'completed' AND sha256 IS NULL;
CREATE INDEX by_batch ON downloads(batch, n) WHERE batch IS NOT NULL;
"""

UNREADABLE = """
ALTER TABLE downloads ADD COLUMN unreadable INTEGER NOT NULL DEFAULT 0;
DROP INDEX unhashed;
CREATE INDEX unhashed ON downloads(n) WHERE state = 'completed' AND sha256 IS NULL AND unreadable = 0;
"""
"""Version 2: files that were gone before their checksum was computed are not looked for again."""

COLUMNS = (
    "n, key, url, host, state, urgent, not_before, attempts, orders, path, size, received, error, warning,"
    " via, source, batch, sha256, created_at, started_at, finished_at, engine, remote_path"
)
"""What a row is read by: all but the name and the ending, which `listing` sorts by."""

IN_FLIGHT = (State.QUEUED, State.ACTIVE, State.PAUSED)

_order = msgspec.json.Decoder(Order)
_error = msgspec.json.Decoder(ErrorInfo)


def public_id(n: int) -> str:
    """The id that people and programs see."""
    return f"d{n}"


def number(id: str) -> int:
    """The row behind a public id; raises NotFoundError for anything that cannot be one."""
    digits = id[1:]
    # `isdigit` alone takes digits of every script; more than 15 might not fit into SQLite's integers.
    if not (id.startswith("d") and digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise no_such_download(id)
    return int(digits)


def no_such_download(id: str) -> NotFoundError:
    """The error for an id that is not there."""
    return NotFoundError("not_found", f"There is no download {id[:40]}.", "See: trayagent list")


def download_of(row: sqlite3.Row) -> Download:
    """The public value of a row that was read by `COLUMNS`."""
    # By place: to look twenty columns up by their names costs more than all else here.
    # fmt: off
    (n, _key, url, _host, state, _urgent, not_before, attempts, orders, path, size, received, error, warning,
     via, source, batch, sha256, created_at, started_at, finished_at, engine, remote_path) = row
    # fmt: on
    name: str | None = path or remote_path
    if name:
        name = os.path.basename(name)  # noqa: PTH119  of thousands of rows
    elif orders:
        name = _order.decode(orders).filename
    return Download(
        id=public_id(n),
        url=url,
        state=State(state),
        filename=name,
        path=path,
        size=size,
        received=received,
        attempts=attempts,
        not_before=stamp(not_before),
        error=_error.decode(error) if error else None,
        warning=warning,
        via=via,
        source=source,
        batch=batches.public_id(batch) if batch is not None else None,
        sha256=sha256,
        engine=engine,
        remote_path=remote_path,
        created_at=stamp(created_at) or "",
        started_at=stamp(started_at),
        finished_at=stamp(finished_at),
    )


def order_of(row: sqlite3.Row) -> Order:
    """What was asked for beside the URL."""
    return _order.decode(row["orders"]) if row["orders"] else Order()


def orders_json(order: Order) -> str | None:
    """An order as the row keeps it; None for one that asks for nothing."""
    # Most downloads ask for nothing but a URL, and a million rows of `{}` would be megabytes.
    orders = msgspec.json.encode(order)
    return None if orders == b"{}" else orders.decode()


def settled_orders(row: sqlite3.Row) -> str | None:
    """The orders that a completed or cancelled row keeps: its referer and page without their queries.

    A failed one keeps them: its retry goes on with them, and its page is what a person opens to mend it.
    """
    order = order_of(row)
    is_bare = order.referer is None and order.page_url is None
    orders: str | None = row["orders"] if is_bare else orders_json(order.without_queries())
    return orders


def error_json(error: DownloadError) -> str:
    """An error as the row keeps it."""
    return info_json(ErrorInfo(error.code, error.message, error.action))


def info_json(info: ErrorInfo) -> str:
    """As `error_json`, of what is said already."""
    return msgspec.json.encode(info).decode()


def paths_of_numbers(conn: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Where the files of these rows are, as far as they have arrived."""
    marks = ", ".join("?" * len(numbers))
    rows = conn.execute(
        f"SELECT n, path FROM downloads WHERE n IN ({marks}) AND state = 'completed' AND path IS NOT NULL",
        tuple(numbers),
    )
    return dict(rows.fetchall())


def get(conn: sqlite3.Connection, id: str) -> Download:
    """The download `id`; raises NotFoundError."""
    return download_of(row_of(conn, number(id), id))


def row_of(conn: sqlite3.Connection, n: int, id: str = "") -> sqlite3.Row:
    """The row `n`; raises NotFoundError."""
    row = row_or_none(conn, n)
    if row is None:
        raise no_such_download(id or public_id(n))
    return row


def rows_of(conn: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, sqlite3.Row]:
    """The rows that there are, by their numbers: one statement for many."""
    chosen = "n IN (SELECT value FROM json_each(?))"
    rows = conn.execute(f"SELECT {COLUMNS} FROM downloads WHERE {chosen}", (_json(numbers),))
    return {row["n"]: row for row in rows}


def row_or_none(conn: sqlite3.Connection, n: int) -> sqlite3.Row | None:
    """The row `n`, or None."""
    row: sqlite3.Row | None = conn.execute(
        f"SELECT {COLUMNS} FROM downloads WHERE n = ?", (n,)
    ).fetchone()
    return row


def page(
    conn: sqlite3.Connection,
    *,
    states: Sequence[str] = (),
    batch: str | None = None,
    q: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> tuple[list[Download], str | None]:
    """A page, newest first, and the id to continue `after`, or None."""
    # Only whole clauses of ours become SQL; everything that others wrote is a parameter.
    clauses, values = ["1"], list[object]()
    if states:
        clauses.append(f"state IN ({', '.join('?' * len(states))})")
        values += states
    if batch is not None:
        clauses.append("batch = ?")
        values.append(batches.number(batch))
    if q:
        # `%` and `_` are letters here, as the person typed them.
        pattern = "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        clauses.append("(url LIKE ? ESCAPE '\\' OR path LIKE ? ESCAPE '\\')")
        values += [pattern, pattern]
    if after:
        clauses.append("n < ?")
        values.append(number(after))
    sql = f"SELECT {COLUMNS} FROM downloads WHERE {' AND '.join(clauses)} ORDER BY n DESC LIMIT ?"
    # One more than asked for tells whether another page follows.
    rows = conn.execute(sql, (*values, limit + 1)).fetchall()
    page = [download_of(row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def counts(conn: sqlite3.Connection) -> dict[str, int]:
    """How many downloads are in each state."""
    # Each part is counted in an index of its own: over a long history the rows themselves take seconds.
    numbers: dict[str, int] = dict(
        conn.execute(
            "SELECT state, count(*) FROM downloads"
            " WHERE state IN ('completed', 'failed', 'cancelled', 'paused') GROUP BY state"
        ).fetchall()
    )
    queued = "SELECT count(*) FROM downloads WHERE state = 'queued' AND not_before IS"
    numbers["queued"] = sum(
        conn.execute(part).fetchone()[0]
        for part in (
            f"{queued} NULL AND urgent >= 0",
            f"{queued} NULL AND urgent < 0",
            f"{queued} NOT NULL",
        )
    )
    active = "SELECT count(*) FROM downloads WHERE state = 'active'"
    numbers["active"] = conn.execute(active).fetchone()[0]
    return {state: number for state, number in numbers.items() if number}


def starting_status(conn: sqlite3.Connection, now: float, workers: int, version: str) -> Status:
    """The status at the start, as the rows have it; a pause that ran out meanwhile is over."""
    numbers = counts(conn)
    paused = facts.fact(conn, facts.PAUSED)
    until = None if paused in (None, "forever") else float(paused)
    if until is not None and until <= now:
        facts.set_fact(conn, facts.PAUSED, None)
        paused = until = None
    return Status(
        # The pool begins with what an earlier run was at, and tells of it like of any other.
        queued=numbers.get("queued", 0) + numbers.get("active", 0),
        completed=numbers.get("completed", 0),
        failed=numbers.get("failed", 0),
        paused=paused is not None,
        paused_until=stamp(until),
        workers=workers,
        version=version,
    )


def sweep_secrets(conn: sqlite3.Connection, secrets: SecretFiles) -> None:
    """Erase the secrets of downloads that settled, or were never committed, in an earlier run."""
    secrets.sweep(partial(is_in_flight, conn))


def is_in_flight(conn: sqlite3.Connection, id: str) -> bool:
    """Whether the download exists and is not settled."""
    # An id that cannot be one is a stray file in the folder of secrets: it may go.
    try:
        return State(row_of(conn, number(id))["state"]) in IN_FLIGHT
    except NotFoundError:
        return False


def rows_in_flight(conn: sqlite3.Connection, keys: Sequence[str]) -> dict[str, sqlite3.Row]:
    """The downloads in flight for these keys, by key."""
    # In these words exactly: SQLite uses a partial index where a query repeats the index's condition.
    states = "state IN ('queued', 'active', 'paused')"
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM downloads WHERE key IN (SELECT value FROM json_each(?)) AND {states}",
        (_json(keys),),
    )
    return {row["key"]: row for row in rows}


def id_in_flight(conn: sqlite3.Connection, key: str) -> str | None:
    """The id of the download in flight for `key`."""
    row = rows_in_flight(conn, [key]).get(key)
    return None if row is None else public_id(row["n"])


def path_of_saved(conn: sqlite3.Connection, key: str, exists: Callable[[str], bool]) -> str | None:
    """Where the newest completed download for `key` has its file, if it is still there."""
    row = rows_with_file(conn, [key], exists).get(key)
    return None if row is None else str(row["path"] or row["remote_path"])


def rows_with_file(
    conn: sqlite3.Connection, keys: Sequence[str], exists: Callable[[str], bool]
) -> dict[str, sqlite3.Row]:
    """For each key the newest completed download whose file is still there, if there is one."""
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM downloads WHERE key IN (SELECT value FROM json_each(?))"
        " AND state = 'completed' ORDER BY n DESC",
        (_json(keys),),
    )
    found: dict[str, sqlite3.Row] = {}
    for row in rows:
        # 1. The newest may have been deleted by hand while an older copy is still there.
        # 2. Nobody here can look at the disk of an engine elsewhere: what it had brought counts as there.
        is_there = exists(row["path"]) if row["path"] else row["remote_path"]
        if is_there:
            found.setdefault(row["key"], row)
    return found


def insert(
    conn: sqlite3.Connection,
    items: Iterable[New],
    *,
    via: Via,
    batch: int | None = None,
    urgent: int = 0,
    now: float,
) -> dict[str, sqlite3.Row]:
    """New rows by their keys; the caller has made sure that nothing is in flight for them.

    Those that are urgent get that number.
    """
    values, gids = [], set[str]()
    for new in items:
        # Two clients may have chosen the same name at the same moment: it stays with the first.
        gid = None if new.gid in gids or is_gid_taken(conn, new.gid) else new.gid
        if gid is not None:
            gids.add(gid)
        state = State.PAUSED if new.paused else State.QUEUED
        line = urgent if new.urgent else 0
        order = orders_json(new.order)
        values.append(
            (
                new.key,
                new.url,
                new.host,
                state,
                line,
                order,
                new.warning,
                new.source,
                new.engine,
                gid,
            )
        )
    # One statement for all of them. Each statement lets go of the interpreter's lock and waits for it
    # again, which beside a busy engine takes longer than the statement.
    rows = conn.execute(
        "INSERT INTO downloads(key, url, host, state, urgent, orders, warning, source, engine, gid,"
        " via, batch, created_at)"
        " SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,"
        " value ->> 7, value ->> 8, value ->> 9, ?, ?, ? FROM json_each(?) WHERE true ORDER BY json_each.key"
        f" RETURNING {COLUMNS}",
        (via, batch, now, _json(values)),
    )
    return {row["key"]: row for row in rows.fetchall()}


def is_gid_taken(conn: sqlite3.Connection, gid: str | None) -> bool:
    """Whether a download has this chosen gid already."""
    # None equals nothing in SQL: a download without a gid of its own takes none from another.
    return conn.execute("SELECT 1 FROM downloads WHERE gid = ?", (gid,)).fetchone() is not None


def _json(values: Sequence[object]) -> str:
    """Many values as one: a statement may not have a thousand parameters everywhere."""
    return msgspec.json.encode(values).decode()


def next_urgency(conn: sqlite3.Connection) -> int:
    """A number that puts a download before all that wait now."""
    # By the index of what is urgent: as quick with a million rows in the queue as with ten.
    highest: int | None = conn.execute(
        "SELECT max(urgent) FROM downloads WHERE state = 'queued' AND not_before IS NULL AND urgent > 0"
    ).fetchone()[0]
    return (highest or 0) + 1


class Change(msgspec.Struct, frozen=True):
    """A download after a change, and the state it was in before ("" for a new one)."""

    download: Download
    previous: str
    finished: tuple[Batch, ...] = ()
    """Batches that came to their end by it."""
    hurried: bool = False
    """It waited, and is to be tried now."""

    @property
    def has_effect(self) -> bool:
        """Whether anything happened; asking for what already holds changes nothing."""
        return self.hurried or self.previous != self.download.state


def keep_checksums(
    conn: sqlite3.Connection, digests: Sequence[tuple[int, tuple[str, int] | None]]
) -> None:
    """Note checksums computed after completion, each with the size of what was read.

    None, or another size than what arrived: the file was moved or changed, and is not looked at again.
    """
    for n, found in digests:
        sha256, size = found or (None, None)
        row = conn.execute(
            "UPDATE downloads SET sha256 = ? WHERE n = ? AND state = 'completed' AND size = ?"
            " RETURNING key, path, source",
            (sha256, n, size),
        ).fetchone()
        # A row that was removed meanwhile is none either; then this changes nothing.
        if row is None:
            conn.execute("UPDATE downloads SET unreadable = 1 WHERE n = ?", (n,))
        elif row["source"] is not None and sha256 is not None:
            library.keep_checksum(conn, row["key"], row["path"], sha256)


def checksums_missing(
    conn: sqlite3.Connection, after: int, limit: int = 100
) -> list[tuple[int, str]]:
    """Completed downloads without a checksum, as (n, path), oldest first."""
    rows = conn.execute(
        "SELECT n, path FROM downloads WHERE state = 'completed' AND sha256 IS NULL AND unreadable = 0"
        " AND path IS NOT NULL AND n > ? ORDER BY n LIMIT ?",
        (after, limit),
    )
    return [(n, path) for n, path in rows]
