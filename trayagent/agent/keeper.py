"""Keeps the board: the status of the agent, folded from events."""

from __future__ import annotations

import sqlite3
import time

import msgspec

from trayagent.agent.bus import Bus
from trayagent.model.events import Event
from trayagent.model.status import Board, Status, fold
from trayagent.model.times import stamp
from trayagent.store import downloads, facts


def counted(conn: sqlite3.Connection, workers: int, version: str) -> Status:
    """The status at the start, as the store has it; a pause that ran out meanwhile is over."""
    counts = downloads.counts(conn)
    paused = facts.fact(conn, facts.PAUSED)
    until = None if paused in (None, "forever") else float(paused)
    if until is not None and until <= time.time():
        facts.set_fact(conn, facts.PAUSED, None)
        paused = until = None
    return Status(
        # The pool begins with what an earlier run was at, and tells of it like of any other.
        queued=counts.get("queued", 0) + counts.get("active", 0),
        completed=counts.get("completed", 0),
        failed=counts.get("failed", 0),
        paused=paused is not None,
        paused_until=stamp(until),
        workers=workers,
        version=version,
    )


class Keeper:
    """Starts from the store's counts; from then on events are enough."""

    def __init__(self, bus: Bus, start: Status) -> None:
        self.board = Board(start)
        self._place = bus.subscribe(self._hear)

    @property
    def status(self) -> Status:
        """The status now."""
        return self.board.status

    def employ(self, workers: int) -> None:
        """There are so many workers from now on."""
        status = msgspec.structs.replace(self.board.status, workers=workers)
        self.board = msgspec.structs.replace(self.board, status=status)

    def _hear(self, event: Event) -> None:
        self.board = fold(self.board, event)

    def close(self) -> None:
        """Stop listening."""
        self._place.close()
