"""`Idempotency-Key`: the same request asked twice is answered once (kept for 24 hours)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

import msgspec

from trayagent.model.download import Receipt
from trayagent.model.errors import TrayagentError

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
