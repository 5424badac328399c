"""How patient we are, and how much at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience, in seconds, bytes and counts."""

    connect: float = 20.0
    headers: float = 30.0
    """From the request to the end of the response's headers, connecting included, on each hop."""
    stall: float = 60.0
    """The window in which at least `stall` x `slowest` bytes must arrive."""
    slowest: int = 1024
    """Bytes a second; a slower server is given up on, to be tried again later."""
    connections_per_host: int = 16
    buffer: int = 256 * 1024
    """Bytes read in one go on the fast path: what one turn of the loop may handle."""
