"""The tray of Windows in front of a person: a screen of its own, real clicks, balloons."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from tests.desktop import rig, samples
from tests.desktop.hand import changed, click_row, colour, icon, still
from tests.desktop.rig import Desktop, Window, until
from tests.windows.bench import Bench
from tests.windows.screen import labels, windows_tray
from trayagent.desktop.tray.snapshot import Snapshot

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SPOT = (18, 18)

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def desktop(alone: Bench) -> Iterator[Desktop]:
    """A screen where Wine shows the icons of the tray in a window of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True) as folder,
        rig.desktop(Path(folder) / "d") as running,
    ):
        yield running


def keep(desktop: Desktop, name: str, window: Window | None = None) -> None:
    """Keep a picture for the documentation, when asked: PICTURES=1 dev.py test --windows."""
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        desktop.screenshot(window).save(PICTURES / f"{name}.png", optimize=True)


def spot(place: tuple[int, int]) -> Window:
    """The icon and a little around it."""
    return Window(place[0] - SPOT[0] // 2, place[1] - SPOT[1] // 2, *SPOT)


def open_menu(desktop: Desktop, place: tuple[int, int], count: int) -> Window:
    desktop.click(place, 3)
    return until(lambda: still(desktop, count), "the menu")[0]


def test_the_icon_shows_and_both_clicks_do_what_they_say(alone: Bench, desktop: Desktop) -> None:
    with windows_tray(alone, desktop) as tray:
        place = icon(desktop)
        desktop.click(place)
        assert tray.next() == ["open_dashboard"]
        shown = labels(samples.STARTING)
        open_menu(desktop, place, len(shown))
        click_row(desktop, lambda: shown, "Settings…")
        assert tray.next() == ["open_settings"]
        until(lambda: not desktop.menus(), "the menu closed")
    assert "Traceback" not in tray.log()


def test_a_submenu_and_its_radio_buttons(alone: Bench, desktop: Desktop) -> None:
    with windows_tray(alone, desktop) as tray:
        tray.show(samples.IDLE)
        shown = labels(samples.IDLE)
        open_menu(desktop, icon(desktop), len(shown))
        click_row(desktop, lambda: shown, "Notifications")
        until(lambda: len(desktop.menus()) == 2, "the submenu")
        rows = ["Everything", "Problems only", "Nothing", "Snooze for 1 hour"]
        click_row(desktop, lambda: rows, "Problems only")
        assert tray.next() == ["set_notifications", "errors"]


def test_every_state_is_shown(alone: Bench, desktop: Desktop) -> None:
    with windows_tray(alone, desktop) as tray:
        place = icon(desktop)
        before = Image.new("RGB", SPOT)
        for shape, snapshot in samples.EVERY_STATE.items():
            tray.show(snapshot)
            before = until(partial(changed, desktop, spot(place), before), f"{shape} in the tray")
            until(partial(desktop.find, colour(shape), 20), f"the colour of {shape}")
            keep(desktop, f"windows-tray-{shape}", spot(place))
        tray.show(samples.BUSY)
        until(partial(changed, desktop, spot(place), before), "the last state")
        # More rows than an idle menu has, some of them shortened or grey.
        least = len(labels(samples.IDLE)) + 3
        keep(desktop, "windows-tray-menu", open_menu(desktop, place, least))


def test_a_menu_shows_the_rows_of_the_moment_it_opens(alone: Bench, desktop: Desktop) -> None:
    """An open menu of Windows stays as it is; what happened meanwhile is in the next."""

    def at(received: int) -> Snapshot:
        one = samples.download("film", size=1000, received=received, speed=1_000_000)
        return replace(samples.IDLE, board=samples.active(one))

    with windows_tray(alone, desktop) as tray:
        place = icon(desktop)
        pictures = []
        for received in (100, 900):
            before = desktop.screenshot(spot(place))
            tray.show(at(received))
            until(partial(changed, desktop, spot(place), before), "the new state")
            window = open_menu(desktop, place, len(labels(at(received))))
            pictures.append(desktop.screenshot(window))
            desktop.click((900, 600))
            until(lambda: not desktop.menus(), "the menu closed")
        assert pictures[0].tobytes() != pictures[1].tobytes()


def test_the_end_of_the_program_closes_an_open_menu(alone: Bench, desktop: Desktop) -> None:
    with windows_tray(alone, desktop) as tray:
        tray.show(samples.IDLE)
        open_menu(desktop, icon(desktop), len(labels(samples.IDLE)))
        assert tray.process.stdin is not None
        tray.process.stdin.close()  # what ends it
        assert tray.next(within=10) == ["end"]
        assert tray.process.wait(10) == 0
