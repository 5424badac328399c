"""Which tray this desktop can have, and why."""

from __future__ import annotations

import os
import threading
from typing import Literal, Protocol

from trayagent.desktop.tray.actions import Actions
from trayagent.desktop.tray.snapshot import Snapshot

Kind = Literal["auto", "sni", "gtk", "xorg", "none"]


class Tray(Protocol):
    """The tray as the app sees it; the main thread belongs to it while it runs."""

    def run(self) -> None:
        """Show the icon and serve clicks until `stop`; call it on the main thread."""

    def show(self, snapshot: Snapshot) -> None:
        """Show this state soon; the newest wins. From any thread, returns at once."""

    def stop(self) -> None:
        """Let `run` return. From any thread, at any time, as often as you like."""


class NoTray:
    """The desktop without a tray: holds the main thread and shows nothing."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def __repr__(self) -> str:
        return "<no tray>"

    def run(self) -> None:
        # On Windows a wait without end would not see Ctrl-C.
        while not self._stopped.wait(None if os.name == "posix" else 0.5):
            pass

    def show(self, snapshot: Snapshot) -> None:
        pass

    def stop(self) -> None:
        self._stopped.set()


def choose_tray(kind: Kind, actions: Actions) -> Tray:
    """The best tray there is for what was asked, or none; never fails."""
    return NoTray()
