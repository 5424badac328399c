"""Popups reach the screen, their buttons do what they say, and a desktop without them costs nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.desktop import popups
from tests.desktop.conftest import Boot
from tests.desktop.rig import Desktop, Window, until
from tests.desktop.stub import Program
from trayagent.desktop import notifier
from trayagent.desktop.notifier import DesktopNotifier, NullNotifier
from trayagent.model.events import Action, Notice

FAILED = Notice(
    "Download failed",
    "a_b & <c>.mp4\nThe link has expired.",
    (Action("Why", "why", "d7"), Action("Retry", "retry", "d7")),
    "error",
)

pytestmark = pytest.mark.skipif("sys.platform != 'linux'")
on_a_bus = pytest.mark.needs("dbus-daemon")


def nobody(do: str, id: str) -> None:
    """Nobody clicks."""


@pytest.fixture
def session(bus: Desktop, monkeypatch: pytest.MonkeyPatch) -> str:
    """A private session bus for this process."""
    address = bus.env["DBUS_SESSION_BUS_ADDRESS"]
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    return address


@on_a_bus
async def test_a_notice_is_shown_with_its_buttons_and_our_icon(session: str) -> None:
    clicks: list[tuple[str, str]] = []
    clicked = asyncio.Event()

    def follow(do: str, id: str) -> None:
        clicks.append((do, id))
        clicked.set()

    async with (
        popups.serving(session, "actions", "body", "body-markup") as service,
        asyncio.timeout(5),
    ):
        shown = DesktopNotifier(follow)
        await shown.show(FAILED)
        asked = service.asked[0]
        assert asked["title"] == "Download failed"
        assert asked["body"] == "a_b &amp; &lt;c&gt;.mp4\nThe link has expired."
        assert list(asked["buttons"]) == ["", "Why", "Retry"]
        assert asked["icon"].endswith("trayagent.png")
        service.ActionInvoked(1, asked["buttons"]["Retry"])
        await clicked.wait()
        clicked.clear()
        await shown.show(FAILED)
        service.ActionInvoked(2, "default")
        await clicked.wait()
        assert clicks == [("retry", "d7"), ("why", "d7")]
        await shown.close()


@on_a_bus
async def test_a_server_without_markup_gets_plain_text(session: str) -> None:
    async with popups.serving(session, "actions", "body") as service:
        shown = DesktopNotifier(nobody)
        await shown.show(FAILED)
        await shown.close()
        assert service.asked[0]["body"].startswith("a_b & <c>.mp4")


@on_a_bus
async def test_popups_do_not_pile_up_and_go_when_we_go(session: str) -> None:
    async with popups.serving(session, "body") as service:
        shown = DesktopNotifier(nobody)
        for n in range(notifier.ON_SCREEN + 2):
            await shown.show(Notice(f"n{n}", ""))
        assert service.closed == [1, 2]
        await shown.close()
        assert sorted(service.closed) == [1, 2, 3, 4, 5, 6]


@on_a_bus
async def test_long_texts_are_cut(session: str) -> None:
    async with popups.serving(session, "body") as service:
        shown = DesktopNotifier(nobody)
        await shown.show(Notice("t" * 500, "b" * 5000))
        await shown.close()
        assert len(service.asked[0]["title"]) == notifier.TITLE_CHARACTERS
        assert len(service.asked[0]["body"]) == notifier.BODY_CHARACTERS


async def test_what_the_desktop_refuses_is_shown_at_the_icon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    balloons: list[Notice] = []
    clicks: list[tuple[str, str]] = []
    shown = DesktopNotifier(lambda do, id: clicks.append((do, id)))

    def balloon(notice: Notice, click: Callable[[], object]) -> bool:
        balloons.append(notice)
        click()
        return True

    shown.balloon = balloon
    for _ in range(2):
        await shown.show(FAILED)
    await shown.close()
    assert balloons == [FAILED, FAILED]
    assert clicks == [("why", "d7")] * 2


async def test_a_desktop_without_popups_is_asked_once_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    shown = DesktopNotifier(nobody)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await shown.show(FAILED)
        await shown.close()
    assert len(caplog.records) == 1
    assert "everything else goes on" in caplog.text


async def test_no_popups_at_all_is_fine() -> None:
    nothing = NullNotifier()
    await nothing.show(FAILED)
    await nothing.close()


@pytest.mark.desktop
@pytest.mark.needs("openbox", "xsetroot", "xfce4-notifyd-config")
def test_a_click_on_retry_in_a_real_popup_retries(boot: Boot) -> None:
    desktop = boot("none")
    desktop.start_notifications()
    with closing(Program(desktop, "tests.desktop.stub_notifier")) as program:
        assert program.next() == ["ready", False], "the library is imported before it is needed"
        program.say(FAILED)
        assert program.next(10) == ["shown", True]
        window = until(lambda: popup(desktop), "the popup")
        retry = until(lambda: button(desktop, window), "its buttons")
        desktop.click(retry)
        assert program.next() == ["follow", "retry", "d7"]


def popup(desktop: Desktop) -> Window | None:
    """The popup, once it stands still."""
    first = desktop.windows()
    return first[0] if first and first == desktop.windows() else None


def button(desktop: Desktop, window: Window) -> tuple[int, int] | None:
    """The middle of the right one of two buttons in the lowest row."""
    rows = desktop.bands(window)
    # Text beside its icon is one band, the buttons are another.
    return (window.x + window.width * 3 // 4, rows[-1]) if len(rows) >= 2 else None
