"""The schema, one script a version (`PRAGMA user_version`); a released script is never edited."""

from __future__ import annotations

from trayagent.store import (
    batches,
    clients,
    downloads,
    facts,
    idempotency,
    library,
    lists,
    runs,
    transitions,
)

MIGRATIONS = (
    downloads.SCHEMA
    + facts.SCHEMA
    + batches.SCHEMA
    + lists.SCHEMA
    + idempotency.SCHEMA
    + clients.SCHEMA
    + library.SCHEMA
    + runs.SCHEMA,
    downloads.UNREADABLE,
    transitions.SETTLED_RECORDS,
)
"""Script i brings version i to version i+1."""
