"""What a list of downloads shows: which ones, in which order, and how many there are of each sort.

An order is read once, as numbers of rows, and then shown a window at a time: of a hundred thousand
rows only those in sight are ever made into values.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

from trayagent.model.downloads import Download
from trayagent.model.file_types import ENDINGS, type_of
from trayagent.store import batches, downloads
from trayagent.store.claims import READY

NAMES: Final = r"""
ALTER TABLE downloads ADD COLUMN target TEXT GENERATED ALWAYS AS (replace(coalesce(
    path, orders ->> 'filename', rtrim(substr(url, 1, instr(url || '?', '?') - 1), '/')), '\', '/')) VIRTUAL;
ALTER TABLE downloads ADD COLUMN name TEXT GENERATED ALWAYS AS (
    substr(target, length(rtrim(target, replace(target, '/', ''))) + 1)) VIRTUAL;
ALTER TABLE downloads ADD COLUMN ending TEXT GENERATED ALWAYS AS (
    lower(substr(name, length(rtrim(name, replace(name, '.', ''))) + 1))) VIRTUAL;
CREATE INDEX by_name ON downloads(name COLLATE NOCASE);
CREATE INDEX by_ending ON downloads(ending, state);
"""
"""Every row has a name to sort by, and its ending: they follow from the path, else from what was asked for.

`rtrim(x, replace(x, '/', ''))` cuts off what follows the last slash: all letters of x but the slash.
"""

_TARGET: Final = (
    "replace(coalesce({0}path, {0}orders ->> 'filename',"
    r" rtrim(substr({0}url, 1, instr({0}url || '?', '?') - 1), '/')), '\', '/')"
)
_NAME: Final = f"substr({_TARGET}, length(rtrim({_TARGET}, replace({_TARGET}, '/', ''))) + 1)"
_ENDING: Final = "lower(substr(name, length(rtrim(name, replace(name, '.', ''))) + 1))"

NAMES_KEPT: Final = f"""
DROP INDEX by_name;
DROP INDEX by_ending;
ALTER TABLE downloads DROP COLUMN ending;
ALTER TABLE downloads DROP COLUMN name;
ALTER TABLE downloads DROP COLUMN target;
ALTER TABLE downloads ADD COLUMN name TEXT;
ALTER TABLE downloads ADD COLUMN ending TEXT;
UPDATE downloads SET name = {_NAME.format("")};
UPDATE downloads SET ending = {_ENDING};
CREATE INDEX by_name ON downloads(name COLLATE NOCASE);
CREATE INDEX by_ending ON downloads(ending);
CREATE TRIGGER name_at_first AFTER INSERT ON downloads BEGIN
    UPDATE downloads SET name = {_NAME.format("new.")} WHERE n = new.n;
    UPDATE downloads SET ending = {_ENDING} WHERE n = new.n;
END;
CREATE TRIGGER name_again AFTER UPDATE OF path, orders, url ON downloads
WHEN new.name IS NOT {_NAME.format("new.")} BEGIN
    UPDATE downloads SET name = {_NAME.format("new.")} WHERE n = new.n;
    UPDATE downloads SET ending = {_ENDING} WHERE n = new.n;
END;
"""
"""Names and endings are kept in the rows. Computed columns cost more than all else of a claim: SQLite
computes what an index holds, from the row before and from the row after, at every change of a state.
"""

Sort = Literal["queue", "name", "size", "progress", "left", "added"]
SORTS: Final[tuple[str, ...]] = get_args(Sort)

_BY: Final = {
    "name": "name COLLATE NOCASE",
    "size": "size",
    "progress": "CASE WHEN state = 'completed' THEN 1 ELSE coalesce(received * 1.0 / size, 0) END",
    "added": "n",
}
# First what is going on, then what comes next as it will be claimed, then what waits for a person, then
# the past. Each part has an index of its own.
_QUEUE: Final = (
    ("state = 'active'", "started_at, n"),
    (READY, "{turn}"),
    ("state = 'queued' AND not_before IS NOT NULL", "not_before, n"),
    ("state = 'paused'", "n"),
    ("state = 'failed'", "n DESC"),
    ("state IN ('completed', 'cancelled')", "n DESC"),
)
# Hosts take turns, oldest first; what was moved by hand goes before all others, or after them.
_TURNS: Final = "urgent DESC, row_number() OVER (PARTITION BY host ORDER BY n), n"


class Chosen(Struct, frozen=True):
    """Which downloads are meant; all that is given must hold."""

    states: tuple[str, ...] = ()
    type: str | None = None
    batch: str | None = None
    q: str | None = None
    """A part of the name, the address or the path."""

    def clause(self) -> tuple[str, list[object]]:
        """The condition in SQL, and its values. Raises NotFoundError for a batch that cannot be one."""
        clauses, values = ["1"], list[object]()
        if self.states:
            clauses.append(f"state IN ({', '.join('?' * len(self.states))})")
            values += self.states
        if self.batch is not None:
            clauses.append("batch = ?")
            values.append(batches.number(self.batch))
        if self.type is not None:
            # A type that has no endings of its own is the rest: whatever none of the others names.
            known = ENDINGS.get(self.type)
            endings = sorted(known or frozenset().union(*ENDINGS.values()))
            clauses.append(f"ending {'' if known else 'NOT '}IN ({', '.join('?' * len(endings))})")
            values += endings
        if self.q:
            escaped = self.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            parts = (
                "url LIKE ? ESCAPE '\\'",
                "path LIKE ? ESCAPE '\\'",
                "orders LIKE ? ESCAPE '\\'",
            )
            clauses.append(f"({' OR '.join(parts)})")
            values += [f"%{escaped}%"] * len(parts)
        return " AND ".join(clauses), values


def numbers_in_order(
    conn: sqlite3.Connection, chosen: Chosen, sort: Sort, *, down: bool, left: Mapping[int, float]
) -> array[int]:
    """The numbers of all chosen rows in order; `left` tells how many seconds running ones (n) still take."""
    clause, values = chosen.clause()
    if sort == "queue":
        return _in_queue_order(conn, clause, values, down=down)
    by, way = _BY.get(sort, "seconds.value"), "DESC" if down else "ASC"
    source, given = "downloads", values
    if sort == "left":
        source = "downloads LEFT JOIN json_each(?) AS seconds ON CAST(seconds.key AS INTEGER) = n"
        given = [json.dumps({str(n): seconds for n, seconds in left.items()}), *values]
    order = f"{by} {way}"
    if sort not in ("name", "added"):  # these two have an index that is in order already
        # What has no size, or does not run, comes last either way.
        order = f"{by} {way} NULLS LAST, n {way}"
    return _numbers(conn, f"SELECT n FROM {source} WHERE {clause} ORDER BY {order}", given)


def _numbers(conn: sqlite3.Connection, sql: str, values: Sequence[object]) -> array[int]:
    cursor = conn.cursor()
    cursor.row_factory = None  # bare tuples take half the time of rows, and there may be a million
    return array("q", [n for (n,) in cursor.execute(sql, values)])


def _in_queue_order(
    conn: sqlite3.Connection, clause: str, values: Sequence[object], *, down: bool
) -> array[int]:
    # The numbering of each host's rows costs a sort of the whole queue. With one host, as in most long
    # lists, taking turns means nothing.
    hosts = conn.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT host FROM downloads WHERE {READY} LIMIT 2)"
    ).fetchone()[0]
    turn = _TURNS if hosts > 1 else "urgent DESC, n"
    found = array("q")
    for part, order in _QUEUE:
        sql = (
            f"SELECT n FROM downloads WHERE {part} AND {clause} ORDER BY {order.format(turn=turn)}"
        )
        found.extend(_numbers(conn, sql, values))
    if down:
        found.reverse()
    return found


def rows(conn: sqlite3.Connection, numbers: Sequence[int]) -> list[Download]:
    """The downloads behind these numbers, in this order; those removed meanwhile are left out."""
    marks = ", ".join("?" * len(numbers))
    sql = f"SELECT {downloads.COLUMNS} FROM downloads WHERE n IN ({marks})"
    found = {row["n"]: row for row in conn.execute(sql, tuple(numbers))}
    return [downloads.download_of(found[n]) for n in numbers if n in found]


def tally(conn: sqlite3.Connection) -> tuple[Counter[str], Counter[str]]:
    """How many downloads there are in each state, and of each type."""
    states, types = Counter(downloads.counts(conn)), Counter[str]()
    for ending, number in conn.execute("SELECT ending, count(*) FROM downloads GROUP BY ending"):
        types[type_of(ending)] += number
    return states, types
