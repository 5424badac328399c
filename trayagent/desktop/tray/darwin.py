"""The tray of macOS: pystray's icon, with every call on the main thread.

AppKit kills a program that changes its menu bar from another thread. The picture is a template in
Retina size, which the menu bar colours; a menu that is open is left alone until it closes.
"""

from __future__ import annotations

import io
import signal
from typing import Any, Final

import AppKit
import Foundation
from PIL import Image
from PyObjCTools import AppHelper, MachSignals
from pystray import _darwin

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.icon_tray import Icon, IconTray
from trayagent.desktop.tray.menu import Face
from trayagent.desktop.tray.tray import Actions

POINTS: Final = 22
PIXELS: Final = 44
"""Twice the points, for Retina screens."""


class MenuWatch(Foundation.NSObject):  # type: ignore[misc]
    """The menu's delegate: knows whether it is open (NSMenuDelegate)."""

    icon: MacIcon

    def menuWillOpen_(self, menu: Any) -> None:  # noqa: ARG002, N802 – the selector's name
        """From now on the menu is left alone."""
        self.icon.note_open()

    def menuDidClose_(self, menu: Any) -> None:  # noqa: ARG002, N802
        """Catch up a turn of the loop later: AppKit sends the click that closed the menu after this call."""
        AppHelper.callAfter(self.icon.note_closed)


class MacIcon(_darwin.Icon):
    """An accessory without a place in the Dock."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._open = False
        self._stale = False
        self._watch = MenuWatch.alloc().init()
        self._watch.icon = self
        self._app.setActivationPolicy_(AppKit.NSApplicationActivationPolicyAccessory)

    def note_open(self) -> None:
        """From now on the menu is left alone."""
        self._open = True

    def note_closed(self) -> None:
        """Catch up with what changed meanwhile."""
        self._open = False
        if self._stale:
            self._update_menu()

    def _update_menu(self) -> None:
        # | menu   | a change                       |
        # |--------|--------------------------------|
        # | closed | is shown at once               |
        # | open   | is noted; shown when it closes |
        self._stale = self._open
        if self._open:
            return
        super()._update_menu()
        if self._menu_handle:
            self._menu_handle[0].setDelegate_(self._watch)

    def _assert_image(self) -> None:
        if self._icon_image:
            return
        # A template has no colours of its own: the menu bar draws it dark or light, as it is itself.
        png = io.BytesIO()
        self._icon.save(png, "png")
        data = Foundation.NSData.dataWithBytes_length_(png.getvalue(), len(png.getvalue()))
        self._icon_image = AppKit.NSImage.alloc().initWithData_(data)
        self._icon_image.setSize_((POINTS, POINTS))
        self._icon_image.setTemplate_(True)
        self._status_item.button().setImage_(self._icon_image)

    def _run(self) -> None:
        """Run the application; Ctrl-C and friends go to the handlers the app has set."""
        for number in (signal.SIGINT, signal.SIGTERM):
            forward(number)
        self._mark_ready()
        try:
            self._app.run()
        finally:
            self._status_bar.removeStatusItem_(self._status_item)

    def _stop(self) -> None:
        AppHelper.callAfter(super()._stop)


def forward(number: signal.Signals) -> None:
    """Hand a signal to its Python handler: AppKit's loop never lets Python look for itself."""
    handler = signal.getsignal(number)
    if callable(handler):
        known = handler
        MachSignals.signal(number, lambda caught: known(caught, None))


class MacTray(IconTray):
    """Every click opens the menu; its first row is the dashboard."""

    through = "macOS"

    def __init__(self, actions: Actions) -> None:
        super().__init__(MacIcon, actions)

    def _repaint(self) -> None:
        AppHelper.callAfter(super()._repaint)

    def _ready(self, icon: Icon) -> None:
        AppHelper.callAfter(super()._ready, icon)

    def _image(self, face: Face) -> Image.Image:
        return icons.draw(face, PIXELS, "template")
