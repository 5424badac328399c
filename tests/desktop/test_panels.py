"""The tray in front of a person: real panels, real clicks, on a screen of its own."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image
from Xlib import X

from tests.desktop import samples
from tests.desktop.conftest import Boot
from tests.desktop.hand import changed, click_row, colour, icon, open_menu, sight, still
from tests.desktop.rig import Desktop, Panel, Window, until
from tests.desktop.stub import Stub, ready, stub
from tests.patience import patience
from trayagent.desktop.tray.snapshot import Snapshot

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PROGRAMS = {
    "xfce": ("openbox", "xsetroot", "xfce4-panel"),
    "lxqt": ("openbox", "xsetroot", "lxqt-panel"),
    "trayer": ("openbox", "xsetroot", "trayer"),
}

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot", "xfce4-panel", "lxqt-panel", "trayer"),
    pytest.mark.skipif("sys.platform != 'linux'"),
]
both = pytest.mark.parametrize("panel", ["xfce", "lxqt"])


def keep(desktop: Desktop, name: str, window: Window) -> None:
    """Keep a picture for the documentation, when asked: PICTURES=1 dev.py test."""
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        desktop.screenshot(window).save(PICTURES / f"{name}.png", optimize=True)


@both
def test_the_icon_shows_and_both_clicks_do_what_they_say(boot: Boot, panel: Panel) -> None:
    desktop = boot(panel)
    with stub(desktop) as tray:
        assert "StatusNotifierItem" in tray.tray
        place = icon(desktop)
        desktop.click(place)
        assert tray.next() == ["open_dashboard"]
        open_menu(desktop, place)
        click_row(desktop, tray.top_rows, "Settings…")
        assert tray.next() == ["open_settings"]
        until(lambda: not desktop.menus(), "the menu closed")


@both
def test_a_submenu_and_its_radio_buttons(boot: Boot, panel: Panel) -> None:
    desktop = boot(panel)
    with stub(desktop) as tray:
        open_menu(desktop, icon(desktop))
        click_row(desktop, tray.top_rows, "Notifications")
        until(lambda: len(desktop.menus()) == 2, "the submenu")
        labels = ["Everything", "Problems only", "Nothing", "Snooze for 1 hour"]
        click_row(desktop, lambda: labels, "Problems only")
        assert tray.next() == ["set_notifications", "errors"]


@both
def test_live_updates_leave_an_open_menu_open_with_new_text(boot: Boot, panel: Panel) -> None:
    def at(received: int) -> Snapshot:
        one = samples.download("film", size=1000, received=received, speed=1_000_000)
        return replace(samples.IDLE, board=samples.active(one))

    desktop = boot(panel)
    with stub(desktop) as tray:
        tray.show(at(0))
        window = open_menu(desktop, icon(desktop, "active"))
        before = desktop.screenshot(window)
        for n in range(1, 6):
            tray.show(at(n * 100))
            before = until(partial(changed, desktop, window, before), "the new text on the screen")
            until(partial(says, tray, f"film.mp4 — {n * 10} %"), "the new text on the bus")
            assert desktop.menus() == [window], "the menu closed, or moved"
        click_row(desktop, tray.top_rows, "Add from clipboard")
        assert tray.next() == ["add_from_clipboard", ""]


@both
def test_the_folder_of_a_running_download_opens_from_its_row(boot: Boot, panel: Panel) -> None:
    desktop = boot(panel)
    one = samples.download("film", size=1000, received=100, speed=1_000_000)
    with stub(desktop) as tray:
        tray.show(replace(samples.IDLE, board=samples.active(one)))
        open_menu(desktop, icon(desktop, "active"))
        click_row(desktop, tray.top_rows, "film.mp4 — 10 %")
        until(lambda: len(desktop.menus()) == 2, "the submenu")
        assert tray.rows()["Open folder"][1].get("enabled", True)
        click_row(desktop, lambda: ["Pause", "Cancel", "Open folder"], "Open folder")
        assert tray.next() == ["open_folder", one.path]


def says(tray: Stub, label: str) -> bool:
    """Whether the menu has such a row."""
    return label in tray.rows()


@both
def test_the_icon_returns_with_the_panel_and_goes_with_the_process(
    boot: Boot, panel: Panel
) -> None:
    desktop = boot(panel)
    with stub(desktop) as tray:
        icon(desktop)
        assert desktop.panel is not None
        desktop.end(desktop.panel)
        until(lambda: desktop.find(colour("idle")) is None, "the panel gone")
        desktop.start_panel(panel)
        until(lambda: desktop.find(colour("idle")), "the icon on the new panel", 3)
        tray.process.kill()
        until(lambda: desktop.find(colour("idle")) is None, "the icon of a killed process gone", 2)


def test_every_state_is_on_the_panel(boot: Boot) -> None:
    desktop = boot("xfce")
    with stub(desktop) as tray:
        place = icon(desktop)
        spot = Window(place[0] - 17, place[1] - 17, 34, 34)
        before = Image.new("RGB", (34, 34))
        for shape, snapshot in samples.EVERY_STATE.items():
            tray.show(snapshot)
            before = until(partial(changed, desktop, spot, before), f"{shape} on the panel")
            x, y = until(partial(desktop.find, colour(shape), 20), f"the colour of {shape}")
            assert abs(x - place[0]) < 8
            assert abs(y - place[1]) < 8
            keep(desktop, f"tray-{shape}", spot)
        tray.show(samples.BUSY)
        open_menu(desktop, icon(desktop, "active"))
        count = len(tray.top_rows())
        window, _ = until(
            partial(still, desktop, count, exactly=True), "all rows", look=partial(sight, desktop)
        )
        keep(desktop, "tray-menu", window)


def test_an_x11_tray_gets_a_plain_icon_whose_click_works(boot: Boot) -> None:
    desktop = boot("trayer")
    with stub(desktop) as tray:
        assert "plain X11" in tray.tray
        desktop.click(icon(desktop, "idle", "dark"))
        assert tray.next() == ["open_dashboard"]
        tray.show(samples.FAILED)
        until(lambda: desktop.find(colour("error", "dark"), 20), "the error shape")
        tray.process.terminate()
        assert tray.process.wait(patience(5)) == 0
        assert "Traceback" not in tray.log()


def test_a_plain_icon_asks_an_x11_tray_for_its_place_once(boot: Boot) -> None:
    desktop = boot("none")
    root = desktop.x.screen().root
    ours = root.create_window(50, 50, 24, 24, 0, X.CopyFromParent, override_redirect=True)
    ours.map()
    ours.set_selection_owner(desktop.x.intern_atom("_NET_SYSTEM_TRAY_S0"), X.CurrentTime)
    desktop.x.sync()
    with stub(desktop, "xorg") as tray:
        asked = desktop.x.next_event()
        window = desktop.x.create_resource_object("window", asked.data[1][2])
        window.configure(width=24, height=24)
        window.reparent(ours, 0, 0)
        window.map()
        tray.show(samples.PAUSED)
        until(lambda: desktop.find(colour("paused", "dark"), 20), "the paused shape")
        tray.show(samples.FAILED)
        until(lambda: desktop.find(colour("error", "dark"), 20), "the error shape")
    assert not desktop.x.pending_events()


def test_a_desktop_without_any_tray_gets_the_icon_when_a_panel_comes(boot: Boot) -> None:
    desktop = boot("none")
    with stub(desktop) as tray:
        ready(tray)
        desktop.start_panel("xfce")
        until(lambda: desktop.find(colour("idle")), "the icon on the late panel", 3)
