"""Between the agent and the icon: the newest snapshot wins, clicks become calls, failures stay small."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from tests.desktop import samples
from trayagent.desktop import clipboard
from trayagent.desktop.tray.icon_tray import (
    Dispatch,
    Icon,
    IconTray,
    Menu,
    Pace,
    minutes_until_morning,
    pystray_menu,
)
from trayagent.desktop.tray.menu import Do, Face, rows
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import Actions
from trayagent.model.status import Board, Status


class Calls:
    """Actions that remember."""

    def __init__(self) -> None:
        self.made: list[tuple[object, ...]] = []
        self.rang = threading.Event()

    def __getattr__(self, name: str) -> object:
        def call(*args: object) -> None:
            if name == "quit":
                raise RuntimeError("the app failed")
            self.made.append((name, *args))
            self.rang.set()

        return call


class FakeIcon(Icon):
    """An icon without a desktop: its loop is an event."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ended = threading.Event()
        self.icons: list[Face] = []
        self.updates: list[str] = []
        self.rang = threading.Event()

    def _show(self) -> None: ...
    def _hide(self) -> None: ...
    def _update_title(self) -> None: ...

    def _update_icon(self) -> None:
        self.updates.append("icon")
        self.icons.append(self._icon)
        self._icon_valid = True
        self.rang.set()

    def _update_menu(self) -> None:
        self.updates.append("menu")

    def _run(self) -> None:
        self._mark_ready()
        self.ended.wait()

    def _stop(self) -> None:
        self.ended.set()


class BrokenIcon(FakeIcon):
    """A desktop that takes the tray away as soon as it is there."""

    def _run(self) -> None:
        raise OSError("no such panel")


class FakeTray(IconTray):
    """The frame around it."""

    through = "a test"
    _icon: FakeIcon

    def _image(self, face: Face) -> Face:
        return face


def tray(make: type[FakeIcon] = FakeIcon) -> FakeTray:
    return FakeTray(make, cast("Actions", Calls()))


def running(one: FakeTray) -> threading.Thread:
    thread = threading.Thread(target=one.run)
    thread.start()
    return thread


def test_a_burst_is_one_repaint_and_the_next_waits_for_its_turn() -> None:
    times: list[float] = []
    pace = Pace(lambda: times.append(time.monotonic()), interval=0.1)
    end = time.monotonic() + 0.55
    while time.monotonic() < end:
        pace.poke()
        time.sleep(0.002)
    time.sleep(0.15)
    assert 5 <= len(times) <= 8
    assert all(b - a > 0.09 for a, b in itertools.pairwise(times))


def test_the_newest_snapshot_wins_and_the_same_picture_is_not_sent_twice() -> None:
    one = tray()
    one.show(samples.PAUSED)
    thread = running(one)
    icon = one._icon
    assert icon.rang.wait(10)
    assert icon.icons == [Face("paused")]
    icon.rang.clear()
    one.show(samples.IDLE)
    one.show(replace(samples.PAUSED, board=Board(Status(failed=3), unseen_failures=3)))
    one.show(samples.FAILED)
    assert icon.rang.wait(10)
    assert icon.icons == [Face("paused"), Face("error")]
    assert icon.title == "trayagent — Idle · 2 failed"
    one.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_the_rows_are_there_before_the_icon_that_announces_them() -> None:
    one = tray()
    thread = running(one)
    assert one._icon.rang.wait(10)
    one._icon.rang.clear()
    one._icon.updates.clear()
    one.show(samples.BUSY)
    assert one._icon.rang.wait(10)
    assert one._icon.updates == ["menu", "icon"]
    one.stop()
    thread.join(10)


def test_stopping_before_running_ends_at_once() -> None:
    one = tray()
    one.stop()
    thread = running(one)
    thread.join(10)
    assert not thread.is_alive()


def test_a_desktop_that_takes_the_tray_away_leaves_the_agent_running(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = tray(BrokenIcon)
    thread = running(one)
    thread.join(0.3)
    assert thread.is_alive()
    one.show(samples.BUSY)
    one.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert "everything else goes on" in caplog.text
    assert not [t for t in threading.enumerate() if "setup" in t.name]


def test_a_click_that_fails_is_logged_and_the_tray_stays(caplog: pytest.LogCaptureFixture) -> None:
    Dispatch(cast("Actions", Calls()))(Do("quit"))
    assert "the click on quit failed" in caplog.text


def test_the_clipboard_is_read_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard, "read", lambda: "https://example/x")
    calls = Calls()
    Dispatch(cast("Actions", calls))(Do("add_from_clipboard"))
    assert calls.rang.wait(10)
    assert calls.made == [("add_from_clipboard", "https://example/x")]


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), 24 * 60),
        (datetime(2026, 11, 21, 23, 59, tzinfo=UTC), 8 * 60 + 1),
        (datetime(2026, 11, 21, 0, 30, tzinfo=timezone(timedelta(hours=5))), 31 * 60 + 30),
    ],
)
def test_tomorrow_begins_at_eight(now: datetime, minutes: int) -> None:
    assert minutes_until_morning(now) == minutes


def test_pystray_shows_the_rows_as_they_are() -> None:
    clicked: list[Do] = []
    menu = pystray_menu(rows(samples.BUSY), clicked.append, str.upper)
    by_text = {item.text: item for item in menu}
    assert by_text["OPEN DASHBOARD"].default
    assert not by_text["SYNCING SHOTS — 240 ITEMS"].enabled
    levels = by_text["NOTIFICATIONS"].submenu
    assert levels is not None
    assert [item.checked for item in levels][:4] == [True, False, False, None]
    menu(cast("Icon", None))
    assert clicked == [Do("open_dashboard")]
    assert Menu.SEPARATOR in menu.items


def test_the_headless_choice_imports_no_tray_at_all() -> None:
    code = (
        "import sys; from trayagent.desktop.tray.choice import choose_tray; "
        "assert repr(choose_tray('none', None)) == '<no tray>'; "
        "assert not {'pystray', 'PIL', 'dbus_fast'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_snapshot_is_taken_from_any_thread() -> None:
    one = tray()
    thread = running(one)
    assert one._icon.rang.wait(10)
    writers = [threading.Thread(target=one.show, args=(Snapshot(),)) for _ in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    one.stop()
    one.stop()
    thread.join(10)
    assert not thread.is_alive()
