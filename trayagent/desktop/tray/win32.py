"""The tray of Windows: pystray's icon, with what it leaves out.

Texts are cut before ctypes refuses them, `&` is doubled, every change happens on the icon's own
thread, and the menu is built just before it opens, never under the hand that holds it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image
from pystray import _win32
from pystray._util import win32

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.actions import Actions
from trayagent.desktop.tray.face import Face
from trayagent.desktop.tray.frame import IconTray, pystray_menu
from trayagent.desktop.tray.icons import Theme
from trayagent.desktop.tray.menu import Row

TIP_UNITS: Final = 127
"""UTF-16 units of a tooltip, without the closing zero."""

WM_HOP: Final = 0x8000 + 17
"""Our own message (WM_APP and up): run what waits."""

SM_CXSMICON: Final = 49
SMALL_ICON: Final = 16


def fitting(text: str, units: int) -> str:
    """The text in at most so many UTF-16 units, no character cut in half."""
    raw = text.encode("utf-16-le", "replace")
    return raw[: units * 2].decode("utf-16-le", "ignore")


def verbatim(label: str) -> str:
    """A label that shows as it is: `&` would mark a mnemonic, a tab an accelerator."""
    return label.replace("&", "&&").replace("\t", " ")


class WindowsIcon(_win32.Icon):
    """`before_menu` is called when the menu is about to open; `hop` runs things on this thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.before_menu: Callable[[], None] = lambda: None
        self.hopped: Callable[[], None] = lambda: None
        self._menu_open = False
        self._message_handlers[WM_HOP] = lambda _wparam, _lparam: self.hopped()

    def hop(self) -> None:
        """Have `hopped` called on the thread of the icon."""
        if self._hwnd:
            win32.PostMessage(self._hwnd, WM_HOP, 0, 0)

    def _on_notify(self, wparam: int, lparam: int) -> None:
        if lparam != win32.WM_RBUTTONUP or self._menu_open:
            super()._on_notify(wparam, lparam)
            return
        self.before_menu()
        self._menu_open = True
        try:
            super()._on_notify(wparam, lparam)
        finally:
            self._menu_open = False

    def _update_menu(self) -> None:
        if not self._menu_open:
            super()._update_menu()

    def _assert_icon_handle(self) -> None:
        """Load the picture in its own size: pystray's way would scale it up and down again."""
        if self._icon_handle:
            return
        width, height = self.icon.size
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "icon.ico"
            self.icon.save(path, sizes=[(width, height)])
            self._icon_handle = win32.LoadImage(
                None, str(path), win32.IMAGE_ICON, width, height, win32.LR_LOADFROMFILE
            )


class WindowsTray(IconTray):
    """Left click opens the dashboard, right click the menu."""

    through = "Windows"

    _icon: WindowsIcon

    def __init__(self, actions: Actions) -> None:
        super().__init__(WindowsIcon, actions)
        self._icon.before_menu = self._build_menu
        self._icon.hopped = self._paint

    def _repaint(self) -> None:
        self._icon.hop()

    def _image(self, face: Face) -> Image.Image:
        return icons.draw(face, icon_size(), theme())

    def _text(self, text: str) -> str:
        return fitting(text, TIP_UNITS)

    def _show_rows(self, rows: tuple[Row, ...]) -> None:  # noqa: ARG002 – see _build_menu
        if self._icon.menu is None:
            self._build_menu()

    def _build_menu(self) -> None:
        self._icon.menu = pystray_menu(self._rows, self._click, verbatim)


def icon_size() -> int:
    """Pixels of a tray icon at this screen's scale."""
    if sys.platform == "win32":
        import ctypes

        return int(ctypes.windll.user32.GetSystemMetrics(SM_CXSMICON)) or SMALL_ICON
    return SMALL_ICON


def theme() -> Theme:
    """The colour of the taskbar."""
    if sys.platform == "win32":
        import winreg

        path = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
                return "light" if winreg.QueryValueEx(key, "SystemUsesLightTheme")[0] else "dark"
        except OSError:
            return "any"
    return "any"
