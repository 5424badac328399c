"""A look into the database from another process: read-only, and harmless to whoever writes."""

from __future__ import annotations

import sqlite3
from pathlib import Path


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
