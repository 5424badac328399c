"""What the icon says without a click: its shape and its tooltip."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from trayagent.desktop.tray import wording
from trayagent.desktop.tray.menu import summary
from trayagent.desktop.tray.snapshot import Snapshot

Shape = Literal["idle", "active", "paused", "error", "offline"]
SHAPES: Final[tuple[Shape, ...]] = ("idle", "active", "paused", "error", "offline")

STEP: Final = 5
"""Percent; a finer arc would only cost repaints."""


class Face(Struct, frozen=True):
    """A shape and, for `active`, how far the downloads have come, in percent in steps of 5."""

    shape: Shape
    progress: int = 0


def icon_state(snapshot: Snapshot) -> Face:
    """The icon for this state."""
    status = snapshot.board.status
    if snapshot.offline:
        return Face("offline")
    if status.paused:
        return Face("paused")
    if status.active:
        return Face("active", _progress(snapshot))
    if any(source.syncing for source in snapshot.sources):
        return Face("active")
    if status.failed:
        return Face("error")
    return Face("idle")


def tooltip(snapshot: Snapshot) -> str:
    """The state in words, short enough for every desktop (127 UTF-16 units on Windows)."""
    status = snapshot.board.status
    parts = [f"trayagent — {summary(snapshot)}"]
    if status.active and not status.paused and not snapshot.offline:
        parts.append(f"{_progress(snapshot)} % done")
    if status.failed and "failed" not in parts[0]:
        parts.append(f"{status.failed} failed")
    return wording.middle(" · ".join(parts), 100)


def _progress(snapshot: Snapshot) -> int:
    known = [d for d in snapshot.board.current.values() if d.size]
    total = sum(d.size or 0 for d in known)
    done = sum(d.received for d in known)
    return min(100, done * 100 // total) // STEP * STEP if total else 0
