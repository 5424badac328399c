"""Times as people and programs write them (RFC 3339, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


def stamp(seconds: float | None) -> str | None:
    """RFC 3339 UTC with milliseconds of Unix seconds; None stays None."""
    if seconds is None:
        return None
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micro // 1000:03}Z"


@lru_cache(maxsize=64)  # what happens happens many times a second
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).replace(tzinfo=None).isoformat()
