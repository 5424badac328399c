"""Downloads as aria2's clients count them: named by gids, in three lists, and with a place in line.

    aria2's list   our states                        order
    -------------  --------------------------------  ---------------------------------------------
    active         active                            as they were added
    waiting        queued and paused                 as a person ordered them, else as they were added
    stopped        completed, failed, cancelled      as they ended; only the last thousand are told

A gid has 16 hex digits. Most downloads have one that follows from their number (`gid_of`), so that no
row stores it; the column `gid` holds those that a client chose. The two never meet, because a client
may not choose one that begins like ours.

A client asks twice a second. A row is read without the columns and values that only other views need,
and each list by an index that has its order.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import State
from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.store import downloads
from trayagent.store.queue_order import DEEPEST

GIDS: Final = """
ALTER TABLE downloads ADD COLUMN gid TEXT;
CREATE UNIQUE INDEX by_gid ON downloads(gid) WHERE gid IS NOT NULL;
CREATE INDEX in_line ON downloads(urgent DESC, n) WHERE state IN ('queued', 'paused');
CREATE INDEX stopped ON downloads(finished_at, n) WHERE state IN ('completed', 'failed', 'cancelled');
"""

OWN: Final = "74726179"
"""The first half of the gids that follow from a number; a client may choose no such gid."""
MOST_STOPPED: Final = 1000
"""Stopped downloads that are told of, as aria2's max-download-result."""

_GID: Final = re.compile(r"[0-9a-f]{16}")
_PREFIX: Final = re.compile(r"[0-9a-f]{1,16}")
_COLUMNS: Final = (
    "n, gid, state, url, path, size, received, orders, error ->> 'code', error ->> 'message'"
)
_WAITING: Final = "state IN ('queued', 'paused')"
_STOPPED: Final = "state IN ('completed', 'failed', 'cancelled')"


class Task(Struct, frozen=True):
    """A download with what aria2's clients may ask of it. `orders` is not decoded yet: most never ask."""

    n: int
    gid: str
    state: str
    url: str
    path: str | None
    size: int | None
    received: int
    orders: str | None
    code: str | None
    message: str | None

    @property
    def id(self) -> str:
        """The id that the rest of the house knows it by."""
        return downloads.public_id(self.n)


class AmbiguousGidError(NotFoundError):
    """The beginning of a gid fits several downloads."""


def gid_of(n: int) -> str:
    """The gid that follows from a number."""
    return f"{OWN}{n:08x}"


def may_choose(gid: str) -> bool:
    """Whether a client may give its download this gid, as far as its letters go."""
    return bool(_GID.fullmatch(gid)) and not gid.startswith(OWN) and int(gid, 16) > 0


def find(conn: sqlite3.Connection, gid: str) -> Task:
    """The download of a gid, or of the beginning of one, as aria2 lets people type it.

    Raises NotFoundError for none, AmbiguousGidError for several.
    """
    given = gid.lower()
    if not _PREFIX.fullmatch(given):
        raise NotFoundError("bad_gid", f"Invalid GID {gid[:40]}")
    # All gids that begin so lie between these two, in the column and among the numbers alike.
    first, last = given.ljust(16, "0"), given.ljust(16, "f")
    sql = f"SELECT {_COLUMNS} FROM downloads WHERE"
    found = conn.execute(f"{sql} gid BETWEEN ? AND ? LIMIT 2", (first, last)).fetchall()
    # Ours begin with OWN and end with the number: the same range, as far as it reaches into theirs.
    low, high = max(int(first, 16), int(gid_of(0), 16)), min(int(last, 16), int(OWN + "f" * 8, 16))
    if low <= high:
        numbers = (low & 0xFFFFFFFF, high & 0xFFFFFFFF)
        found += conn.execute(f"{sql} n BETWEEN ? AND ? AND gid IS NULL LIMIT 2", numbers)
    if len(found) > 1:
        raise AmbiguousGidError("bad_gid", f"GID {gid} is not unique")
    if not found:
        raise NotFoundError("not_found", f"GID {gid} is not found")
    return _task(found[0])


def of_id(conn: sqlite3.Connection, id: str) -> Task:
    """The download of an id; raises NotFoundError."""
    row = conn.execute(
        f"SELECT {_COLUMNS} FROM downloads WHERE n = ?", (downloads.number(id),)
    ).fetchone()
    if row is None:
        raise downloads.no_such_download(id)
    return _task(row)


def active_tasks(conn: sqlite3.Connection) -> list[Task]:
    """The active ones; there are no more than the pool has slots."""
    # Sorted here: asked for this order, SQLite walks the whole table, however few are active.
    sql = f"SELECT {_COLUMNS} FROM downloads INDEXED BY active WHERE state = 'active'"
    return sorted((_task(row) for row in conn.execute(sql)), key=lambda task: task.n)


def waiting_tasks(conn: sqlite3.Connection, offset: int, limit: int) -> list[Task]:
    """A window of the line; a negative offset counts from its end, and the window is told backwards."""
    if offset >= 0:
        return _tasks(conn, f"{_WAITING} ORDER BY urgent DESC, n LIMIT ? OFFSET ?", limit, offset)
    backwards = f"{_WAITING} ORDER BY urgent ASC, n DESC LIMIT ? OFFSET ?"
    return _tasks(conn, backwards, limit, -offset - 1)


def stopped_tasks(conn: sqlite3.Connection, offset: int, limit: int) -> list[Task]:
    """A window of what ended last; a negative offset counts from the newest, and is told backwards."""
    newest_first = f"{_STOPPED} ORDER BY finished_at DESC, n DESC LIMIT ? OFFSET ?"
    if offset < 0:
        skipped = -offset - 1
        return _tasks(conn, newest_first, max(0, min(limit, MOST_STOPPED - skipped)), skipped)
    # Counted from the oldest of those that are told of at all.
    total = _count_stopped(conn)
    limit = max(0, min(limit, total - offset))
    # Read from the newest end, which the index has first, and turned round.
    return _tasks(conn, newest_first, limit, total - offset - limit)[::-1] if limit else []


def count_tasks(conn: sqlite3.Connection) -> tuple[int, int]:
    """How many wait or are paused, and how many have ended: the latter only as far as they are told of."""
    waiting: int = conn.execute(f"SELECT count(*) FROM downloads WHERE {_WAITING}").fetchone()[0]
    return waiting, _count_stopped(conn)


def _count_stopped(conn: sqlite3.Connection) -> int:
    count: int = conn.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM downloads WHERE {_STOPPED} LIMIT ?)", (MOST_STOPPED,)
    ).fetchone()[0]
    return count


def ids_in(conn: sqlite3.Connection, states: tuple[State, ...]) -> list[str]:
    """The ids of all downloads in these states that wait, run or are paused."""
    marks = ", ".join("?" * len(states))
    rows = conn.execute(f"SELECT n FROM downloads WHERE state IN ({marks}) ORDER BY n", states)
    return [downloads.public_id(n) for (n,) in rows]


def place(conn: sqlite3.Connection, n: int, position: int, origin: str) -> int:
    """Give a waiting download another place in line, and return it.

    `origin` is `POS_SET`, `POS_CUR` or `POS_END`: what the position counts from. Raises WrongStateError
    for one that does not wait, or for a place too far down.
    """
    sql = f"SELECT n FROM downloads WHERE {_WAITING} ORDER BY urgent DESC, n LIMIT ?"
    order = [number for (number,) in conn.execute(sql, (DEEPEST + 1,))]
    if n not in order:
        if conn.execute(f"SELECT 1 FROM downloads WHERE n = ? AND {_WAITING}", (n,)).fetchone():
            raise WrongStateError(f"Only the first {DEEPEST:,} places can be changed.")
        raise WrongStateError(f"{downloads.public_id(n)} does not wait.")
    now = order.index(n)
    base = {"POS_SET": 0, "POS_CUR": now, "POS_END": len(order) - 1}[origin]
    wanted = min(max(0, base + position), len(order) - 1)
    if wanted >= DEEPEST:
        raise WrongStateError(f"Only the first {DEEPEST:,} places can be changed.")
    order.insert(wanted, order.pop(now))
    # Only the rows in front of the change need a number of their own; it is above that of all others.
    last = max(now, wanted)
    moved = order[: last + 1]
    rest = conn.execute(
        "SELECT coalesce(max(urgent), 0) FROM downloads WHERE state IN ('queued', 'paused')"
        " AND n NOT IN (SELECT value FROM json_each(?))",
        (str(moved),),
    ).fetchone()[0]
    above = max(rest, 0)
    conn.executemany(
        "UPDATE downloads SET urgent = ? WHERE n = ?",
        ((above + len(moved) - at, each) for at, each in enumerate(moved)),
    )
    return wanted


def _tasks(conn: sqlite3.Connection, clause: str, *values: int) -> list[Task]:
    return [
        _task(row)
        for row in conn.execute(f"SELECT {_COLUMNS} FROM downloads WHERE {clause}", values)
    ]


def _task(row: sqlite3.Row) -> Task:
    n, gid, *rest = row
    return Task(n, gid or gid_of(n), *rest)
