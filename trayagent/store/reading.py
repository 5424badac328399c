"""A look into the database from another process: read-only, and harmless to whoever writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trayagent.store.schema import MIGRATIONS


def reading(path: Path) -> sqlite3.Connection | None:
    """A read-only connection; None when there is no database yet, or none we understand."""
    if not path.exists():
        return None
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        conn.row_factory = sqlite3.Row
        conn.execute("SELECT 1 FROM downloads LIMIT 1")
    except sqlite3.Error:
        return None
    return conn


def damage(path: Path) -> str | None:
    """What is wrong with a database file, in a few words; None when it is sound."""
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            found: str = conn.execute("PRAGMA quick_check(1)").fetchone()[0]
            version: int = conn.execute("PRAGMA user_version").fetchone()[0]
        finally:
            conn.close()
    except sqlite3.Error as error:
        return str(error)
    if version > len(MIGRATIONS):
        return "it was made by a newer trayagent"
    return None if found == "ok" else found
