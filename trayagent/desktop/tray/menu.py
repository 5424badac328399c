"""The menu as data: a snapshot in, rows out. Its shape never changes, so an open menu stays open.

Whatever does not apply is hidden or disabled, never left out: a host that is told about changed
texts only redraws them, while one that is told about another layout closes the menu.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from trayagent.desktop.tray import wording
from trayagent.desktop.tray.snapshot import KEPT, Snapshot, SourceView
from trayagent.desktop.tray.tray import Actions
from trayagent.model.downloads import Download
from trayagent.model.events import Notice

SEATS: Final = 5
"""Active downloads with a row of their own."""

Seating = tuple[str | None, ...]
"""Which download has which row: one keeps its row while it is active, so that nobody cancels another."""

Shape = Literal["idle", "active", "paused", "error", "offline"]
SHAPES: Final[tuple[Shape, ...]] = ("idle", "active", "paused", "error", "offline")

STEP: Final = 5
"""Percent; a finer arc would only cost repaints."""


class Do(Struct, frozen=True):
    """A call to make: the name of a method of `Actions` and its arguments; values, so that rows compare."""

    name: str
    args: tuple[str | int | None, ...] = ()

    def perform(self, actions: Actions) -> None:
        """Make the call."""
        getattr(actions, self.name)(*self.args)


class Row(Struct, frozen=True):
    """One row of the menu; `label` is shown as it is."""

    label: str = ""
    do: Do | None = None
    """What a click does."""
    enabled: bool = True
    visible: bool = True
    checked: bool | None = None
    """None: no check mark; otherwise a radio button, checked or not."""
    default: bool = False
    """What a left click on the icon does."""
    rows: tuple[Row, ...] = ()


LINE: Final = Row(label="-")
"""A separator."""


def seat(previous: Seating, current: Iterable[str]) -> Seating:
    """Rows for the active downloads: who has one keeps it, the others take free ones."""
    wanted = tuple(current)
    kept = [id if id in wanted else None for id in previous] or [None] * SEATS
    waiting = iter([id for id in wanted if id not in kept])
    return tuple(id or next(waiting, None) for id in kept)


def rows(snapshot: Snapshot, seating: Seating = ()) -> tuple[Row, ...]:
    """The whole menu."""
    current = snapshot.board.current
    seated = seating or seat((), current)
    status = snapshot.board.status
    more = len(current) - sum(id in current for id in seated)
    return (
        Row("Open dashboard", Do("open_dashboard"), default=True),
        LINE,
        Row(summary(snapshot), enabled=False),
        *(_active(current.get(id or "")) for id in seated),
        Row(f"{more} more…", Do("open_dashboard"), visible=more > 0),
        LINE,
        Row("Add from clipboard", Do("add_from_clipboard")),
        *_sources(snapshot.sources),
        LINE,
        _pause(visible=not status.paused),
        Row("Resume downloads", Do("resume_queue"), visible=status.paused),
        LINE,
        Row("Recent files", rows=_recent(snapshot)),
        Row(f"Failed ({status.failed})", visible=status.failed > 0, rows=_failed(snapshot.failed)),
        _undo(snapshot),
        _folder("Open download folder", snapshot.downloads_folder),
        _folder("Open drop folder", snapshot.drop_folder),
        LINE,
        Row("Send from browser…", Do("pair_browser")),
        Row("Notifications", rows=_notifications(snapshot)),
        Row("Settings…", Do("open_settings")),
        LINE,
        Row("Quit", Do("quit")),
    )


def summary(snapshot: Snapshot) -> str:
    """The status in a line."""
    status = snapshot.board.status
    waiting = f"{status.queued} waiting" if status.queued else ""
    if snapshot.offline:
        return wording.middle(_joined(wording.plain(snapshot.offline), waiting))
    if status.paused:
        until = f" until {wording.clock(status.paused_until)}" if status.paused_until else ""
        return _joined(f"Paused{until}", waiting)
    if status.active:
        rest = waiting or wording.left(snapshot.board.current.values())
        return _joined(f"{status.active} active", wording.rate(status.speed), rest)
    syncing = next((source for source in snapshot.sources if source.syncing), None)
    if syncing:
        return wording.middle(f"Listing {syncing.name}: {syncing.seen} items")
    return _joined("Idle", waiting, f"{status.failed} failed" if status.failed else "")


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _folder(label: str, path: str) -> Row:
    return Row(label, Do("open_folder", (path,)), enabled=bool(path))


def _active(download: Download | None) -> Row:
    id = download.id if download else ""
    label = wording.titled(wording.name(download), wording.progress(download)) if download else ""
    place = download.path if download and download.path else ""
    return Row(
        label,
        visible=download is not None,
        rows=(
            Row("Pause", Do("pause", (id,))),
            Row("Cancel", Do("cancel", (id,))),
            Row("Open folder", Do("open_folder", (place,)), enabled=bool(place)),
        ),
    )


def _sources(sources: Sequence[SourceView]) -> tuple[Row, ...]:
    ready = any(source.signed_in and not source.syncing for source in sources)
    return (
        Row("Sync all images", Do("sync", (None,)), enabled=ready, visible=bool(sources)),
        *(_source(source) for source in sources),
        Row("Set up images…", Do("set_up_images"), visible=not sources),
    )


def _source(source: SourceView) -> Row:
    if source.syncing:
        return Row(wording.titled(f"Syncing {source.name}", f"{source.seen} items"), enabled=False)
    if not source.signed_in:
        return Row(wording.middle(f"Sign in to {source.name}…"), Do("set_up_images"))
    fact = "failed" if source.error else f"{source.missing} missing" if source.missing else ""
    return Row(wording.titled(f"Sync {source.name}", fact), Do("sync", (source.name,)))


def _pause(*, visible: bool) -> Row:
    return Row(
        "Pause downloads",
        visible=visible,
        rows=(
            Row("For 30 minutes", Do("pause_queue", (30,))),
            Row("For 1 hour", Do("pause_queue", (60,))),
            Row("Until tomorrow", Do("pause_until_tomorrow")),
            Row("Until resumed", Do("pause_queue", (None,))),
        ),
    )


def _padded(filled: Sequence[Row], count: int, filler: Row) -> tuple[Row, ...]:
    return (*filled[:count], *(filler for _ in range(count - len(filled))))


def _recent(snapshot: Snapshot) -> tuple[Row, ...]:
    files = [
        Row(wording.middle(wording.name(d)), Do("open_file", (d.path or "",)), enabled=bool(d.path))
        for d in snapshot.recent
    ]
    return (
        Row("Nothing yet", enabled=False, visible=not files),
        *_padded(files, KEPT, Row(visible=False)),
    )


def _failed(failed: Sequence[Download]) -> tuple[Row, ...]:
    blank = Row(visible=False, rows=(Row("Retry", enabled=False), Row("Why?", enabled=False)))
    reasons = [
        Row(
            wording.titled(wording.name(d), (d.error.code if d.error else "").replace("_", " ")),
            rows=(
                Row("Retry", Do("retry", (d.id,))),
                Row("Why?", Do("why", (d.id,))),
            ),
        )
        for d in failed
    ]
    return (Row("Retry all", Do("retry_failed")), LINE, *_padded(reasons, KEPT, blank))


def _undo(snapshot: Snapshot) -> Row:
    undo = snapshot.undo
    if undo is None:
        return Row("Undo", visible=False)
    files = "1 file" if undo.count == 1 else f"{undo.count} files"
    return Row(
        wording.titled(f"Undo {wording.plain(undo.title)}", files), Do("undo", (undo.batch,))
    )


def _notifications(snapshot: Snapshot) -> tuple[Row, ...]:
    levels = (("all", "Everything"), ("errors", "Problems only"), ("none", "Nothing"))
    until = snapshot.snoozed_until
    awake = f"Snoozed until {wording.clock(until)} – wake" if until else "Wake"
    told = [_told(notice) for notice in snapshot.notices]
    return (
        *(
            Row(label, Do("set_notifications", (level,)), checked=snapshot.level == level)
            for level, label in levels
        ),
        LINE,
        Row("Snooze for 1 hour", Do("snooze", (60,)), visible=not until),
        Row(awake, Do("snooze", (0,)), visible=bool(until)),
        Row("Lately", enabled=False, visible=bool(told)),
        *_padded(told, KEPT, Row(visible=False)),
    )


def _told(notice: Notice) -> Row:
    """A notice of the past; a click does what a click on the popup did."""
    first = notice.actions[0] if notice.actions else None
    label = wording.middle(wording.plain(notice.title))
    return Row(
        label, Do("follow", (first.do, first.id)) if first else None, enabled=first is not None
    )


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
