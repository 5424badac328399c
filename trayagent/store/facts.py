"""The few single values we remember: the pause of the queue, the last port, batches being undone."""

from __future__ import annotations

import sqlite3
from typing import Final

SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

PAUSED: Final = "paused"
"""The queue is paused: `forever`, or until when in Unix seconds."""
PORT: Final = "port"
"""Where the hook listened last."""
SPEED: Final = "speed"
"""Which speed a person chose: `full` or `slow`; none: by the clock."""
WELCOMED: Final = "welcomed"
"""Somebody has seen the welcome page."""


def fact(conn: sqlite3.Connection, name: str) -> str | None:
    """The value of that name, or None."""
    row = conn.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def set_fact(conn: sqlite3.Connection, name: str, value: str | None) -> None:
    """Remember, or with None forget, a single value."""
    if value is None:
        conn.execute("DELETE FROM facts WHERE name = ?", (name,))
    else:
        conn.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def set_once(conn: sqlite3.Connection, name: str) -> bool:
    """Remember that something has happened; False when that was remembered already."""
    if fact(conn, name) is not None:
        return False
    set_fact(conn, name, "yes")
    return True
