"""The library in the database: items, with remote and local columns that never mix.

A row is unique by source, account and ident. A listing writes the remote columns only; the outcome of
a download writes the local ones, in the download's own transaction. So a listing can never make us
forget a file, and a failed download never changes what the source has.

| state   | means                                         | becomes                                    |
|---------|-----------------------------------------------|--------------------------------------------|
| missing | listed, no file here                          | present, failed, ignored                   |
| failed  | as missing; the last download failed          | present, ignored; the next run tries again |
| present | its file was saved at `path`                  | missing, when the file went away           |
| ignored | the person took it back: no sync fetches it   | present, when it is asked for by name      |

`gone` stands beside the state: the source no longer lists the item. Its file stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from trayagent.model.downloads import ErrorInfo
from trayagent.model.library import LibraryItem, Listed
from trayagent.model.units import stamp

SCHEMA: Final = """
CREATE TABLE library (
    n INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    account TEXT NOT NULL,
    ident TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created REAL,
    aspect_ratio TEXT,
    media_key TEXT,
    workflow_id TEXT,
    remote_size INTEGER,
    remote_sha256 TEXT,
    link TEXT,
    mark INTEGER NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'missing',
    path TEXT,
    size INTEGER,
    sha256 TEXT,
    arrived_at REAL,
    error TEXT,
    UNIQUE (source, account, ident)
);
CREATE INDEX library_newest ON library(source, created DESC, n DESC);
CREATE INDEX library_state ON library(source, gone, state, created DESC, n DESC);
CREATE INDEX library_media ON library(source, media_key);
CREATE INDEX library_missing ON library(source, n) WHERE state IN ('missing', 'failed');
CREATE INDEX library_present ON library(source, n) WHERE state = 'present';
CREATE INDEX library_names ON library(source, name);
CREATE INDEX library_files ON library(path) WHERE path IS NOT NULL;
"""

_COLUMNS: Final = (
    "n, source, account, ident, name, kind, created, media_key,"
    " remote_size, remote_sha256, link, path, size"
)
"""The fields of `StoredItem`, in order."""

STATE: Final = "CASE WHEN gone THEN 'gone' ELSE state END"
SHOWN: Final = f"*, {STATE} AS shown"


class StoredItem(Struct, frozen=True):
    """An item as its row has it: what the listing said, and where its file is."""

    n: int
    source: str
    account: str
    ident: str
    name: str
    kind: Literal["image", "video", "unknown"]
    created: float | None
    """Unix seconds."""
    media_key: str | None
    remote_size: int | None
    """Bytes that the listing promised."""
    remote_sha256: str | None
    link: str | None
    path: str | None
    size: int | None
    """Bytes of the file that is here."""

    @property
    def key(self) -> str:
        """The identity of the item's download."""
        return item_key(self.source, self.account, self.ident)


def item_key(source: str, account: str, ident: str) -> str:
    """The identity of an item's download."""
    return f"{source}:{account}/{ident}"


def split_key(key: str) -> tuple[str, str, str]:
    """Source, account and ident of a key; accounts hold no slash."""
    # An ident may hold colons and slashes of its own, so the cuts are made from the left.
    source, _, rest = key.partition(":")
    account, _, ident = rest.partition("/")
    return source, account, ident


def upsert_listed(
    conn: sqlite3.Connection, source: str, account: str, items: Iterable[Listed], mark: int
) -> tuple[int, int]:
    """Write a page's remote columns.

    Returns how many items this pass sees for the first time, and how many of them are new.
    """
    seen = new = 0
    for item in items:
        where = (source, account, item.ident)
        old = conn.execute(
            "SELECT mark FROM library WHERE source = ? AND account = ? AND ident = ?", where
        ).fetchone()
        new += old is None
        seen += old is None or old[0] != mark
        # What a listing leaves out this time (`coalesce`) is kept. A media key stays the first one: the
        # file is named by it. Size, checksum and link belong together, so they are replaced, also by NULL.
        conn.execute(
            "INSERT INTO library(source, account, ident, name, kind, created, aspect_ratio, media_key, workflow_id,"
            " remote_size, remote_sha256, link, mark) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source, account, ident) DO UPDATE SET name = excluded.name, kind = excluded.kind,"
            " created = coalesce(excluded.created, created),"
            " aspect_ratio = coalesce(excluded.aspect_ratio, aspect_ratio),"
            " media_key = coalesce(media_key, excluded.media_key),"
            " workflow_id = coalesce(excluded.workflow_id, workflow_id),"
            " remote_size = excluded.remote_size, remote_sha256 = excluded.remote_sha256, link = excluded.link,"
            " mark = excluded.mark, gone = 0",
            (
                *where,
                item.name,
                item.kind,
                item.created,
                item.aspect_ratio,
                item.media_key,
                item.workflow_id,
                item.size,
                item.sha256,
                item.link,
                mark,
            ),
        )
    return seen, new


def listed_item(conn: sqlite3.Connection, key: str) -> Listed | None:
    """What the listing said of the item behind a download's key."""
    where = "source = ? AND account = ? AND ident = ?"
    for item in _items(conn, where, *split_key(key)):
        return Listed(
            item.ident, item.name, item.kind, item.created, media_key=item.media_key, link=item.link
        )
    return None


def items_named(
    conn: sqlite3.Connection, source: str, names: Sequence[str]
) -> tuple[list[StoredItem], list[str]]:
    """Items of a source by name, and the names that no item has."""
    items: list[StoredItem] = []
    unknown = []
    for name in dict.fromkeys(names):
        found = _items(conn, "source = ? AND name = ?", source, name)
        items += found
        if not found:
            unknown.append(name)
    return items, unknown


def items_with_file(
    conn: sqlite3.Connection, source: str, after: int = 0, limit: int = 500
) -> list[StoredItem]:
    """Items of a source whose files should be here, by number."""
    where = "source = ? AND state = 'present' AND n > ? ORDER BY n LIMIT ?"
    return _items(conn, where, source, after, limit)


def items_without_file(
    conn: sqlite3.Connection, source: str, run: int, after: int = 0, limit: int = 500
) -> list[StoredItem]:
    """Items without a file that this run has not yet put into the queue, by number."""
    where = (
        "source = ? AND state IN ('missing', 'failed') AND n > ? AND gone = 0 AND wanted <> ?"
        " ORDER BY n LIMIT ?"
    )
    return _items(conn, where, source, after, run, limit)


def items_by_number(
    conn: sqlite3.Connection, numbers: Sequence[int]
) -> dict[str, list[StoredItem]]:
    """Items by number, for each source."""
    marks = ", ".join("?" * len(numbers))
    found: dict[str, list[StoredItem]] = {}
    for item in _items(conn, f"n IN ({marks})", *numbers):
        found.setdefault(item.source, []).append(item)
    return found


def item_of_id(conn: sqlite3.Connection, source: str, id: str) -> StoredItem | None:
    """The item with this media key, else with this name; one whose file is here first."""
    # A media key is one item's alone; a name may be several items', and then the one with a file is meant.
    for column in ("media_key", "name"):
        where = f"source = ? AND {column} = ? ORDER BY path IS NULL LIMIT 1"
        if found := _items(conn, where, source, id):
            return found[0]
    return None


def _items(conn: sqlite3.Connection, where: str, *values: object) -> list[StoredItem]:
    rows = conn.execute(f"SELECT {_COLUMNS} FROM library WHERE {where}", values)
    return [StoredItem(*row) for row in rows]


# -- local columns: written by outcomes only


def mark_present(
    conn: sqlite3.Connection, key: str, path: str, size: int, sha256: str | None, now: float
) -> None:
    """Note that the item's file is published."""
    conn.execute(
        "UPDATE library SET state = 'present', path = ?, size = ?, sha256 = ?, arrived_at = ?, error = NULL"
        " WHERE source = ? AND account = ? AND ident = ?",
        (path, size, sha256, now, *split_key(key)),
    )


def mark_failed(conn: sqlite3.Connection, key: str, error: str) -> None:
    """Note that the item could not be fetched; `error` is the JSON of an ErrorInfo.

    An item that is present stays so: a repair that failed does not lose the file.
    """
    conn.execute(
        "UPDATE library SET state = 'failed', error = ? WHERE source = ? AND account = ? AND ident = ?"
        " AND state IN ('missing', 'failed')",
        (error, *split_key(key)),
    )


def is_present(conn: sqlite3.Connection, key: str) -> bool:
    """Whether the item is here, as far as we know."""
    row = conn.execute(
        "SELECT 1 FROM library WHERE source = ? AND account = ? AND ident = ? AND state = 'present'",
        split_key(key),
    ).fetchone()
    return row is not None


def mark_ignored(conn: sqlite3.Connection, key: str) -> None:
    """Note that the person does not want the item: no sync fetches it again by itself."""
    # Its file has gone to the trash by now, so nothing that is said of a file may stay.
    conn.execute(
        "UPDATE library SET state = 'ignored', path = NULL, size = NULL, sha256 = NULL, error = NULL"
        " WHERE source = ? AND account = ? AND ident = ?",
        split_key(key),
    )


def keep_checksum(conn: sqlite3.Connection, key: str, path: str, sha256: str) -> None:
    """Note the checksum of a saved file, computed afterwards."""
    # With the path: another file may have taken the place while the first was being read.
    conn.execute(
        "UPDATE library SET sha256 = ? WHERE source = ? AND account = ? AND ident = ? AND path = ?",
        (sha256, *split_key(key), path),
    )


def mark_missing(conn: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Note that files are no longer where they were saved: the next run fetches them again."""
    conn.executemany(
        "UPDATE library SET state = 'missing', path = NULL, size = NULL, sha256 = NULL"
        " WHERE n = ? AND state = 'present'",
        ((n,) for n in numbers),
    )


def adopt_file(
    conn: sqlite3.Connection, n: int, path: str, size: int, sha256: str | None, now: float
) -> bool:
    """Give a file that was already on the disk to the item, unless another item has it. True if it did."""
    # Two items of one name may fit one stray file; the first takes it, the other is fetched.
    changed = conn.execute(
        "UPDATE library SET state = 'present', path = ?, size = ?, sha256 = ?, arrived_at = ?, error = NULL"
        " WHERE n = ? AND NOT EXISTS (SELECT 1 FROM library WHERE path = ?)",
        (path, size, sha256, now, n, path),
    )
    return changed.rowcount == 1


def paths_of_items(conn: sqlite3.Connection, paths: Sequence[str]) -> set[str]:
    """Those of the paths that belong to an item."""
    marks = ", ".join("?" * len(paths))
    return {
        path
        for (path,) in conn.execute(
            f"SELECT path FROM library WHERE path IN ({marks})", tuple(paths)
        )
    }


def mark_queued(conn: sqlite3.Connection, run: int, numbers: Iterable[int]) -> None:
    """Note that the run has put these items into the queue: it asks for each of them once."""
    conn.executemany("UPDATE library SET wanted = ? WHERE n = ?", ((run, n) for n in numbers))


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
        arrived_at=stamp(row["arrived_at"]),
    )


def page(
    conn: sqlite3.Connection,
    source: str,
    *,
    state: str | None = None,
    limit: int = 100,
    after: str | None = None,
    new: bool = False,
) -> tuple[list[LibraryItem], str | None]:
    """Items, newest first, and what to continue `after`, or None; `new`: since the last sync began."""
    clauses, values = ["source = ?"], list[object]([source])
    if state == "gone":
        clauses.append("gone = 1")
    elif state is not None:
        clauses += ["gone = 0", "state = ?"]
        values.append(state)
    if new:  # its file came with the newest run, or after it
        clauses.append("arrived_at >= (SELECT max(started_at) FROM sync_runs WHERE source = ?)")
        values.append(source)
    if after is not None:
        created, n = _place(after)
        # A position is a date and a number, not an offset: a sync may add items while a person pages.
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
    # The token of a page: the last item's date, which may be unknown, and its number; `_place` reads it.
    token = f"{'' if last['created'] is None else last['created']}.{last['n']}" if last else None
    return [item_of(row) for row in rows[:limit]], token


def _place(after: str) -> tuple[float | None, int]:
    created, _, n = after.rpartition(".")
    try:
        return (float(created) if created else None), int(n)
    # A token that we did not make: the list ends there.
    except ValueError:
        return None, 0


def counts(conn: sqlite3.Connection, source: str) -> dict[str, int]:
    """How many items of a source are in each state."""
    sql = f"SELECT {STATE} AS shown, count(*) FROM library WHERE source = ? GROUP BY shown"
    return dict(conn.execute(sql, (source,)).fetchall())


def paths_of_numbers(conn: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, str]:
    """Where the files of these rows are, as far as they are here."""
    marks = ", ".join("?" * len(numbers))
    rows = conn.execute(
        f"SELECT n, path FROM library WHERE n IN ({marks}) AND path IS NOT NULL", tuple(numbers)
    )
    return dict(rows.fetchall())
