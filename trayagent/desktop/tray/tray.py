"""The tray as the app sees it: what it shows, what it may ask for, and the desktop without one.

No tray is a normal state, in which everything else works.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from trayagent.desktop.tray.snapshot import Level, Snapshot
from trayagent.model.events import Notice
from trayagent.model.status import Plan, SpeedMode


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


class Actions(Protocol):
    """The agent, as the tray sees it. Called on the tray's thread: every method returns at once."""

    def open_dashboard(self) -> None: ...

    def open_settings(self) -> None: ...

    def pair_browser(self) -> None:
        """Show how to send videos from the browser."""

    def connect_program(self) -> None:
        """Show the secrets of programs made for aria2 or MeTube: to copy, and to revoke."""

    def set_up_images(self) -> None:
        """Show how to add a library, or how to sign in to one."""

    def pause_queue(self, minutes: int | None) -> None:
        """Pause everything for some minutes, or until resumed."""

    def resume_queue(self) -> None: ...

    def choose_speed(self, mode: SpeedMode) -> None:
        """Full, slow, or by the clock."""

    def choose_when_done(self, plan: Plan) -> None:
        """What happens, this once, when all is done; `nothing` stops a countdown."""

    def pause(self, id: str) -> None: ...

    def cancel(self, id: str) -> None: ...

    def retry(self, id: str) -> None: ...

    def why(self, id: str) -> None:
        """Show why the download failed."""

    def retry_failed(self) -> None: ...

    def dismiss_failures(self) -> None:
        """Show the failures no more on the icon; they stay in the list."""

    def sync(self, source: str | None) -> None:
        """Sync one source, or all of them."""

    def open_file(self, path: str) -> None: ...

    def open_folder(self, path: str) -> None:
        """Open a folder, or the folder of a file with the file selected."""

    def add_from_clipboard(self, text: str) -> None:
        """Queue the addresses found in the text; it may hold none."""

    def set_notifications(self, level: Level) -> None: ...

    def snooze(self, minutes: int) -> None:
        """No popups for some minutes; 0 ends it."""

    def undo(self, batch: str) -> None: ...

    def follow(self, do: str, id: str) -> None:
        """Do what a notice's button says: see `model.events.Action`."""

    def quit(self) -> None: ...


def hold(stopped: threading.Event) -> None:
    """Keep the main thread until then, open to signals: Windows sees Ctrl-C only between waits."""
    # A wait without an end is not broken by Ctrl-C there; half a second is not felt.
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
