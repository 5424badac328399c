"""On Windows texts fit, labels show verbatim, and an open menu is never pulled away.

Against fakes: the calls our adapter makes, in their order, on any system.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desktop import samples
from tests.desktop.fakes.windows import Call, windows
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import Actions
from trayagent.model.events import Notice

HWND = 7


class Recorder:
    """Actions that remember."""

    def __init__(self) -> None:
        self.made: list[tuple[object, ...]] = []

    def __getattr__(self, name: str) -> object:
        return lambda *args: self.made.append((name, *args))


class WindowsTrayBench:
    """A Windows tray whose messages we send ourselves."""

    def __init__(self, module: Any, calls: list[Call]) -> None:
        self.module, self.calls, self.actions = module, calls, Recorder()
        self.tray = module.WindowsTray(cast("Actions", self.actions))
        self.icon = self.tray._icon
        self.icon._hwnd = self.icon._menu_hwnd = HWND
        self.tray._paint()
        self.tray._reveal()
        self.tray._shown.set()

    def show(self, snapshot: Snapshot) -> None:
        """A snapshot, painted at once on the icon's thread."""
        self.tray._snapshot = snapshot
        self.message(self.module.WM_RUN_ON_ICON_THREAD)

    def message(self, number: int, lparam: int = 0) -> None:
        self.icon._message_handlers[number](0, lparam)

    def right_click(self) -> None:
        self.message(self.module.win32.WM_NOTIFY, self.module.win32.WM_RBUTTONUP)

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def labels(self) -> list[str]:
        """Of the menu items made last."""
        made = [args[3]._obj.dwTypeData for name, args in self.calls if name == "InsertMenuItemW"]
        start = max(i for i, label in enumerate(made) if label == "Open dashboard")
        return [label for label in made if label] if start == 0 else [x for x in made[start:] if x]


@pytest.fixture
def bench() -> Iterator[WindowsTrayBench]:
    with windows() as (module, calls):
        yield WindowsTrayBench(module, calls)


def tips(bench: WindowsTrayBench) -> list[str]:
    return [
        args[1].szTip for name, args in bench.calls if name == "Shell_NotifyIconW" and args[1].szTip
    ]


def test_the_tooltip_follows_and_fits(bench: WindowsTrayBench) -> None:
    bench.show(samples.BUSY)
    assert tips(bench)[-1].startswith("trayagent — 3 active · 12.4 MB/s")
    assert len(tips(bench)[-1].encode("utf-16-le")) <= 127 * 2


def test_labels_show_verbatim(bench: WindowsTrayBench) -> None:
    bench.show(samples.BUSY)
    bench.right_click()
    assert "a_b_c && <d>.iso — 42 %" in bench.labels()


def test_the_menu_is_built_when_it_opens_and_not_before(bench: WindowsTrayBench) -> None:
    made = bench.names().count("CreatePopupMenu")
    for snapshot in (samples.BUSY, samples.PAUSED, samples.FAILED):
        bench.show(snapshot)
    assert bench.names().count("CreatePopupMenu") == made
    bench.right_click()
    assert bench.names().count("CreatePopupMenu") > made
    assert "Needs you (2)" in bench.labels()


def test_an_open_menu_is_left_alone(bench: WindowsTrayBench) -> None:
    inside: list[str] = []

    def while_open(*_: object) -> int:
        before = len(bench.calls)
        bench.show(samples.BUSY)
        bench.icon.update_menu()
        inside.extend(name for name, _ in bench.calls[before:])
        return 0

    bench.module._win32.win32.TrackPopupMenuEx = while_open
    bench.right_click()
    assert "Shell_NotifyIconW" in inside, "the tooltip still follows"
    assert not {"DestroyMenu", "CreatePopupMenu"} & set(inside)


def test_a_chosen_row_makes_its_call(bench: WindowsTrayBench) -> None:
    bench.show(samples.BUSY)
    bench.module._win32.win32.TrackPopupMenuEx = lambda *_: 1
    bench.right_click()
    assert bench.actions.made == [("open_dashboard",)]


def test_a_left_click_opens_the_dashboard(bench: WindowsTrayBench) -> None:
    bench.message(bench.module.win32.WM_NOTIFY, bench.module.win32.WM_LBUTTONUP)
    assert bench.actions.made == [("open_dashboard",)]


def test_repaints_hop_to_the_thread_of_the_icon(bench: WindowsTrayBench) -> None:
    bench.tray._repaint()
    assert bench.calls[-1] == ("PostMessageW", (HWND, bench.module.WM_RUN_ON_ICON_THREAD, 0, 0))


def test_the_picture_is_loaded_in_its_own_size(bench: WindowsTrayBench) -> None:
    loads = [args for name, args in bench.calls if name == "LoadImageW"]
    assert loads
    assert all(args[3:5] == (16, 16) for args in loads)


def test_the_icon_returns_when_explorer_does(bench: WindowsTrayBench) -> None:
    before = len(bench.calls)
    bench.message(bench.module.win32.WM_TASKBARCREATED)
    added = [args for name, args in bench.calls[before:] if name == "Shell_NotifyIconW"]
    assert [args[0] for args in added] == [bench.module.win32.NIM_ADD]


def test_a_taskbar_that_refuses_the_icon_is_asked_again_until_it_takes_it(
    bench: WindowsTrayBench,
) -> None:
    asked: list[int] = []
    shell = bench.module.win32.Shell_NotifyIcon

    def refuse(code: int, _data: object) -> int:
        asked.append(code)
        return 0

    bench.module.win32.Shell_NotifyIcon = refuse
    bench.icon.visible = False
    bench.tray._reveal()
    bench.message(bench.module.WM_TIMER)
    adds = asked.count(bench.module.win32.NIM_ADD)
    assert adds == 2
    bench.module.win32.Shell_NotifyIcon = shell
    bench.message(bench.module.WM_TIMER)
    before = len(bench.calls)
    bench.message(bench.module.WM_TIMER)
    assert len(bench.calls) == before, "the taskbar has it now"


def test_a_taskbar_that_took_the_icon_too_late_to_say_so_is_believed(
    bench: WindowsTrayBench,
) -> None:
    win32 = bench.module.win32
    win32.Shell_NotifyIcon = lambda code, _data: code == win32.NIM_MODIFY
    bench.icon.visible = False
    bench.tray._reveal()
    assert bench.icon._taken


def test_python_runs_twice_a_second_so_that_ctrl_c_ends_it(bench: WindowsTrayBench) -> None:
    bench.icon._mark_ready()
    bench.icon._running = False  # no loop was started that would have to be stopped
    assert ("SetTimer", (HWND, 1, 500, None)) in bench.calls
    assert bench.module.WM_TIMER in bench.icon._message_handlers


def test_an_end_while_the_menu_is_open_closes_the_menu_first(bench: WindowsTrayBench) -> None:
    inside: list[str] = []

    def while_open(*_: object) -> int:
        bench.message(bench.module.win32.WM_STOP)
        inside.extend(bench.names())
        return 0

    bench.module.win32.TrackPopupMenuEx = while_open
    bench.right_click()
    assert inside[-1] == "EndMenu"
    assert "PostQuitMessage" not in inside, "the menu's loop would swallow it"
    assert bench.names()[-1] == "PostQuitMessage"


def test_a_notice_is_a_balloon_and_a_click_on_it_does_what_it_says(bench: WindowsTrayBench) -> None:
    clicked: list[str] = []
    notice = Notice("t" * 99, "b" * 999, (), "error")
    assert bench.tray.balloon(notice, lambda: clicked.append("it"))
    bench.message(bench.module.WM_RUN_ON_ICON_THREAD)
    shown = bench.calls[-1][1][1]
    assert (shown.szInfoTitle, shown.szInfo) == ("t" * 63, "b" * 255)
    assert shown.dwInfoFlags == bench.module.NIIF_ERROR
    bench.message(bench.module.win32.WM_NOTIFY, bench.module.NIN_BALLOONUSERCLICK)
    assert clicked == ["it"]


def test_a_notice_without_a_text_is_shown_too(bench: WindowsTrayBench) -> None:
    bench.tray.balloon(Notice("List done", ""), lambda: None)
    bench.message(bench.module.WM_RUN_ON_ICON_THREAD)
    assert bench.calls[-1][1][1].szInfo == "List done"


def test_before_the_icon_is_there_nothing_can_be_shown_at_it(bench: WindowsTrayBench) -> None:
    bench.tray._shown.clear()
    assert not bench.tray.balloon(Notice("a", "b"), lambda: None)


@given(st.text(), st.integers(0, 40))
def test_texts_are_cut_between_characters(text: str, units: int) -> None:
    with windows() as (module, _):
        cut = module.fitting(text, units)
    assert len(cut.encode("utf-16-le", "replace")) <= units * 2
    assert text.encode("utf-16-le", "replace").startswith(cut.encode("utf-16-le", "replace"))
