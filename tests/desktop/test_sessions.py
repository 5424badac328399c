"""The tray in front of a person, on a whole Wayland desktop: `python3 dev.py test --desktop=gnome|plasma|sway`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.desktop import samples
from tests.desktop.hand import changed, click_row, icon, open_menu, sight, still
from tests.desktop.rig import Window, until, write_configs
from tests.desktop.sessions import SESSIONS, Session
from tests.desktop.stub import Program, Stub, ready, stub
from tests.patience import patience
from trayagent.desktop.tray.session_bus import WATCHER
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.model.events import Action, Notice

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
NOWHERE = (200, 300)
"""A place that no menu covers; a click there closes them."""
FAILED = Notice(
    "Download failed",
    "a_b_c & <d>.iso\nThe link has expired.",
    (Action("Why", "why", "d7"), Action("Retry", "retry", "d7")),
    "error",
)

pytestmark = [
    pytest.mark.session,
    pytest.mark.timeout(180),
    pytest.mark.skipif("sys.platform != 'linux'"),
]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The desktop that was asked for; a missing program is a skip of this job alone."""
    asked: str = request.config.getoption("--desktop")
    if missing := SESSIONS[asked].missing():
        pytest.skip(f"{asked} needs {missing}")
    return asked


@pytest.fixture
def session(name: str) -> Iterator[Session]:
    """The desktop, running; the folder is short, for a socket's path may have 107 characters only."""
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True)
        running = SESSIONS[name](Path(stack.enter_context(folder)) / "d")
        stack.callback(running.close)
        write_configs(running.home)
        running.start_session()
        yield running


def keep(session: Session, name: str, window: Window) -> None:
    """Keep a picture for the documentation, when asked: PICTURES=1 dev.py test --desktop=NAME."""
    if os.environ.get("PICTURES"):
        session.screenshot(window).save(PICTURES / f"{name}.png", optimize=True)


def icon_on(session: Session) -> tuple[int, int]:
    """Where the icon is; from now on, whatever appears is a menu or a popup."""
    place = icon(session)
    session.settle()
    return place


def one_download(received: int) -> Snapshot:
    one = samples.download(
        "d1", filename="a_b_c & <d>.iso", size=1000, received=received, speed=1_000_000
    )
    return replace(samples.IDLE, board=samples.active(one))


def says(tray: Stub, beginning: str) -> bool:
    return any(row.startswith(beginning) for row in tray.top_rows())


def test_the_icon_is_registered_and_shown_and_a_click_opens_the_dashboard(session: Session) -> None:
    with stub(session) as tray:
        assert "StatusNotifierItem" in tray.tray
        place = icon_on(session)
        items = session.call(
            WATCHER,
            "/StatusNotifierWatcher",
            "org.freedesktop.DBus.Properties",
            "Get",
            "ss",
            WATCHER,
            "RegisteredStatusNotifierItems",
        )[0]
        assert len(items) == 1
        # GNOME's extension keeps the single click for the menu.
        for _ in range(session.clicks_for_dashboard):
            session.click(place)
        assert tray.next(10) == ["open_dashboard"]
        spot = Window(place[0] - 12, place[1] - 12, 24, 24)
        before = session.screenshot(spot)
        tray.show(samples.PAUSED)
        until(partial(changed, session, spot, before), "another picture of the icon")


def test_a_row_is_clicked_over_the_bus(session: Session) -> None:
    with stub(session) as tray:
        icon_on(session)
        ready(tray).press("Open dashboard")
        assert tray.next() == ["open_dashboard"]


def test_a_row_is_clicked_with_the_pointer(session: Session) -> None:
    with stub(session) as tray:
        place = icon_on(session)
        ready(tray)
        open_menu(session, place)
        click_row(session, tray.top_rows, "Settings…")
        assert tray.next(10) == ["open_settings"]
        until(lambda: not session.menus(), "the menu closed", look=partial(sight, session))


def test_rows_that_come_later_are_shown_and_an_open_menu_changes_its_texts(
    session: Session, name: str
) -> None:
    with stub(session) as tray:
        place = icon_on(session)
        open_menu(session, place)
        session.click(NOWHERE)
        until(lambda: not session.menus(), "the menu closed", look=partial(sight, session))
        tray.show(one_download(420))
        until(partial(says, tray, "a_b_c & <d>.iso — 42 %"), "the row on the bus")
        open_menu(session, place)
        rows = len(tray.top_rows())
        window, _ = until(
            lambda: still(session, rows, exactly=True),
            "all rows on the screen",
            look=partial(sight, session),
        )
        keep(session, f"tray-{name}", session.around(window))
        before = session.screenshot(window)
        tray.show(one_download(990))
        until(partial(changed, session, window, before), "the new text on the screen")
        click_row(session, tray.top_rows, "Settings…")
        assert tray.next(10) == ["open_settings"]


def test_a_button_of_a_popup_does_what_it_says(session: Session, name: str) -> None:
    session.settle()
    with closing(Program(session, "tests.desktop.stub_notifier")) as notifier:
        assert notifier.next(20)[0] == "ready"
        notifier.say(FAILED)
        assert notifier.next(20)[0] == "shown"
        popup = session.show_buttons(until(lambda: still(session, 1), "the popup")[0])
        keep(session, f"popup-{name}", session.around(popup))
        session.press_last_button(popup)
        assert notifier.next(10) == ["follow", session.last_button, "d7"]


def test_an_address_copied_in_wayland_is_added(session: Session) -> None:
    with stub(session) as tray:
        icon_on(session)
        for text in ("https://example/ä.mp4", "https://example/b.mp4\nhttps://example/c.mp4"):
            # It goes into the background, and its first process ends, once the clipboard is its own.
            assert session.start("wl-copy", text).wait(patience(20)) == 0
            ready(tray).press("Add from clipboard")
            assert tray.next(10) == ["add_from_clipboard", text]
