"""Times as people and programs write them (RFC 3339, UTC)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def stamp(seconds: float | None) -> str | None:
    """RFC 3339 UTC with milliseconds of Unix seconds; None stays None."""
    if seconds is None:
        return None
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{micro // 1000:03}Z"


@lru_cache(maxsize=64)  # what happens happens many times a second
def _second(whole: int) -> str:
    # Not fromtimestamp: on Windows it knows nothing before 1970.
    return (_EPOCH + timedelta(seconds=whole)).replace(tzinfo=None).isoformat()
