"""The status of the agent: one value, folded from events."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from trayagent.model.downloads import Download, State
from trayagent.model.events import (
    DownloadEvent,
    DownloadProgress,
    Event,
    FailuresSeen,
    QueueEvent,
    Tally,
)


class Status(Struct, frozen=True):
    """What `GET status` says."""

    active: int = 0
    queued: int = 0
    """Ready or waiting to be tried."""
    paused: bool = False
    """Whether the whole queue is paused."""
    paused_until: str | None = None
    completed: int = 0
    failed: int = 0
    workers: int = 4
    speed: int = 0
    """Bytes a second, all active downloads together."""
    version: str = ""


SpeedMode = Literal["full", "slow", "clock"]


class Speed(Struct, frozen=True):
    """How fast everything together may be, and why."""

    mode: SpeedMode = "clock"
    """`clock`: slow in the hours of the settings, if there are any, full outside them."""
    limit: int = 0
    """Bytes a second now; 0: none."""
    slow: int = 0
    """Bytes a second when it is slow."""
    hours: str = ""
    days: str = ""
    is_inside: bool = False
    """Whether the hours of the settings are now."""


Plan = Literal["nothing", "notify", "sleep", "shutdown"]
"""What happens when all downloads are done."""


class WhenDone(Struct, frozen=True):
    """What a person asked for, this once, when all downloads are done."""

    plan: Plan = "nothing"
    ends_at: str | None = None
    """When the countdown is over (RFC 3339); None: it has not begun."""


class Board(Struct, frozen=True):
    """The status with the downloads in progress: all that tray and announcer need to know."""

    status: Status
    current: dict[str, Download] = {}
    """Active downloads by id, oldest first."""
    unseen_failures: int = 0
    """How many failed since a person looked; those of an earlier run were told then."""

    def __repr__(self) -> str:
        s = self.status
        return f"<Board {s.active} active, {s.queued} queued, {s.failed} failed{', paused' if s.paused else ''}>"


def fold(board: Board, event: Event) -> Board:
    """The board after an event; the same board when the event does not concern it."""
    match event:
        case DownloadEvent():
            counts = {
                "queued": board.status.queued,
                "active": board.status.active,
                "completed": board.status.completed,
                "failed": board.status.failed,
            }
            # Only the states that the status counts; paused and cancelled ones are in neither number.
            now = "" if event.what == "removed" else str(event.download.state)
            for state, step in ((event.previous, -1), (now, 1)):
                if state in counts:
                    counts[state] += step
            current = dict(board.current)
            if now == State.ACTIVE:
                current[event.download.id] = event.download  # one that is there keeps its place
            else:
                current.pop(event.download.id, None)
            status = msgspec.structs.replace(board.status, **counts)
            is_new_failure = now == State.FAILED and event.previous != State.FAILED
            # One that is tried again, or forgotten, needs nobody any more.
            unseen = min(board.unseen_failures + is_new_failure, max(0, status.failed))
            board = msgspec.structs.replace(board, status=status, unseen_failures=unseen)
            return _with_current(board, current)
        # Numbers of a download that has ended meanwhile must not bring it back.
        case DownloadProgress(id=id) if id in board.current:
            seen = msgspec.structs.replace(
                board.current[id], received=event.received, size=event.size, speed=event.speed
            )
            return _with_current(board, {**board.current, id: seen})
        case FailuresSeen():
            return msgspec.structs.replace(board, unseen_failures=0)
        case Tally(queued=queued, completed=completed):
            status = msgspec.structs.replace(
                board.status,
                queued=board.status.queued + queued,
                completed=board.status.completed + completed,
            )
            return msgspec.structs.replace(board, status=status)
        case QueueEvent(what=what, until=until):
            status = msgspec.structs.replace(
                board.status, paused=what == "paused", paused_until=until
            )
            return msgspec.structs.replace(board, status=status)
        case _:
            return board


def _with_current(board: Board, current: dict[str, Download]) -> Board:
    # Summed anew each time: differences would drift with every event that is lost or comes twice.
    speed = sum(download.speed for download in current.values())
    status = msgspec.structs.replace(board.status, speed=speed)
    return msgspec.structs.replace(board, status=status, current=current)
