"""The tray of Windows: pystray's icon, with what it leaves out.

Texts are cut before ctypes refuses them, `&` is doubled, every change happens on the icon's own
thread, and the menu is built just before it opens, never under the hand that holds it.

A taskbar that is not there yet, or too busy at a login, is asked for the icon again until it takes
it. Where Windows refuses toasts, the icon shows balloons in their place.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from pystray import _win32
from pystray._util import win32

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.icon_tray import IconTray, pystray_menu
from trayagent.desktop.tray.icons import Theme
from trayagent.desktop.tray.menu import Face, Row
from trayagent.desktop.tray.tray import Actions
from trayagent.model.events import Notice

TIP_UNITS: Final = 127
"""UTF-16 units of a tooltip, without the closing zero."""

INFO_UNITS: Final = 255
INFO_TITLE_UNITS: Final = 63
"""UTF-16 units of a balloon (NOTIFYICONDATAW), without the closing zeros."""

NIIF_INFO: Final = 1
NIIF_ERROR: Final = 3

NIN_BALLOONUSERCLICK: Final = 0x0400 + 5

WM_RUN_ON_ICON_THREAD: Final = 0x8000 + 17
"""Our own message (WM_APP and up): run what waits."""

WM_TIMER: Final = 0x0113
LOOK_MILLISECONDS: Final = 500
"""How often the icon's thread wakes by itself: Ctrl-C is handled only while Python runs, not while
it waits for messages, and a taskbar that refused the icon is asked again."""

SM_CXSMICON: Final = 49
SMALL_ICON: Final = 16


def fitting(text: str, units: int) -> str:
    """The text in at most so many UTF-16 units, no character cut in half."""
    # Bytes of UTF-16 are what Windows counts: an emoji takes two units, and half of one is none.
    raw = text.encode("utf-16-le", "replace")
    return raw[: units * 2].decode("utf-16-le", "ignore")


def verbatim(label: str) -> str:
    """A label that shows as it is: `&` would mark a mnemonic, a tab an accelerator."""
    return label.replace("&", "&&").replace("\t", " ")


class Balloon(NamedTuple):
    """A notice beside the icon, and what a click on it does."""

    title: str
    body: str
    flags: int
    click: Callable[[], object]


class WindowsIcon(_win32.Icon):
    """`before_menu` is called when the menu is about to open; `run_on_icon_thread` runs things on this thread."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.before_menu: Callable[[], None] = lambda: None
        self.on_icon_thread: Callable[[], None] = lambda: None
        self.balloon_clicked: Callable[[], object] = lambda: None
        self._menu_open = False
        self._stopping = False
        self._taken = False
        """Whether the taskbar has the icon."""
        # pystray looks handlers up by message; those it does not know go to Windows.
        self._message_handlers[WM_RUN_ON_ICON_THREAD] = lambda _wparam, _lparam: (
            self.on_icon_thread()
        )
        self._message_handlers[WM_TIMER] = lambda _wparam, _lparam: self._look()

    def run_on_icon_thread(self) -> None:
        """Have `on_icon_thread` called on the thread of the icon."""
        if self._hwnd:
            win32.PostMessage(self._hwnd, WM_RUN_ON_ICON_THREAD, 0, 0)

    def _mark_ready(self) -> None:
        if self._hwnd:
            win32.windll.user32.SetTimer(self._hwnd, 1, LOOK_MILLISECONDS, None)
        super()._mark_ready()

    def _look(self) -> None:
        if self.visible and not self._taken:
            self._show()

    def _show(self) -> None:
        self._assert_icon_handle()
        parts = {
            "uCallbackMessage": win32.WM_NOTIFY,
            "hIcon": self._icon_handle,
            "szTip": self.title,
        }
        flags = win32.NIF_MESSAGE | win32.NIF_ICON | win32.NIF_TIP
        # A busy taskbar may take the icon and answer too late: then it can be changed.
        self._taken = any(
            self._message(code, flags, **parts) for code in (win32.NIM_ADD, win32.NIM_MODIFY)
        )

    def _message(self, code: int, flags: int, **parts: object) -> bool:
        """Tell the taskbar about the icon; returns whether it took that (pystray does not look)."""
        size = ctypes.sizeof(win32.NOTIFYICONDATAW)
        data = win32.NOTIFYICONDATAW(cbSize=size, hWnd=self._hwnd, uFlags=flags, **parts)
        return bool(win32.Shell_NotifyIcon(code, data))

    def show_balloon(self, balloon: Balloon) -> None:
        """Show it in place of the one before; on this thread only."""
        self.balloon_clicked = balloon.click
        self._message(
            win32.NIM_MODIFY,
            win32.NIF_INFO,
            szInfo=fitting(balloon.body, INFO_UNITS),
            szInfoTitle=fitting(balloon.title, INFO_TITLE_UNITS),
            dwInfoFlags=balloon.flags,
        )

    def _on_stop(self, wparam: int, lparam: int) -> None:
        """End the loop; an open menu has a loop of its own, which swallows the order to quit, and ends first."""
        self._stopping = True
        if self._menu_open:
            win32.windll.user32.EndMenu()
        else:
            super()._on_stop(wparam, lparam)

    def _on_notify(self, wparam: int, lparam: int) -> None:
        if lparam == NIN_BALLOONUSERCLICK:
            self.balloon_clicked()
            return
        # pystray opens the menu inside its handler and returns when the menu is closed: so before and
        # after that call is before and after the menu. A second click meanwhile opens none.
        if lparam != win32.WM_RBUTTONUP or self._menu_open:
            super()._on_notify(wparam, lparam)
            return
        self.before_menu()
        self._menu_open = True
        try:
            super()._on_notify(wparam, lparam)
        finally:
            self._menu_open = False
            if self._stopping:
                win32.PostQuitMessage(0)

    def _update_menu(self) -> None:
        # Windows would take an open menu away from under the pointer.
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
        self._balloons: deque[Balloon] = deque(maxlen=1)
        self._icon.before_menu = self._build_menu
        self._icon.on_icon_thread = self._on_icon_thread

    def balloon(self, notice: Notice, click: Callable[[], object]) -> bool:
        """Show it at the icon; of several at once, the newest."""
        if not self._shown.is_set() or self._stopped.is_set():
            return False
        flags = NIIF_ERROR if notice.level == "error" else NIIF_INFO
        # An empty text would take the balloon back.
        body = notice.body or notice.title
        title = notice.title if notice.body else "trayagent"
        self._balloons.append(Balloon(title, body, flags, click))
        self._icon.run_on_icon_thread()
        return True

    def _on_icon_thread(self) -> None:
        self._paint()
        while self._balloons:
            self._icon.show_balloon(self._balloons.popleft())

    def _repaint(self) -> None:
        self._icon.run_on_icon_thread()

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
        # 0 would mean that Windows does not know: then the size of an unscaled screen.
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
