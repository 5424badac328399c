"""How an item enters the queue: once, whoever asks and however often."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec

from trayagent.model.downloads import Receipt, Via
from trayagent.model.errors import TrayagentError
from trayagent.model.jobs import New
from trayagent.store import batches, downloads, library
from trayagent.store.secrets import SecretFiles

Outcome = Literal["new", "shared", "duplicate"]


@dataclass(frozen=True, slots=True)
class Admission:
    """What admitting needs beside the item itself."""

    via: Via
    now: float
    exists: Callable[[str], bool]
    """Whether a path still holds its file; it must know that, not find it out: the database waits."""
    secrets: SecretFiles
    urgent: int = 0

    def at(self, urgent: int) -> Admission:
        """The same, for items that go to the front of the queue."""
        return replace(self, urgent=urgent) if urgent else self


@dataclass(frozen=True, slots=True)
class Admitted:
    """The download that serves an item, and whether it is new."""

    n: int
    outcome: Outcome
    path: str | None = None


def saved_paths(conn: sqlite3.Connection, items: Iterable[New]) -> list[str]:
    """The files that would make these items duplicates, if they are still there."""
    return [
        path
        for new in items
        if not new.again or _came_meanwhile(conn, new)
        for path in downloads.paths_of_completed(conn, new.key)
    ]


def admit(conn: sqlite3.Connection, new: New, admission: Admission, batch: int | None) -> Admitted:
    """Queue the item, or find the download that is already on its way or already done."""
    row = downloads.row_in_flight(conn, new.key)
    if row is not None:
        return Admitted(row["n"], "shared")
    if not new.again or _came_meanwhile(conn, new):
        row = downloads.row_with_file(conn, new.key, admission.exists)
        if row is not None:
            return Admitted(row["n"], "duplicate", row["path"])
    urgent = admission.urgent if new.urgent else 0
    n = downloads.insert(conn, new, admission.via, batch, urgent, admission.now)
    admission.secrets.keep(downloads.public_id(n), new.secrets)
    return Admitted(n, "new")


def _came_meanwhile(conn: sqlite3.Connection, new: New) -> bool:
    """Whether a synced item that was missing when it was listed has arrived since."""
    return new.source is not None and library.is_present(conn, new.key)


def admit_line(
    conn: sqlite3.Connection, batch: int, line: int, new: New, admission: Admission
) -> Admitted:
    """Admit one entry of a batch and note what became, or is to become, of it."""
    admitted = admit(conn, new, admission, batch)
    if admitted.outcome == "duplicate":
        batches.enter_settled(conn, batch, line, new.url, "duplicate", path=admitted.path)
    else:
        batches.enter(conn, batch, line, new.url, admitted.n)
    return admitted


SCHEMA: Final = """
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY, body TEXT NOT NULL, receipt BLOB NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
"""

KEPT: Final = 24 * 3600.0


class KeyReusedError(TrayagentError):
    """The key came with another body (HTTP 409)."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The key with its sender, and a digest of the body it came with."""

    key: str
    body: str


def recall(conn: sqlite3.Connection, key: IdempotencyKey, now: float) -> Receipt | None:
    """The receipt given before; raises KeyReusedError when the body was another."""
    conn.execute("DELETE FROM idempotency WHERE at < ?", (now - KEPT,))
    row = conn.execute("SELECT body, receipt FROM idempotency WHERE key = ?", (key.key,)).fetchone()
    if row is None:
        return None
    if row["body"] != key.body:
        raise KeyReusedError(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request.",
            "Use a new key.",
        )
    return msgspec.json.decode(row["receipt"], type=Receipt)


def remember(conn: sqlite3.Connection, key: IdempotencyKey, receipt: Receipt, now: float) -> None:
    """Keep the receipt, in the transaction that made it true."""
    conn.execute(
        "INSERT INTO idempotency VALUES (?, ?, ?, ?)",
        (key.key, key.body, msgspec.json.encode(receipt), now),
    )


def ids_sent_by(conn: sqlite3.Connection, sender: str) -> list[str]:
    """The downloads that a sender's requests began while their keys are kept, newest first."""
    rows = conn.execute(
        "SELECT receipt FROM idempotency WHERE key GLOB ? ORDER BY at DESC", (f"{sender}:*",)
    )
    receipts = [msgspec.json.decode(row["receipt"], type=Receipt) for row in rows]
    began = (
        download
        for receipt in receipts
        for download in reversed(receipt.downloads)
        if download.via == "extension" and download.duplicate_of is None
    )
    return list(dict.fromkeys(download.id for download in began))
