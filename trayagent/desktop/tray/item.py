"""The icon object on the bus: org.kde.StatusNotifierItem, with what Ayatana's hosts ask for besides.

No `from __future__ import annotations` here: dbus-fast reads the annotations as they are. The names
are the protocol's.
"""
# ruff: noqa: N802, ARG002

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from dbus_fast import PropertyAccess
from dbus_fast.annotations import (
    DBusBool,
    DBusInt32,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt32,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from PIL import Image

from trayagent.desktop.tray import dbusmenu

PATH: Final = "/StatusNotifierItem"
READ: Final = PropertyAccess.READ

Pixmaps = Annotated[list[Any], DBusSignature("a(iiay)")]
ToolTip = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]


def pixmap(image: Image.Image) -> list[Any]:
    """A picture as the protocol wants it: width, height, ARGB in network byte order."""
    red, green, blue, alpha = image.convert("RGBA").split()
    return [image.width, image.height, Image.merge("RGBA", (alpha, red, green, blue)).tobytes()]


class StatusNotifierItem(ServiceInterface):
    """The icon object on the bus."""

    def __init__(self, name: str, activated: Callable[[], object]) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self._name = name
        self._activated = activated
        self._title = name
        self._pixmaps: list[Any] = []
        self._status = "Passive"

    def show_icon(self, images: Sequence[Image.Image]) -> None:
        self._pixmaps = [pixmap(image) for image in images]
        self.NewIcon()

    def show_title(self, title: str) -> None:
        self._title = title
        self.NewToolTip()

    def show_status(self, status: str) -> None:
        self._status = status
        self.NewStatus()

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._activated()

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._activated()

    @dbus_method()
    def XAyatanaSecondaryActivate(self, when: DBusUInt32) -> None:
        self._activated()

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> None:
        """The host shows the menu by itself."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> None:
        """Nothing to scroll."""

    @dbus_method()
    def ProvideXdgActivationToken(self, token: DBusStr) -> None:
        """KDE offers one before every click; the dashboard opens in the browser's own window."""

    @dbus_signal()
    def NewIcon(self) -> None:
        pass

    @dbus_signal()
    def NewToolTip(self) -> None:
        pass

    @dbus_signal()
    def NewStatus(self) -> DBusStr:
        return self._status

    @dbus_property(access=READ)
    def Category(self) -> DBusStr:
        return "ApplicationStatus"

    @dbus_property(access=READ)
    def Id(self) -> DBusStr:
        return self._name

    @dbus_property(access=READ)
    def Title(self) -> DBusStr:
        return self._name

    @dbus_property(access=READ)
    def Status(self) -> DBusStr:
        return self._status

    @dbus_property(access=READ)
    def WindowId(self) -> DBusInt32:
        return 0

    @dbus_property(access=READ)
    def IconThemePath(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def IconName(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def IconPixmap(self) -> Pixmaps:
        return self._pixmaps

    @dbus_property(access=READ)
    def IconAccessibleDesc(self) -> DBusStr:
        return self._title

    @dbus_property(access=READ)
    def AttentionIconName(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def AttentionAccessibleDesc(self) -> DBusStr:
        return self._title

    @dbus_property(access=READ)
    def OverlayIconName(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def XAyatanaLabel(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def XAyatanaLabelGuide(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def XAyatanaOrderingIndex(self) -> DBusUInt32:
        return 0

    @dbus_property(access=READ)
    def ToolTip(self) -> ToolTip:
        return ["", [], self._title, ""]

    @dbus_property(access=READ)
    def ItemIsMenu(self) -> DBusBool:
        return False

    @dbus_property(access=READ)
    def Menu(self) -> DBusObjectPath:
        return dbusmenu.PATH
