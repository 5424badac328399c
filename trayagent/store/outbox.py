"""What the webhook is still to be told: one note for each end of a batch or of a single download.

Triggers write the notes, so each is part of the transaction that it is about, whichever function makes
the download end: no kill comes between an end and its note. A note goes once its POST was taken or
given up. A kill between that answer and the removal of the note has the POST made a second time.

The words of a message are made when it is told, from the rows as they are then. A note whose row was
removed meanwhile, or is in another state (retried, say), has nothing to tell any more.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Batch, Download
from trayagent.model.errors import NotFoundError
from trayagent.store import batches, downloads, facts

SCHEMA: Final = """
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    download INTEGER,
    state TEXT,
    batch INTEGER,
    at REAL NOT NULL
);
-- Without a webhook in the settings nothing is written: each end then costs one look for the fact.
CREATE TRIGGER note_download AFTER UPDATE OF state ON downloads
WHEN NEW.batch IS NULL AND NEW.state IN ('completed', 'failed') AND NEW.state <> OLD.state
    AND EXISTS (SELECT 1 FROM facts WHERE name = 'webhook')
BEGIN
    INSERT INTO outbox(download, state, at) VALUES (NEW.n, NEW.state, (julianday('now') - 2440587.5) * 86400.0);
END;
CREATE TRIGGER note_batch AFTER UPDATE OF finished_at ON batches
WHEN OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
    AND EXISTS (SELECT 1 FROM facts WHERE name = 'webhook')
BEGIN
    INSERT INTO outbox(batch, at) VALUES (NEW.n, (julianday('now') - 2440587.5) * 86400.0);
END;
"""

WEBHOOK: Final = "webhook"
"""The fact that there is one to be told."""


class Note(Struct, frozen=True):
    """One end that the webhook has not taken yet."""

    number: int
    """Never given twice, so a receiver knows by it what it has been told already."""
    at: float
    """When it ended, in Unix seconds."""
    ended: Download | Batch | None
    """As its row is now; None: there is nothing to tell any more."""


def prepare(conn: sqlite3.Connection, *, is_on: bool, oldest: float) -> None:
    """Begin or stop to take notes; what ended before `oldest` (Unix seconds) is told no more."""
    facts.set_fact(conn, WEBHOOK, "on" if is_on else None)
    conn.execute("DELETE FROM outbox WHERE at < ? OR NOT ?", (oldest, is_on))


def first(conn: sqlite3.Connection) -> Note | None:
    """The note that has waited longest."""
    row = conn.execute("SELECT * FROM outbox ORDER BY number LIMIT 1").fetchone()
    if row is None:
        return None
    return Note(row["number"], row["at"], _subject(conn, row))


def _subject(conn: sqlite3.Connection, row: sqlite3.Row) -> Download | Batch | None:
    if row["batch"] is not None:
        try:
            return batches.get(conn, batches.public_id(row["batch"]))
        except NotFoundError:
            return None
    found = downloads.row_or_none(conn, row["download"])
    # Tried again or forgotten since: that end is no news any more.
    if found is None or found["state"] != row["state"]:
        return None
    return downloads.download_of(found)


def end(conn: sqlite3.Connection, number: int, most: int) -> None:
    """A note is told or given up; of the others the newest `most` stay."""
    # A receiver that is away for weeks must not fill the disk.
    newest = "(SELECT max(number) FROM outbox)"
    conn.execute(
        f"DELETE FROM outbox WHERE number = ? OR number <= {newest} - ?",
        (number, most),
    )
