"""The menu is a pure picture of the snapshot: short rows, one shape, calls as values, no secrets."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.desktop import samples
from trayagent.desktop.tray import menu
from trayagent.desktop.tray.menu import LINE, Do, Row, rows, seat
from trayagent.desktop.tray.snapshot import Snapshot, SourceView
from trayagent.desktop.tray.tray import Actions
from trayagent.model.downloads import Download, State
from trayagent.model.events import Notice
from trayagent.model.status import Board, Speed, Status

BUSY = """\
Open dashboard
-
(3 active · 12.4 MB/s · 3 waiting)
a_b_c & <d>.iso — 42 %
    Pause
    Cancel
    Open folder
Sunrise over th… (2160p60).mov — 7 %
    Pause
    Cancel
    Open folder
lecture-07.mp4 — 31.4 MB
    Pause
    Cancel
    Open folder
-
Add from clipboard
Sync all images
Sync flow — 12 missing
(Syncing shots — 240 items)
-
Pause downloads
    For 30 minutes
    For 1 hour
    Until tomorrow
    Until resumed
Speed
    Full ●
    Slow ○
    (By the clock) ○
When all is done
    Do nothing ●
    Tell me ○
    Sleep ○
    Shut down ○
-
Saved
    harbour.jpg
    talk – part 2.mp4
Needs you (1)
    Retry all
    Dismiss all
    -
    old-link.mp4 — link expired
        Retry
        Why?
Folders
    Downloads
    Drop lists here
    Pictures
Undo holiday.txt…
    Move 41 files to the trash
    (Leave it)
-
Send from browser…
Connect other programs…
Notifications
    Everything ●
    Problems only ○
    Nothing ○
    -
    Snooze for 1 hour
    (Lately)
    harbour.jpg — Download finished
Settings…
-
Quit
"""

IDLE = """\
Open dashboard
-
(Idle)
-
Add from clipboard
Set up images…
-
Pause downloads
    For 30 minutes
    For 1 hour
    Until tomorrow
    Until resumed
Speed
    Full ●
    Slow ○
    (By the clock) ○
When all is done
    Do nothing ●
    Tell me ○
    Sleep ○
    Shut down ○
-
Saved
    (Nothing yet)
Folders
    Downloads
    Drop lists here
-
Send from browser…
Connect other programs…
Notifications
    Everything ●
    Problems only ○
    Nothing ○
    -
    Snooze for 1 hour
Settings…
-
Quit
"""


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The wall clock of the test shows UTC."""
    monkeypatch.setenv("TZ", "UTC")
    if sys.platform != "win32":
        time.tzset()
    yield
    monkeypatch.undo()
    if sys.platform != "win32":
        time.tzset()


def picture(menu_rows: tuple[Row, ...], indent: str = "") -> str:
    """What a person sees: disabled rows in brackets, radio buttons as circles, submenus indented."""
    lines = ""
    for row in menu_rows:
        if row.visible:
            label = row.label if row.enabled else f"({row.label})"
            mark = {None: "", True: " ●", False: " ○"}[row.checked]
            lines += f"{indent}{label}{mark}\n" + picture(row.rows, indent + "    ")
    return lines


def shape(menu_rows: tuple[Row, ...]) -> list[object]:
    return [shape(row.rows) for row in menu_rows]


def flat(menu_rows: tuple[Row, ...]) -> Iterator[Row]:
    for row in menu_rows:
        yield row
        yield from flat(row.rows)


ALL = [samples.IDLE, samples.STARTING, samples.PAUSED, samples.FAILED, samples.BUSY]


def test_a_busy_agent_in_full() -> None:
    assert picture(rows(samples.BUSY)) == BUSY


def test_an_idle_agent_in_full() -> None:
    assert picture(rows(samples.IDLE)) == IDLE


@pytest.mark.parametrize(
    ("snapshot", "says"),
    [
        (samples.IDLE, "Idle"),
        (samples.STARTING, "Starting…"),
        (samples.PAUSED, "Paused until 14:30 · 12 waiting"),
        (samples.FAILED, "Idle · 2 failed"),
        (samples.BUSY, "3 active · 12.4 MB/s · 3 waiting"),
        (replace(samples.IDLE, board=Board(Status(paused=True))), "Paused"),
        (
            replace(samples.IDLE, offline="No network", board=Board(Status(queued=2))),
            "No network · 2 waiting",
        ),
        (
            replace(samples.IDLE, sources=(SourceView("flow", syncing=True, seen=80),)),
            "Listing flow: 80 items",
        ),
        (
            replace(
                samples.IDLE,
                board=samples.active(samples.download("x", size=10**9, speed=3_000_000)),
            ),
            "1 active · 3.0 MB/s · 5 min left",
        ),
    ],
)
def test_the_status_in_a_line(snapshot: Snapshot, says: str) -> None:
    assert menu.summary(snapshot) == says


def test_the_shape_is_the_same_in_every_state() -> None:
    without_sources = [replace(snapshot, sources=()) for snapshot in ALL]
    assert len({str(shape(rows(snapshot))) for snapshot in without_sources}) == 1


def test_a_paused_queue_offers_to_resume() -> None:
    shown = picture(rows(samples.PAUSED))
    assert "Resume downloads" in shown
    assert "Pause downloads" not in shown


def test_a_source_that_is_signed_out_offers_to_sign_in() -> None:
    snapshot = replace(samples.IDLE, sources=(SourceView("flow", signed_in=False),))
    found = {row.label: row for row in rows(snapshot)}
    assert found["Sign in to flow…"].do == Do("set_up_images")
    assert not found["Sync all images"].enabled


def test_a_snooze_can_be_ended() -> None:
    snapshot = replace(samples.IDLE, snoozed_until="2026-11-21T09:05:00Z")
    found = {row.label: row for row in flat(rows(snapshot)) if row.visible}
    assert found["Snoozed until 09:05 – wake"].do == Do("snooze", (0,))
    assert "Snooze for 1 hour" not in found


def test_more_downloads_than_rows_are_counted() -> None:
    many = [samples.download(f"x{n}") for n in range(8)]
    shown = picture(rows(replace(samples.IDLE, board=samples.active(*many))))
    assert "3 more…" in shown
    assert shown.count("Cancel") == 5


def test_every_call_is_one_that_the_app_knows() -> None:
    known = {name for name in dir(Actions) if not name.startswith("_")} | {"pause_until_tomorrow"}
    called = {row.do.name for snapshot in ALL for row in flat(rows(snapshot)) if row.do}
    assert called <= known


def test_the_first_row_is_the_only_default() -> None:
    for snapshot in ALL:
        assert [row.label for row in flat(rows(snapshot)) if row.default] == ["Open dashboard"]


def test_rows_that_do_nothing_cannot_be_clicked() -> None:
    for row in flat(rows(samples.BUSY)):
        if row.visible and row.enabled and row != LINE and not row.rows:
            assert row.do is not None, row.label


texts = st.text(max_size=120)
downloads = st.builds(
    Download,
    id=st.text("d0123456789", min_size=1, max_size=6),
    url=st.sampled_from(
        ["https://h.example/a/b%20c.mp4?sig=CANARY", "https://h.example/?q=CANARY"]
    ),
    state=st.sampled_from(State),
    filename=st.none() | texts,
    size=st.none() | st.integers(0, 10**15),
    received=st.integers(0, 10**15),
    speed=st.integers(0, 10**10),
)
snapshots = st.builds(
    Snapshot,
    board=st.builds(
        Board,
        st.builds(
            Status,
            active=st.integers(0, 99),
            queued=st.integers(0, 10**6),
            paused=st.booleans(),
            speed=st.integers(0, 10**11),
            failed=st.integers(0, 10**6),
        ),
        st.dictionaries(st.text("d0123456789", min_size=1, max_size=6), downloads, max_size=9),
    ),
    recent=st.lists(downloads, max_size=6).map(tuple),
    failed=st.lists(downloads, max_size=6).map(tuple),
    sources=st.just(()),
    notices=st.lists(st.builds(Notice, texts, texts), max_size=6).map(tuple),
    offline=st.just("") | texts,
)


@settings(max_examples=50)
@given(snapshots)
def test_rows_are_short_plain_and_without_queries(snapshot: Snapshot) -> None:
    shown = rows(snapshot)
    for row in flat(shown):
        assert len(row.label) <= menu.LABEL_CHARACTERS, row.label
        assert "CANARY" not in row.label
        assert row.label.isprintable() or not row.label.strip(), ascii(row.label)
    assert str(shape(shown)) == str(shape(rows(samples.IDLE)))


def test_a_name_cannot_turn_its_ending_around() -> None:
    disguised = samples.download("x", filename="invoice\u202e4pm.exe")
    shown = rows(replace(samples.IDLE, recent=(disguised,)))
    (row,) = (row for row in flat(shown) if "invoice" in row.label)
    assert row.label == "invoice 4pm.exe"


def test_a_download_keeps_its_row_while_it_is_active() -> None:
    seating = seat((), ["a", "b", "c"])
    assert seating == ("a", "b", "c", None, None)
    assert seat(seating, ["b", "c"]) == (None, "b", "c", None, None)
    assert seat((None, "b", "c", None, None), ["b", "c", "d"]) == ("d", "b", "c", None, None)


def test_a_snapshot_travels_as_json() -> None:
    wire = msgspec.json.encode(samples.BUSY)
    assert msgspec.json.decode(wire, type=Snapshot) == samples.BUSY


def test_names_that_differ_look_different_in_the_menu() -> None:
    """Episodes of one season differ in the middle, where names used to be cut."""
    names = [f"Tray film number {n} with a rather long title.mp4" for n in range(1, 5)]
    running = [samples.download(f"d{n}", filename=name) for n, name in enumerate(names)]
    shown = rows(replace(samples.IDLE, board=samples.active(*running), recent=tuple(running[:3])))
    labels = [row.label for row in shown if row.visible and row.label.startswith("Tray")]
    recent = next(row for row in shown if row.label == "Saved")
    assert len(set(labels)) == 4
    assert len({row.label for row in recent.rows if row.visible and row.enabled}) == 3
    for number, label in enumerate(labels, 1):
        assert f"umber {number} " in label
        assert len(label) <= menu.LABEL_CHARACTERS


def test_speed_shows_what_was_chosen() -> None:
    speed = Speed("clock", 200_000, 200_000, "08:00-18:00", "mon-fri", is_inside=True)
    found = {row.label: row for row in flat(rows(replace(samples.IDLE, speed=speed)))}
    assert found["By the clock: slow 08:00-18:00"].checked
    assert found["Slow: 200 KB/s"].do == Do("choose_speed", ("slow",))
    assert not found["Full"].checked


def test_a_past_notice_begins_with_what_it_is_about() -> None:
    told = replace(
        samples.IDLE, notices=(Notice("Download failed", "lost_film.mp4\nThe server is gone."),)
    )
    labels = [row.label for row in flat(rows(told))]
    assert "lost_film.mp4 — Download failed" in labels
