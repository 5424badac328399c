"""Lists from the drop folder: how far each is read, and where it is filed.

| state of a list | its row                               | after a kill                              |
|-----------------|---------------------------------------|-------------------------------------------|
| arrived         | none                                  | the folder is scanned at every start      |
| reading         | `position`: the first unread byte     | reading goes on there: a chunk of lines   |
|                 |                                       | and its position are one transaction      |
| waiting         | `position` NULL, the batch unfinished | its downloads go on                       |
| filing          | the batch finished, `place` chosen    | it is filed under the same name again     |
| filed           | `filed` 1                             | nothing is left to do                     |

A list is found by its name in `working/`, which is unique while it is open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from trayagent.model.downloads import Batch, Rejected
from trayagent.model.jobs import New
from trayagent.store import batches, downloads
from trayagent.store.admission import Admission, admit

SCHEMA: Final = """
CREATE TABLE lists (
    batch INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    position TEXT,
    place TEXT,
    filed INTEGER NOT NULL DEFAULT 0
);
-- Its name in working/ is what a list is found by after a kill.
CREATE UNIQUE INDEX open_list ON lists(name) WHERE filed = 0;
"""


class OpenList(Struct, frozen=True):
    """A list that is not filed yet."""

    batch: int
    name: str
    position: str | None
    """Where reading goes on, as JSON; None: every line is in the queue."""
    filed_path: str | None
    """Where it goes, relative to the drop folder, once that is decided."""
    finished: bool
    """Whether every line has its outcome."""


Entering = tuple[int, New | Rejected, str]
"""A line's number, what it asks for or why it is refused, and warnings about it."""


def open_or_begin(conn: sqlite3.Connection, name: str, start: str, now: float) -> OpenList:
    """The list of that name in working/; a new one gets its batch."""
    # A name in working/ is one list's until it is filed, so a list that a kill cut off is found by it.
    found = open_list(conn, name)
    if found is not None:
        return found
    batch = batches.create(conn, name, "drop", now, list_path=name, open=True)
    conn.execute("INSERT INTO lists(batch, name, position) VALUES (?, ?, ?)", (batch, name, start))
    return OpenList(batch, name, start, None, finished=False)


def open_list(conn: sqlite3.Connection, name: str) -> OpenList | None:
    """The open list of that name in working/."""
    row = conn.execute(
        "SELECT lists.*, batches.finished_at FROM lists JOIN batches ON batches.n = lists.batch"
        " WHERE filed = 0 AND name = ?",
        (name,),
    ).fetchone()
    if row is None:
        return None
    finished = row["finished_at"] is not None
    return OpenList(row["batch"], row["name"], row["position"], row["place"], finished)


def open_list_names(conn: sqlite3.Connection) -> list[str]:
    """The names in working/ of all open lists."""
    return [name for (name,) in conn.execute("SELECT name FROM lists WHERE filed = 0")]


def enter_lines(
    conn: sqlite3.Connection,
    batch: int,
    lines: Sequence[Entering],
    position: str,
    admission: Admission,
) -> list[int]:
    """Enter a chunk of lines, and the position behind it, as one transaction.

    A kill can therefore neither lose a line nor enter it twice. Returns the numbers of new downloads.
    """
    # One place before all others for the whole chunk: within it the order is that of the lines.
    if any(isinstance(candidate, New) and candidate.urgent for _, candidate, _ in lines):
        admission = admission.at(downloads.next_urgency(conn))
    # The list may be undone while it is being read: the lines still to come then have their outcome.
    is_undone = batches.is_undone(conn, batch)
    items = [one for _, one, _ in lines if isinstance(one, New) and not is_undone]
    # All at once, which is a few statements, and dealt out again below in the order of the lines.
    admitted = iter(admit(conn, items, admission, batch))
    new: list[int] = []
    waiting: list[tuple[int, str, int, str | None]] = []
    for number, candidate, warnings in lines:
        if is_undone and isinstance(candidate, New):
            candidate = Rejected(number, candidate.url, "cancelled", "The list was undone.")
        if isinstance(candidate, Rejected):
            outcome = "cancelled" if candidate.code == "cancelled" else "rejected"
            why = (candidate.code, candidate.message)
            batches.enter_settled(
                conn, batch, number, candidate.url, outcome, code=why[0], message=why[1]
            )
            continue
        row, what = next(admitted)
        note = warnings or None
        if what == "duplicate":
            batches.enter_settled(
                conn, batch, number, candidate.url, what, path=row["path"], message=note
            )
            continue
        waiting.append((number, candidate.url, row["n"], note))
        if what == "new":
            new.append(row["n"])
    batches.enter(conn, batch, waiting)
    conn.execute("UPDATE lists SET position = ? WHERE batch = ?", (position, batch))
    return new


def mark_read(conn: sqlite3.Connection, batch: int, now: float) -> tuple[Batch, ...]:
    """Note that every line is in the queue; returns the batch if it is finished by that."""
    conn.execute("UPDATE lists SET position = NULL WHERE batch = ?", (batch,))
    return batches.close(conn, batch, now)


def keep_filed_path(conn: sqlite3.Connection, batch: int, filed_path: str) -> None:
    """Note where the list is filed, before anything is written there: a kill then repeats it there."""
    conn.execute("UPDATE lists SET place = ? WHERE batch = ?", (filed_path, batch))


def mark_filed(conn: sqlite3.Connection, batch: int, path: str) -> None:
    """Note that the list and its report are in their place."""
    conn.execute("UPDATE lists SET filed = 1 WHERE batch = ?", (batch,))
    conn.execute("UPDATE batches SET list = ? WHERE n = ?", (path, batch))


def position_json(value: object) -> str:
    """A position as the row keeps it."""
    return msgspec.json.encode(value).decode()
