"""What a tray is, and the desktop without one: a normal state, in which everything else works."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.model.events import Notice


class Tray(Protocol):
    """The tray as the app sees it; the main thread belongs to it while it runs."""

    def run(self) -> None:
        """Show the icon and serve clicks until `stop`; call it on the main thread."""

    def show(self, snapshot: Snapshot) -> None:
        """Show this state soon; the newest wins. From any thread, returns at once."""

    def balloon(self, notice: Notice, click: Callable[[], object]) -> bool:
        """Show a notice at the icon, for a desktop that refuses another way; False if that is none of its ways."""

    def stop(self) -> None:
        """Let `run` return. From any thread, at any time, as often as you like."""


def hold(stopped: threading.Event) -> None:
    """Keep the main thread until then, open to signals: Windows sees Ctrl-C only between waits."""
    while not stopped.wait(None if os.name == "posix" else 0.5):
        pass


class NoTray:
    """Holds the main thread and shows nothing."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __repr__(self) -> str:
        return "<no tray>"

    def run(self) -> None:
        hold(self._stopped)

    def show(self, snapshot: Snapshot) -> None:
        pass

    def balloon(self, notice: Notice, click: Callable[[], object]) -> bool:  # noqa: ARG002
        return False

    def stop(self) -> None:
        self._stopped.set()
