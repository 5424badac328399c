"""On macOS every call is made on the main thread, and an open menu is left alone.

Against fakes: the calls our adapter makes, in their order, on any system.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.desktop import samples
from tests.desktop.fakes.macos import Log, macos
from trayagent.desktop.tray.tray import Actions


class MacBench:
    """A macOS tray whose main thread is the test's."""

    def __init__(self, module: Any, log: Log) -> None:
        self.module, self.log = module, log
        self.tray = module.MacTray(cast("Actions", None))
        self.icon = self.tray._icon
        self.tray._paint()


@pytest.fixture
def bench() -> Iterator[MacBench]:
    with macos() as (module, log):
        yield MacBench(module, log)


def elsewhere(act: Any, *args: object) -> None:
    """Do it on another thread."""
    thread = threading.Thread(target=act, args=args)
    thread.start()
    thread.join()


def test_nothing_is_called_off_the_main_thread(bench: MacBench) -> None:
    elsewhere(bench.tray._ready, bench.icon)
    bench.log.catch_up()
    bench.tray._snapshot = samples.BUSY
    elsewhere(bench.tray._repaint)
    bench.log.catch_up()
    bench.icon._running = True
    bench.icon._setup_thread = threading.current_thread()
    elsewhere(bench.icon._stop)
    bench.log.catch_up()
    assert "stop_" in bench.log.names()
    assert bench.log.threads == {threading.get_ident()}


def test_it_is_an_accessory_without_a_place_in_the_dock(bench: MacBench) -> None:
    assert "setActivationPolicy_" in bench.log.names()


def test_the_picture_is_a_template_in_retina_size(bench: MacBench) -> None:
    bench.icon.visible = True
    assert ("setSize_", ((22, 22),)) in bench.log.calls
    assert ("setTemplate_", (True,)) in bench.log.calls
    (png,) = next(args for name, args in bench.log.calls if name == "initWithData_")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 44


def test_the_tooltip_says_the_state(bench: MacBench) -> None:
    bench.icon.visible = True
    bench.tray._snapshot = samples.PAUSED
    bench.tray._paint()
    said = [args[0] for name, args in bench.log.calls if name == "setToolTip_"]
    assert said[-1].startswith("trayagent — Paused until")


def test_an_open_menu_is_left_alone_until_it_closes(bench: MacBench) -> None:
    watch = bench.icon._watch
    watch.menuWillOpen_(None)
    before = bench.log.names().count("setMenu_")
    for snapshot in (samples.BUSY, samples.FAILED):
        bench.tray._snapshot = snapshot
        bench.tray._paint()
    assert bench.log.names().count("setMenu_") == before
    watch.menuDidClose_(None)
    bench.log.catch_up()
    assert bench.log.names().count("setMenu_") == before + 1


def test_ctrl_c_reaches_the_handler_of_the_app(bench: MacBench) -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: caught.append(number))
    try:
        bench.module.forward(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    number, handler = next(args for name, args in bench.log.calls if name == "signal")
    handler(number)
    assert caught == [signal.SIGTERM]
