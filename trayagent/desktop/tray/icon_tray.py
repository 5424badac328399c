"""The tray around a pystray icon: newest snapshot in, clicks out, at most four repaints a second."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

# pystray picks its backend at import: on Linux it would need a display, and may fail with errors of
# X or GTK. Its dummy can always be imported. The choice stands only while the import lasts.
if not TYPE_CHECKING and sys.platform == "linux":
    chosen = os.environ.get("PYSTRAY_BACKEND")
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        importlib.import_module("pystray")
    finally:
        os.environ.pop("PYSTRAY_BACKEND")
        if chosen is not None:
            os.environ["PYSTRAY_BACKEND"] = chosen

from pystray._base import Icon, Menu, MenuItem

from trayagent.desktop import clipboard
from trayagent.desktop.tray import menu
from trayagent.desktop.tray.menu import LINE, Do, Face, Row, Seating, icon_state, tooltip
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import Actions, hold
from trayagent.model.events import Notice

# The layers above take pystray's classes from here, behind the import above.
__all__ = [
    "Dispatch",
    "Icon",
    "IconTray",
    "Menu",
    "MenuItem",
    "Pace",
    "minutes_until_morning",
    "pystray_menu",
]

REPAINT_SECONDS: Final = 0.25
"""Between repaints."""

MORNING_HOUR: Final = 8
"""When "tomorrow" begins."""

log = logging.getLogger(__name__)


class Pace:
    """Calls `act` soon after a `poke`, in a thread of its own, and not more often than `interval`."""

    def __init__(self, act: Callable[[], None], interval: float = REPAINT_SECONDS) -> None:
        self._act = act
        self._interval = interval
        self._lock = threading.Lock()
        self._acting = threading.Lock()
        self._waiting = False
        self._last = float("-inf")

    def poke(self) -> None:
        with self._lock:
            if self._waiting:
                return
            self._waiting = True
            delay = max(0.0, self._last + self._interval - time.monotonic())
        timer = threading.Timer(delay, self._due)
        timer.name, timer.daemon = "tray repaint", True
        timer.start()

    def _due(self) -> None:
        # The flag falls before the work: a poke that comes meanwhile gets a call of its own, so the
        # last state is never left unpainted.
        with self._lock:
            self._waiting = False
            self._last = time.monotonic()
        # Work longer than the interval must not overlap itself on the next timer's thread.
        with self._acting:
            self._act()


class Dispatch:
    """Turns what a row does into a call; what only the desktop knows is added here."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def __call__(self, do: Do) -> None:
        """The boundary of every click: whatever fails, the tray stays."""
        try:
            match do.name:
                # Another program owns the clipboard and may take seconds: not on the icon's thread.
                case "add_from_clipboard":
                    threading.Thread(target=self._paste, name="clipboard", daemon=True).start()
                case "pause_until_tomorrow":
                    self._actions.pause_queue(minutes_until_morning(datetime.now().astimezone()))
                case _:
                    do.perform(self._actions)
        except Exception:
            log.exception("the click on %s failed", do.name)

    def _paste(self) -> None:
        self._actions.add_from_clipboard(clipboard.read())


def minutes_until_morning(now: datetime) -> int:
    """From now, local time, until tomorrow at eight."""
    morning = (now + timedelta(days=1)).replace(
        hour=MORNING_HOUR, minute=0, second=0, microsecond=0
    )
    return round((morning - now).total_seconds() / 60)


def pystray_menu(
    rows: tuple[Row, ...], click: Callable[[Do], None], label: Callable[[str], str] = str
) -> Menu:
    """The rows as pystray has them; `label` adapts the texts to a desktop."""
    return Menu(*(_item(row, click, label) for row in rows))


def _item(row: Row, click: Callable[[Do], None], label: Callable[[str], str]) -> MenuItem:
    if row == LINE:
        return Menu.SEPARATOR
    do = row.do
    return MenuItem(
        label(row.label),
        pystray_menu(row.rows, click, label) if row.rows else (lambda: click(do)) if do else None,
        checked=None if row.checked is None else lambda _item: row.checked,
        radio=row.checked is not None,
        default=row.default,
        visible=row.visible,
        enabled=row.enabled,
    )


class IconTray:
    """A tray made of a pystray icon. Subclasses say how an image, a text and a menu get there.

    state     _shown  _stopped  _failed   `show` does
    --------  ------  --------  -------   -------------------------------------------
    new       -       -         -         keeps the snapshot for the first paint
    shown     yes     -         -         pokes the pace
    failed    maybe   -         yes       nothing that is seen: `run` waits for `stop`
    stopped   maybe   yes       maybe     nothing: a repaint that is due is dropped
    """

    through = "nothing"
    """What shows it, for the log."""

    def __init__(self, make: Callable[[str], Icon], actions: Actions) -> None:
        self._icon = make("trayagent")
        self._click = Dispatch(actions)
        self._pace = Pace(self._repaint)
        self._snapshot = Snapshot()
        self._seating: Seating = ()
        self._rows: tuple[Row, ...] = ()
        self._face: Face | None = None
        self._shown = threading.Event()
        self._stopped = threading.Event()
        self._failed = False

    def __repr__(self) -> str:
        return f"<tray through {self.through}>"

    def run(self) -> None:
        """Serve clicks until `stop`; if the desktop takes the tray away, wait for `stop` without one."""
        try:
            self._paint()
            self._icon.run(self._ready)
        except Exception:
            log.exception("the tray failed; everything else goes on")
            # Let pystray's set-up thread go: it waits for a loop that never ran, and would keep us alive.
            self._failed = True
            with contextlib.suppress(Exception):
                self._icon._mark_ready()  # noqa: SLF001
        hold(self._stopped)

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        if self._shown.is_set():
            self._pace.poke()

    def balloon(self, notice: Notice, click: Callable[[], object]) -> bool:  # noqa: ARG002
        """Where the desktop has notifications of its own, the icon shows none."""
        return False

    def stop(self) -> None:
        self._stopped.set()
        self._icon.stop()

    def _ready(self, icon: Icon) -> None:
        """The loop runs; pystray calls this in a thread of its own."""
        if self._failed:
            return
        if self._stopped.is_set():
            icon.stop()
            return
        self._reveal()
        self._shown.set()
        self._pace.poke()

    def _reveal(self) -> None:
        self._icon.visible = True

    def _repaint(self) -> None:
        """Paint from the pace's thread; adapters that need another one do so here."""
        if not self._stopped.is_set():
            self._paint()

    def _paint(self) -> None:
        """Hand over what differs from the last time.

        The menu goes first: who sees the new icon and opens the menu finds its rows there. The
        menus of GTK's panels do not grow while they are open; a row that comes later is cut off.
        """
        snapshot = self._snapshot
        # Rows keep their downloads from paint to paint, see `Seating`.
        self._seating = menu.seat(self._seating, snapshot.board.current)
        rows = menu.rows(snapshot, self._seating)
        if rows != self._rows:
            self._rows = rows
            self._show_rows(rows)
        self._icon.title = self._text(tooltip(snapshot))
        face = icon_state(snapshot)
        if face != self._face:
            self._face = face
            self._icon.icon = self._image(face)

    def _image(self, face: Face) -> Any:
        raise NotImplementedError

    def _text(self, text: str) -> str:
        return text

    def _show_rows(self, rows: tuple[Row, ...]) -> None:
        self._icon.menu = pystray_menu(rows, self._click)
