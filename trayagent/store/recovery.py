"""What a start needs to know of the run before it, which may have been killed.

A completed download has a record beside its file (`transfer/settled`), which goes a moment after its row
says so. `settled_records` holds the rows whose record may still be there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from trayagent.model.downloads import Download, State
from trayagent.model.errors import NotFoundError
from trayagent.model.jobs import Job
from trayagent.store.claims import job_of
from trayagent.store.downloads import COLUMNS, download_of, number, row_of
from trayagent.store.transitions import begin

SETTLED_RECORDS: Final = """
CREATE TABLE settled_records (n INTEGER PRIMARY KEY);
"""
"""Completed downloads whose record may still lie beside their file: it goes a moment after the row."""


def requeue_active(conn: sqlite3.Connection) -> int:
    """None of our slots is at work any more; engines elsewhere may be."""
    return conn.execute(
        "UPDATE downloads SET state = 'queued' WHERE state = 'active' AND engine IS NULL"
    ).rowcount


def recover(conn: sqlite3.Connection, owners: Iterable[str]) -> list[tuple[Job, Download]]:
    """At a start: what an earlier run was at is queued again.

    `owners` are those of settled records (`transfer/settled`). Returns the downloads among them whose
    rows do not say that they are finished; these are active, and say so.
    """
    requeue_active(conn)
    found: list[tuple[Job, Download]] = []
    for owner in owners:
        with suppress(NotFoundError):  # of another agent, or of `get`
            n = number(owner.partition(" ")[0])
            row = row_of(conn, n)
            if row["state"] == State.QUEUED and download_of(row).owner == owner:
                begin(conn, n, row["started_at"] or row["created_at"])
                found.append(job_of(row_of(conn, n)))
    return found


def settled_records(conn: sqlite3.Connection) -> list[tuple[int, Path, str]]:
    """Completed downloads (n, path, owner) whose record beside the file may have outlived a kill."""
    left = f"SELECT {COLUMNS} FROM settled_records JOIN downloads USING (n) WHERE path IS NOT NULL"
    rows = conn.execute(left)
    return [(row["n"], Path(row["path"]), download_of(row).owner) for row in rows]


def forget_records(conn: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Nothing lies beside the files of these downloads any more."""
    gone = "DELETE FROM settled_records WHERE n IN (SELECT value FROM json_each(?))"
    conn.execute(gone, (json.dumps(numbers),))
