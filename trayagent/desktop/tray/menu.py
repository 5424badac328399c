"""The menu as data: a snapshot in, rows out. Its shape never changes, so an open menu stays open.

Whatever does not apply is hidden or disabled, never left out: a host that is told about changed
texts only redraws them, while one that is told about another layout closes the menu.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from trayagent.desktop.tray.snapshot import KEPT, Snapshot, SourceView
from trayagent.desktop.tray.tray import Actions
from trayagent.model.downloads import Download
from trayagent.model.events import Notice
from trayagent.model.status import Speed, WhenDone
from trayagent.model.wording import (
    NEEDS_YOU,
    STATE_WORDS,
    name_of,
    percent,
    printable,
    shorten,
    shorten_apart,
    show_clock,
    show_count,
    show_size,
    show_speed,
)

LABEL_CHARACTERS: Final = 40
"""At most, in a row of the menu: a menu as wide as its longest name would hide the screen."""

ACTIVE_ROWS: Final = 5
"""Active downloads with a row of their own."""

Seating = tuple[str | None, ...]
"""Which download has which row: one keeps its row while it is active, so that nobody cancels another."""

Shape = Literal["idle", "active", "paused", "error", "offline"]
SHAPES: Final[tuple[Shape, ...]] = ("idle", "active", "paused", "error", "offline")

ARC_STEP_PERCENT: Final = 5
"""A finer arc on the icon would only cost repaints."""


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
    # A row that is free stays free: moving the rows up would put another download under the hand.
    wanted = tuple(current)
    kept = [id if id in wanted else None for id in previous] or [None] * ACTIVE_ROWS
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
        *_active_rows([current.get(id or "") for id in seated]),
        Row(f"{more} more…", Do("open_dashboard"), visible=more > 0),
        LINE,
        Row("Add from clipboard", Do("add_from_clipboard")),
        *_sources(snapshot.sources),
        LINE,
        # Both rows are always there, one of them hidden: the shape must not change.
        Row(
            "Pause downloads",
            visible=not status.paused,
            rows=(
                Row("For 30 minutes", Do("pause_queue", (30,))),
                Row("For 1 hour", Do("pause_queue", (60,))),
                Row("Until tomorrow", Do("pause_until_tomorrow")),
                Row("Until resumed", Do("pause_queue", (None,))),
            ),
        ),
        Row("Resume downloads", Do("resume_queue"), visible=status.paused),
        _speed(snapshot.speed),
        *_when_done(snapshot.when_done),
        LINE,
        Row(STATE_WORDS["completed"], rows=_saved_files(snapshot)),
        Row(
            f"{NEEDS_YOU} ({status.failed})",
            visible=status.failed > 0,
            rows=_failures(snapshot.failed),
        ),
        Row("Folders", rows=_folders(snapshot)),
        _undo(snapshot),
        LINE,
        Row("Send from browser…", Do("pair_browser")),
        Row("Connect other programs…", Do("connect_program")),
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
        return shorten(_join_with_dots(printable(snapshot.offline), waiting), LABEL_CHARACTERS)
    if status.paused:
        until = f" until {show_clock(status.paused_until)}" if status.paused_until else ""
        return _join_with_dots(f"Paused{until}", waiting)
    if status.active:
        rest = waiting or time_left(snapshot.board.current.values())
        return _join_with_dots(f"{status.active} active", show_speed(status.speed), rest)
    syncing = next((source for source in snapshot.sources if source.syncing), None)
    if syncing:
        return shorten(f"Listing {syncing.name}: {syncing.seen} items", LABEL_CHARACTERS)
    return _join_with_dots("Idle", waiting, f"{status.failed} failed" if status.failed else "")


def _join_with_dots(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def time_left(downloads: Iterable[Download]) -> str:
    """The time the active downloads still need together; empty while it cannot be known.

    Coarse on purpose: it is read at a glance, and seconds would make the line jump.
    """
    known = [d for d in downloads if d.size]
    speed = sum(d.speed for d in known)
    if not speed:
        return ""
    seconds = sum(max(0, (d.size or 0) - d.received) for d in known) // speed
    if seconds < 60:
        return "under 1 min left"
    return f"{seconds // 60} min left" if seconds < 5400 else f"{round(seconds / 3600)} h left"


def title_and_fact(title: str, fact: str) -> str:
    """A title and a short fact about it: the fact stays whole, the title gives way."""
    fact = shorten(fact, 20)
    room = LABEL_CHARACTERS - (len(fact) + len(" — ") if fact else 0)
    return f"{shorten(title, room)} — {fact}" if fact else shorten(title, room)


def _progress(download: Download) -> str:
    done = percent(download.received, download.size)
    return show_size(download.received) if done is None else f"{done} %"


def _folders(snapshot: Snapshot) -> tuple[Row, ...]:
    places = (
        ("Downloads", snapshot.downloads_folder),
        ("Drop lists here", snapshot.drop_folder),
        ("Pictures", snapshot.library_folder),
    )
    # Without a source there is no folder of pictures yet, and its row would open nothing.
    return tuple(
        Row(
            label,
            Do("open_folder", (path,)),
            enabled=bool(path),
            visible=label != "Pictures" or bool(snapshot.sources),
        )
        for label, path in places
    )


def _labels(downloads: Sequence[Download | None], facts: Sequence[str]) -> list[str]:
    """Names and short facts: as long as the menu is wide, and different where the names are."""
    taken = max((min(len(fact), 20) + len(" — ") for fact in facts if fact), default=0)
    names = shorten_apart(
        [name_of(d.filename, d.url) if d else "" for d in downloads], LABEL_CHARACTERS - taken
    )
    return [title_and_fact(name, fact) for name, fact in zip(names, facts, strict=True)]


def _active_rows(downloads: Sequence[Download | None]) -> Iterator[Row]:
    facts = [_progress(download) if download else "" for download in downloads]
    for label, download in zip(_labels(downloads, facts), downloads, strict=True):
        id = download.id if download else ""
        place = download.path if download and download.path else ""
        yield Row(
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
        return Row(title_and_fact(f"Syncing {source.name}", f"{source.seen} items"), enabled=False)
    if not source.signed_in:
        return Row(shorten(f"Sign in to {source.name}…", LABEL_CHARACTERS), Do("set_up_images"))
    fact = "failed" if source.error else f"{source.missing} missing" if source.missing else ""
    return Row(title_and_fact(f"Sync {source.name}", fact), Do("sync", (source.name,)))


def _fill_up(filled: Sequence[Row], count: int, filler: Row) -> tuple[Row, ...]:
    return (*filled[:count], *(filler for _ in range(count - len(filled))))


def _saved_files(snapshot: Snapshot) -> tuple[Row, ...]:
    files = [
        Row(label, Do("open_file", (d.path or "",)), enabled=bool(d.path))
        for label, d in zip(
            _labels(snapshot.recent, [""] * len(snapshot.recent)), snapshot.recent, strict=True
        )
    ]
    return (
        Row("Nothing yet", enabled=False, visible=not files),
        *_fill_up(files, KEPT, Row(visible=False)),
    )


def _failures(failed: Sequence[Download]) -> tuple[Row, ...]:
    blank = Row(visible=False, rows=(Row("Retry", enabled=False), Row("Why?", enabled=False)))
    facts = [(d.error.code if d.error else "").replace("_", " ") for d in failed]
    reasons = [
        Row(
            label,
            rows=(
                Row("Retry", Do("retry", (d.id,))),
                Row("Why?", Do("why", (d.id,))),
            ),
        )
        for label, d in zip(_labels(failed, facts), failed, strict=True)
    ]
    return (
        Row("Retry all", Do("retry_failed")),
        Row("Dismiss all", Do("dismiss_failures")),
        LINE,
        *_fill_up(reasons, KEPT, blank),
    )


def _undo(snapshot: Snapshot) -> Row:
    undo = snapshot.undo
    if undo is None:
        return Row("Undo", visible=False, rows=(Row("Undo", enabled=False), Row("Leave it")))
    # The second click is the question: one slip of the hand moves no file.
    return Row(
        shorten(f"Undo {printable(undo.title)}…", LABEL_CHARACTERS),
        rows=(
            Row(f"Move {show_count(undo.count, 'file')} to the trash", Do("undo", (undo.batch,))),
            Row("Leave it", enabled=False),
        ),
    )


def _speed(speed: Speed) -> Row:
    slow = f"Slow: {show_speed(speed.slow)}" if speed.slow else "Slow"
    clock = f"By the clock: slow {speed.hours}" if speed.hours else "By the clock"
    # Without hours in the settings, the clock means full speed all day.
    mode = "full" if speed.mode == "clock" and not speed.hours else speed.mode
    return Row(
        "Speed",
        rows=(
            Row("Full", Do("choose_speed", ("full",)), checked=mode == "full"),
            Row(slow, Do("choose_speed", ("slow",)), checked=mode == "slow"),
            Row(
                shorten(clock, LABEL_CHARACTERS),
                Do("choose_speed", ("clock",)),
                checked=mode == "clock",
                enabled=bool(speed.hours),
            ),
        ),
    )


def _when_done(when_done: WhenDone) -> tuple[Row, ...]:
    what = {"sleep": "sleeping", "shutdown": "shutting down"}.get(when_done.plan, "it")
    plans = (
        ("nothing", "Do nothing"),
        ("notify", "Tell me"),
        ("sleep", "Sleep"),
        ("shutdown", "Shut down"),
    )
    return (
        Row(
            f"Stop {what}",
            Do("choose_when_done", ("nothing",)),
            visible=when_done.ends_at is not None,
        ),
        Row(
            "When all is done",
            rows=tuple(
                Row(label, Do("choose_when_done", (plan,)), checked=when_done.plan == plan)
                for plan, label in plans
            ),
        ),
    )


def _notifications(snapshot: Snapshot) -> tuple[Row, ...]:
    levels = (("all", "Everything"), ("errors", "Problems only"), ("none", "Nothing"))
    until = snapshot.snoozed_until
    awake = f"Snoozed until {show_clock(until)} – wake" if until else "Wake"
    told = [_past_notice(notice) for notice in snapshot.notices]
    return (
        *(
            Row(label, Do("set_notifications", (level,)), checked=snapshot.level == level)
            for level, label in levels
        ),
        LINE,
        Row("Snooze for 1 hour", Do("snooze", (60,)), visible=not until),
        Row(awake, Do("snooze", (0,)), visible=bool(until)),
        Row("Lately", enabled=False, visible=bool(told)),
        *_fill_up(told, KEPT, Row(visible=False)),
    )


def _past_notice(notice: Notice) -> Row:
    """A notice of the past; a click does what a click on the popup did."""
    first = notice.actions[0] if notice.actions else None
    # The name first: "Download finished" five times would say nothing.
    about = printable(notice.body.partition("\n")[0])
    label = title_and_fact(
        about or printable(notice.title), printable(notice.title) if about else ""
    )
    return Row(
        label, Do("follow", (first.do, first.id)) if first else None, enabled=first is not None
    )


class Face(Struct, frozen=True):
    """A shape and, for `active`, how far the downloads have come, in percent in steps of 5."""

    shape: Shape
    progress: int = 0


def icon_state(snapshot: Snapshot) -> Face:
    """The icon for this state."""
    # The first that holds:
    # 1. nothing can happen at all;
    # 2. a person said "not now", which counts for more than what failed before;
    # 3. something moves: downloads with an arc, a sync without, for its end is not known;
    # 4. something failed and nobody has looked yet: a failure of last month is no alarm for ever;
    # 5. all is well.
    status = snapshot.board.status
    if snapshot.offline:
        return Face("offline")
    if status.paused:
        return Face("paused")
    if status.active:
        return Face("active", _overall_percent(snapshot))
    if any(source.syncing for source in snapshot.sources):
        return Face("active")
    if snapshot.board.unseen_failures:
        return Face("error")
    return Face("idle")


def tooltip(snapshot: Snapshot) -> str:
    """The state in words, short enough for every desktop (127 UTF-16 units on Windows)."""
    status = snapshot.board.status
    parts = [f"trayagent — {summary(snapshot)}"]
    if status.active and not status.paused and not snapshot.offline:
        parts.append(f"{_overall_percent(snapshot)} % done")
    if status.failed and "failed" not in parts[0]:
        parts.append(f"{status.failed} failed")
    return shorten(" · ".join(parts), 100)


def _overall_percent(snapshot: Snapshot) -> int:
    known = [d for d in snapshot.board.current.values() if d.size]
    total = sum(d.size or 0 for d in known)
    done = sum(d.received for d in known)
    return min(100, done * 100 // total) // ARC_STEP_PERCENT * ARC_STEP_PERCENT if total else 0
