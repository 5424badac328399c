"""Times as people and programs write them (RFC 3339, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(seconds: float | None) -> str | None:
    """RFC 3339 UTC with milliseconds of Unix seconds; None stays None."""
    if seconds is None:
        return None
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
