"""When to try again: exponential back-off with jitter, and the server's own wish."""

from __future__ import annotations

from typing import Final

from trayagent.model.units import seconds_of

FIRST_SECONDS: Final = 2.0
"""Seconds before the second try, before jitter."""
LONGEST_SECONDS: Final = 3600.0
"""Seconds; nobody is waited for longer, whatever he says."""


def delay(attempt: int, *, retry_after: float | None = None, rand: float) -> float:
    """Seconds to wait after the failed try number `attempt` (from 1); `rand` is in [0, 1).

    The server's `retry_after` is kept as a minimum; then a little jitter keeps clients apart.
    """
    backoff = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(max(attempt - 1, 0), 32)) * (
        0.5 + 0.5 * rand
    )
    if retry_after is None or retry_after <= backoff:
        return backoff
    return min(LONGEST_SECONDS, retry_after + rand * min(5.0, 0.1 * retry_after))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` (Unix time) that a Retry-After header asks for (RFC 9110 §10.2.3).

    Both forms; a past date is 0, more than an hour is an hour, nonsense is None.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(LONGEST_SECONDS, float(value[:12]))
    until = seconds_of(value)
    return None if until is None else min(LONGEST_SECONDS, max(0.0, until - now))
