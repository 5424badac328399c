"""All that the tray shows: one frozen value, folded from events."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from trayagent.model import status
from trayagent.model.downloads import Batch, Download, State
from trayagent.model.events import (
    BatchEvent,
    DownloadEvent,
    DownloadProgress,
    Event,
    Notice,
    SpeedChanged,
    SyncEvent,
    WhenDoneChanged,
)
from trayagent.model.status import Board, Speed, Status, WhenDone

Level = Literal["all", "errors", "none"]
"""Which notices pop up."""

KEPT: Final = 5
"""Recent, failed and told things to remember."""


class SourceView(Struct, frozen=True):
    """What the tray says of a source."""

    name: str
    signed_in: bool = True
    syncing: bool = False
    seen: int = 0
    """Items listed so far by the running sync."""
    missing: int = 0
    error: str | None = None
    """Why the last sync failed."""


class Undo(Struct, frozen=True):
    """The last batch, which can be taken back."""

    batch: str
    title: str
    count: int


class Snapshot(Struct, frozen=True):
    """The state of the agent as the tray shows it. Times are RFC 3339 UTC, sizes bytes."""

    board: Board = Board(Status())
    recent: tuple[Download, ...] = ()
    """Completed downloads, newest first."""
    failed: tuple[Download, ...] = ()
    """Failed downloads, newest first; `board.status.failed` counts all."""
    sources: tuple[SourceView, ...] = ()
    undo: Undo | None = None
    notices: tuple[Notice, ...] = ()
    """What was told lately, newest first: the notifications for whoever has none."""
    speed: Speed = Speed()
    when_done: WhenDone = WhenDone()
    level: Level = "all"
    snoozed_until: str | None = None
    offline: str = ""
    """Why nothing can happen ("Starting…", "No network"); empty when all is well."""
    downloads_folder: str = ""
    drop_folder: str = ""
    library_folder: str = ""


def after(snapshot: Snapshot, event: Event) -> Snapshot:
    """The snapshot after an event; what events do not tell (level, snooze, folders) the app replaces."""
    seen = replace(snapshot, board=status.fold(snapshot.board, event))
    match event:
        case DownloadEvent():
            download = event.download
            recent, failed = (
                tuple(d for d in group if d.id != download.id)
                for group in (seen.recent, seen.failed)
            )
            # Whatever became of it, it stands in one list at most.
            offline = seen.offline
            if event.what == "removed":
                pass
            elif download.state == State.COMPLETED:
                recent, offline = (download, *recent)[:KEPT], ""
            elif download.state == State.FAILED:
                failed = (download, *failed)[:KEPT]
            if (
                # One download that found no network may have met a bad host; while others run, there is one.
                download.state in (State.QUEUED, State.FAILED)
                and download.error
                and download.error.code == "network"
            ):
                offline = "" if seen.board.current else "No network"
            return replace(seen, recent=recent, failed=failed, offline=offline)
        case DownloadProgress():
            # Bytes arrive: there is a network.
            return replace(seen, offline="")
        case SyncEvent():
            return replace(
                seen, sources=tuple(_after_sync(source, event) for source in seen.sources)
            )
        case BatchEvent(what="finished"):
            # A batch that brought no file leaves the offer of the one before: there is something to
            # take back.
            return replace(seen, undo=undo_of(event.batch) or seen.undo)
        case WhenDoneChanged(when_done=when_done):
            return replace(seen, when_done=when_done)
        case SpeedChanged(speed=speed):
            return replace(seen, speed=speed)
        case Notice():
            return replace(seen, notices=(event, *seen.notices)[:KEPT])
        case _:
            return seen


def _after_sync(source: SourceView, event: SyncEvent) -> SourceView:
    if source.name != event.source:
        return source
    run = event.run
    syncing = event.what != "finished"
    error = None if syncing or run.error is None else run.error.message
    # Only the end of a run tells: what was missing has come by then, or has failed.
    missing = source.missing if syncing else run.failed
    return replace(source, syncing=syncing, seen=run.seen, missing=missing, error=error)


def undo_of(batch: Batch) -> Undo | None:
    """What can be taken back of a finished batch: its completed downloads, once."""
    count = 0 if batch.undone_at else batch.counts.get("completed", 0)
    return Undo(batch.id, batch.title or "the last batch", count) if count else None
