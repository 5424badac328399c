"""How long a caller waits for the database: as long as it takes, or a few seconds where a person waits.

A request of the hook is answered within seconds, also while another program has the database locked
or its disk hangs. What nobody waits for (a finished download, a line of a list) waits as long as it takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

REQUEST_SECONDS: Final = 4.0
"""What a request may wait for one transaction; it has 5 s for everything."""

_limit: ContextVar[tuple[float, asyncio.Task[object] | None] | None] = ContextVar(
    "database patience", default=None
)


@contextmanager
def waiting_at_most(seconds: float) -> Iterator[None]:
    """Inside, and in this task only, no transaction is waited for longer.

    Tasks that are started inside copy the context, but outlive the request: they wait as long as it takes.
    """
    before = _limit.set((seconds, asyncio.current_task()))
    try:
        yield
    finally:
        _limit.reset(before)


def seconds_to_wait() -> float | None:
    """What the running task may wait for one transaction; None: as long as it takes."""
    limit = _limit.get()
    if limit is None or limit[1] is not asyncio.current_task():
        return None
    return limit[0]
