"""Fallbacks for desktops that only have an X11 tray (XEmbed): pystray's own backends, mended.

pystray's modules are imported when a tray is made: GTK costs 60 MB, and each fails where it cannot
work.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

from PIL import Image

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.icon_tray import Icon, IconTray
from trayagent.desktop.tray.menu import Face
from trayagent.desktop.tray.tray import Actions

SIZE = 48
"""Pixels; panels scale it down."""

PANEL_GREY = (45, 48, 54, 255)
"""What stands behind the icon where the window has no transparency."""


class NoPopups:
    """Stands where pystray keeps its notifications, which need a service that may not be there."""

    def hide(self) -> None:
        """Nothing was shown."""


def gtk_icon(name: str) -> Icon:
    """A GtkStatusIcon that leaves popups to others, and Ctrl-C to the app."""
    from pystray import _gtk

    class GtkIcon(_gtk.Icon):
        def _initialize(self) -> None:
            self._notifier = NoPopups()
            self._mark_ready()

    return GtkIcon(name)


class WorkQueue:
    """Work for a thread that waits for a connection: any thread may leave it, a signal handler too."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._reader, self._writer = socket.socketpair()
        # Whoever leaves work, a signal handler say, must never wait for the thread that does it.
        self._writer.setblocking(False)

    def leave(self, work: Callable[[], None]) -> None:
        """Have it done, in turn, and go on at once."""
        self._work.put(work)
        with contextlib.suppress(BlockingIOError):  # full of signs still to be read
            self._writer.send(b"\0")

    def wait(self, connection: int) -> None:
        """Do what was left; return when something was, or when the connection has something to read."""
        ready, _, _ = select.select([connection, self._reader.fileno()], [], [])
        if self._reader.fileno() in ready:
            self._reader.recv(4096)
            while not self._work.empty():
                self._work.get()()


def xorg_icon(name: str) -> Icon:
    """A bare X window that docks once and hears clicks; only the thread of its loop talks to X.

    python-xlib 0.33 loses requests when two threads share a connection: the one that only sends
    may leave without waking the other, which then waits for an answer to what was never sent.
    """
    from pystray import _xorg
    from Xlib import X

    work = WorkQueue()

    class XorgIcon(_xorg.Icon):
        def _rewrite_implementation(self, *methods: Callable[[], None]) -> None:
            for method in methods:
                setattr(self, method.__name__, partial(work.leave, method))

        def _events(self) -> Iterator[Any]:
            while True:
                self._display.sync()  # a flush may leave a part of a large picture unsent
                if self._display.pending_events():
                    yield self._display.next_event()
                else:
                    work.wait(self._display.fileno())

        def _dock_window(self) -> None:
            # pystray asks at every change. Asked again while it still embeds the window, trayer
            # embeds it twice and then lets go of it: nothing is left to draw on.
            if self._get_systray_manager() != self._systray_manager:
                super()._dock_window()

        def _update_title(self) -> None:
            """Nothing: an X11 tray shows no text, and pystray fails at a dash: it tries Latin-1."""

    icon = XorgIcon(name, title=name)
    mask = X.ExposureMask | X.StructureNotifyMask | X.ButtonPressMask  # pystray forgets the last
    icon._window.change_attributes(event_mask=mask)  # noqa: SLF001 – there is no public way
    return icon


class GtkTray(IconTray):
    """Icon and menu through GTK; an open menu shows what was true when it opened."""

    through = "GTK"

    def __init__(self, actions: Actions) -> None:
        super().__init__(gtk_icon, actions)

    def _image(self, face: Face) -> Image.Image:
        return icons.draw(face, SIZE)


class XorgTray(IconTray):
    """Only an icon; its click opens the dashboard."""

    through = "plain X11"

    def __init__(self, actions: Actions) -> None:
        super().__init__(xorg_icon, actions)

    def _image(self, face: Face) -> Image.Image:
        picture = icons.draw(face, SIZE, "dark")
        behind = Image.new("RGBA", picture.size, PANEL_GREY)
        behind.alpha_composite(picture)
        return behind
