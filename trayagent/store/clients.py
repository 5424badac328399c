"""Clients that may ask us: browser extensions, dashboards, foreign programs.

A token is kept as its digest, never as itself.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from msgspec import Struct

from trayagent.model.access import ClientKind
from trayagent.model.errors import NotFoundError

SCHEMA: Final = """
CREATE TABLE clients (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,
    created_at REAL NOT NULL,
    last_seen REAL
) WITHOUT ROWID;
"""

KINDS: Final = """
ALTER TABLE clients ADD COLUMN kind TEXT NOT NULL DEFAULT 'session';
UPDATE clients SET kind = 'extension' WHERE origin <> '';
"""
"""Until then an origin alone told a paired browser from a dashboard."""


class ClientRow(Struct, frozen=True):
    """A client. `digest` is the SHA-256 of its token; `salt` makes the token again with the agent's key."""

    # Whoever reads the database learns no token: the salt and the agent's own key make it again, and
    # neither alone does.

    id: str
    name: str
    origin: str
    salt: bytes
    digest: bytes
    created_at: float
    last_seen: float | None = None
    kind: ClientKind = "session"


def add(conn: sqlite3.Connection, client: ClientRow) -> None:
    """Remember a new client."""
    conn.execute(
        "INSERT INTO clients(id, name, origin, salt, digest, created_at, last_seen, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            client.id,
            client.name,
            client.origin,
            client.salt,
            client.digest,
            client.created_at,
            client.last_seen,
            client.kind,
        ),
    )


def all_clients(conn: sqlite3.Connection) -> list[ClientRow]:
    """All clients, the oldest first."""
    rows = conn.execute(
        "SELECT id, name, origin, salt, digest, created_at, last_seen, kind FROM clients ORDER BY created_at"
    )
    return [ClientRow(*row) for row in rows]


def revoke(conn: sqlite3.Connection, id: str) -> None:
    """Forget a client; raises NotFoundError."""
    if not conn.execute("DELETE FROM clients WHERE id = ?", (id,)).rowcount:
        raise NotFoundError("not_found", "There is no such client.", "See: trayagent pair --list")


def note_contact(conn: sqlite3.Connection, id: str, now: float) -> None:
    """Note when a client last spoke to us."""
    conn.execute("UPDATE clients SET last_seen = ? WHERE id = ?", (now, id))
