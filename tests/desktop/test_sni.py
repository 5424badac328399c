"""The icon on the bus, without a screen: properties, rows, clicks, small updates, and a bus that goes."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus
from msgspec.structs import replace

from tests.desktop import samples
from tests.desktop.onbus import ITEM
from tests.desktop.rig import Desktop, plain, until
from tests.desktop.stub import Stub, ready, stub
from tests.patience import patience
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.model.status import Board

pytestmark = [pytest.mark.needs("dbus-daemon"), pytest.mark.skipif("sys.platform != 'linux'")]


def test_the_icon_tells_hosts_all_they_ask_for(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray)
        tray.show(samples.BUSY)
        until(lambda: "3 active" in str(tray.item("ToolTip")), "the tooltip")
        assert tray.item("Id") == "trayagent"
        assert tray.item("Category") == "ApplicationStatus"
        assert tray.item("ItemIsMenu") is False
        assert tray.item("Menu") == "/MenuBar"
        assert tray.item("IconAccessibleDesc").startswith("trayagent — 3 active")
        sizes = [(width, height, len(pixels)) for width, height, pixels in tray.item("IconPixmap")]
        assert sizes == [(s, s, s * s * 4) for s in (16, 22, 24, 32, 48)]


def test_rows_say_and_do_what_the_snapshot_says(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        tray.show(samples.BUSY)
        ready(tray)
        until(lambda: "Retry all" in tray.rows(), "the busy menu")
        for label, call in {
            "Open dashboard": ["open_dashboard"],
            "Sync all images": ["sync", None],
            "Sync flow — 12 missing": ["sync", "flow"],
            "For 1 hour": ["pause_queue", 60],
            "Until resumed": ["pause_queue", None],
            "harbour.jpg": ["open_file", "/home/eve/Downloads/r1.mp4"],
            "Retry all": ["retry_failed"],
            "Dismiss all": ["dismiss_failures"],
            "Retry": ["retry", "f1"],
            "Why?": ["why", "f1"],
            "Move 41 files to the trash": ["undo", "b7"],
            "Drop lists here": ["open_folder", "/home/eve/drop"],
            "Problems only": ["set_notifications", "errors"],
            "Snooze for 1 hour": ["snooze", 60],
            "harbour.jpg — Download finished": ["follow", "open", "r1"],
            "Send from browser…": ["pair_browser"],
            "Connect other programs…": ["connect_program"],
            "Settings…": ["open_settings"],
            "Quit": ["quit"],
        }.items():
            tray.press(label)
            assert tray.next() == call
        assert tray.rows()["Everything"][1]["toggle-state"] == 1
        assert tray.rows()["Problems only"][1]["toggle-type"] == "radio"


def test_until_tomorrow_is_counted_when_it_is_clicked(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray).press("Until tomorrow")
        name, minutes = tray.next()
        assert name == "pause_queue"
        assert 8 * 60 <= minutes <= 32 * 60


def test_a_name_is_shown_verbatim(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray).show(samples.BUSY)
        until(lambda: "a__b__c & <d>.iso — 42 %" in tray.rows(), "the row, its underscores doubled")


def test_gnome_gets_only_the_underscore_doubled_that_it_would_eat(bus: Desktop) -> None:
    bus.env["XDG_CURRENT_DESKTOP"] = "ubuntu:GNOME"
    with stub(bus, "sni") as tray:
        ready(tray).show(samples.BUSY)
        until(lambda: "a__b_c & <d>.iso — 42 %" in tray.rows(), "the row for GNOME")


async def signals(
    bus: Desktop, tray: Stub, snapshots: list[Snapshot]
) -> list[tuple[str | None, list[object]]]:
    """What the menu sends for each of these snapshots, one after the other."""
    listener = await MessageBus(bus.env["DBUS_SESSION_BUS_ADDRESS"], BusType.SESSION).connect()
    got: list[tuple[str | None, list[object]]] = []
    bell = asyncio.Event()

    def heard(message: Message) -> None:
        if message.interface == "com.canonical.dbusmenu":
            got.append((message.member, plain(message.body)))
            bell.set()

    listener.add_message_handler(heard)
    daemon = "org.freedesktop.DBus"
    rule = "type='signal',interface='com.canonical.dbusmenu'"
    await listener.call(
        Message(daemon, "/org/freedesktop/DBus", daemon, "AddMatch", signature="s", body=[rule])
    )
    for snapshot in snapshots:
        bell.clear()
        tray.show(snapshot)
        async with asyncio.timeout(5):
            await bell.wait()
    listener.disconnect()
    return got


def test_live_updates_send_only_what_differs(bus: Desktop) -> None:
    def at(received: int) -> Snapshot:
        one = samples.download("d1", size=1000, received=received, speed=1_000_000)
        return replace(samples.IDLE, board=samples.active(one))

    with stub(bus, "sni") as tray:
        ready(tray).show(at(0))
        until(lambda: "d1.mp4 — 0 %" in tray.rows(), "the download's row")
        before, _ = tray.layout()
        got = asyncio.run(signals(bus, tray, [at(n * 100) for n in range(1, 6)]))
        after, _ = tray.layout()
        assert before == after
        assert {name for name, _ in got} == {"ItemsPropertiesUpdated"}
        assert all(len(str(body)) < 200 for _, body in got), got


def test_a_row_number_never_comes_to_mean_another_row(bus: Desktop) -> None:
    with stub(bus) as tray:
        ready(tray)
        before = {number for number, _ in tray.rows().values() if number}
        tray.show(samples.BUSY)
        until(lambda: "a__b__c & <d>.iso — 42 %" in tray.rows(), "the rows of downloads")
        after = {number for number, _ in tray.rows().values() if number}
        assert not before & after
        tray.press("Settings…")
        assert tray.next() == ["open_settings"]


def test_a_flood_of_updates_is_thinned_to_four_a_second(bus: Desktop) -> None:
    def progress(n: int) -> Snapshot:
        one = samples.download("d1", size=400, received=n, speed=n)
        return replace(samples.IDLE, board=samples.active(one))

    with stub(bus, "sni") as tray:
        ready(tray)
        started = time.monotonic()
        for n in range(401):
            tray.show(progress(n))
            time.sleep(max(0.0, started + n * 0.005 - time.monotonic()))
        until(lambda: "d1.mp4 — 100 %" in tray.rows(), "the last of 400 updates")
        assert tray.item("Status") == "Active"
        revision, _ = tray.layout()
        assert revision < 5


def test_a_host_that_asks_for_everything_at_once_does_not_break_the_connection(
    bus: Desktop,
) -> None:
    """A panel that asks for all pixmaps 200 times without reading fills the socket."""

    async def flood(name: str) -> list[Message]:
        host = await MessageBus(bus.env["DBUS_SESSION_BUS_ADDRESS"], BusType.SESSION).connect()
        properties = "org.freedesktop.DBus.Properties"
        ask = partial(Message, name, "/StatusNotifierItem", properties, "GetAll")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(host.call(ask(signature="s", body=[ITEM])), name="ask")
                for _ in range(200)
            ]
        host.disconnect()
        return [task.result() for task in tasks]

    with stub(bus, "sni") as tray:
        ready(tray)
        answers = asyncio.run(flood(tray.name))
        assert all("IconPixmap" in answer.body[0] for answer in answers)
        assert tray.item("Status") == "Active"


def test_the_icon_returns_when_the_bus_does(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray)
        assert bus.bus is not None
        bus.end(bus.bus)
        bus.bus_path.unlink(missing_ok=True)
        until(lambda: "is gone" in tray.log(), "the loss in the log")
        assert tray.process.poll() is None
        bus.start_bus()
        until(lambda: tray.item("Status") == "Active", "the icon on the new bus", 5)
        tray.press("Open dashboard")
        assert tray.next() == ["open_dashboard"]


def test_a_killed_tray_leaves_the_bus(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray)
        tray.process.kill()
        until(lambda: not bus.owned(tray.name), "the name released", 1)


def test_it_ends_at_once_when_told_to(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray)
        started = time.monotonic()
        tray.process.terminate()
        assert tray.process.wait(patience(5)) == 0
        assert time.monotonic() - started < patience(1)
        assert tray.next() == ["end"]


def test_without_bus_and_display_there_is_no_tray_and_nothing_fails(bus: Desktop) -> None:
    del bus.env["DBUS_SESSION_BUS_ADDRESS"]
    with stub(bus, "auto") as tray:
        assert tray.tray == "<no tray>"
        tray.show(samples.BUSY)
        tray.process.terminate()
        assert tray.process.wait(patience(5)) == 0
        assert "Traceback" not in tray.log()


@pytest.mark.alone
def test_an_idle_tray_sleeps_and_is_small(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray)
        time.sleep(0.5)
        before = tray.wakeups()
        time.sleep(2)
        assert tray.wakeups() - before <= 2
        assert tray.memory() < 60


def test_a_snapshot_that_changes_nothing_sends_nothing(bus: Desktop) -> None:
    with stub(bus, "sni") as tray:
        ready(tray).show(samples.BUSY)
        until(lambda: "Retry all" in tray.rows(), "the busy menu")
        later = replace(
            samples.BUSY, board=Board(samples.BUSY.board.status, samples.BUSY.board.current)
        )
        paused = replace(samples.BUSY, level="none")
        got = asyncio.run(signals(bus, tray, [paused]))
        assert len(got) == 1
        tray.show(replace(later, level="none"))
        assert asyncio.run(signals(bus, tray, [samples.BUSY]))[0][0] == "ItemsPropertiesUpdated"
