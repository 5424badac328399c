"""The tray of Windows in front of a person: a screen of its own, real clicks, balloons."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from tests.desktop import samples
from tests.desktop.hand import changed, click_row, colour, icon, still
from tests.desktop.rig import Desktop, Window, until
from tests.servers.media import Media
from tests.windows.bench import Bench
from tests.windows.person import Person
from tests.windows.screen import keep, labels, windows_tray
from trayagent.desktop.tray.menu import Shape
from trayagent.desktop.tray.snapshot import Snapshot

SPOT = (18, 18)

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot"),
    pytest.mark.timeout(240),
]


def spot(place: tuple[int, int]) -> Window:
    """The icon and a little around it."""
    return Window(place[0] - SPOT[0] // 2, place[1] - SPOT[1] // 2, *SPOT)


def around(windows: list[Window]) -> Window:
    """The part of the screen that holds them all."""
    left, top = min(each.x for each in windows), min(each.y for each in windows)
    right = max(each.x + each.width for each in windows)
    bottom = max(each.y + each.height for each in windows)
    return Window(left, top, right - left, bottom - top)


def shows(desktop: Desktop, place: tuple[int, int], shape: Shape) -> bool:
    """Whether the icon has a good part of its pixels in the colour of this state."""
    raw, wanted = desktop.screenshot(spot(place)).tobytes(), colour(shape)
    pixels = zip(raw[::3], raw[1::3], raw[2::3], strict=True)
    near = [
        each for each in pixels if all(abs(a - b) < 6 for a, b in zip(each, wanted, strict=True))
    ]
    return len(near) >= 20


def shows_nothing(desktop: Desktop, place: tuple[int, int]) -> bool:
    return not any(shows(desktop, place, shape) for shape in samples.EVERY_STATE)


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
        both = until(lambda: desktop.menus()[1:] and desktop.menus(), "the submenu")
        rows = ["Everything", "Problems only", "Nothing", "Snooze for 1 hour"]
        until(lambda: still(desktop, len(rows), exactly=True), "its rows")
        keep(desktop, "windows-tray-submenu", around(both))
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
        tray.show(samples.BUSY)
        until(partial(changed, desktop, spot(place), before), "the last state")
        # More rows than an idle menu has, some of them shortened or grey.
        least = len(labels(samples.IDLE)) + 3
        keep(desktop, "windows-tray-menu", open_menu(desktop, place, least))


def test_each_state_has_a_picture_of_its_own(alone: Bench, desktop: Desktop) -> None:
    """Each in a new icon: Wine paints a picture over the one before, which shows at its corners."""
    with windows_tray(alone, desktop):
        place = icon(desktop)
    for shape, snapshot in samples.EVERY_STATE.items():
        until(partial(shows_nothing, desktop, place), "no icon")
        with windows_tray(alone, desktop, first=snapshot):
            until(partial(shows, desktop, place, shape), f"{shape} in the tray")
            others = [each for each in samples.EVERY_STATE if colour(each) != colour(shape)]
            assert [other for other in others if shows(desktop, place, other)] == []
            keep(desktop, f"windows-tray-{shape}", spot(place))


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
            keep(desktop, f"windows-tray-live-{received // 10}", window)
            pictures.append(desktop.screenshot(window))
            desktop.click((900, 600))
            until(lambda: not desktop.menus(), "the menu closed")
        assert pictures[0].tobytes() != pictures[1].tobytes()


def test_notices_are_balloons_one_after_another(
    alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    """The whole agent, from its first start. Wine has no toasts, so its icon speaks.

    What a click on a balloon does is tested in `tests/desktop/test_win32`: Wine tells nobody of it.
    """
    person = Person(alone, tmp_path / "home", DISPLAY=desktop.env["DISPLAY"])
    with Media() as media, person.running():
        until(lambda: "/welcome#code=" in person.opened_pages(), "the welcome page")
        until(lambda: still(desktop, 2), "where to find the icon")
        until(lambda: not desktop.menus(), "the end of the first balloon", 40)
        person.post("downloads", {"url": media.url("clip.mp4", status=404)})
        until(lambda: still(desktop, 2), "the failure")
        failed = desktop.menus()[0]
        keep(desktop, "windows-balloon", around([failed, Window(0, 0, 170, 32)]))
        assert person.command("quit").returncode == 0
    assert "Traceback" not in person.log()


def test_the_end_of_the_program_closes_an_open_menu(alone: Bench, desktop: Desktop) -> None:
    with windows_tray(alone, desktop) as tray:
        tray.show(samples.IDLE)
        open_menu(desktop, icon(desktop), len(labels(samples.IDLE)))
        assert tray.process.stdin is not None
        tray.process.stdin.close()  # what ends it
        assert tray.next(within=10) == ["end"]
        assert tray.process.wait(10) == 0
