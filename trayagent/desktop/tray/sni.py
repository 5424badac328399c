"""The tray of KDE, XFCE, LXQt, GNOME with its extension, and Wayland bars: our own icon, without GTK.

Three things, each a layer over the other:

    StatusNotifierItem  the object on the bus (org.kde.StatusNotifierItem, with what Ayatana's hosts
                        ask for besides); its menu is a DBusMenu
    SniIcon             a pystray icon that keeps both on the session bus, whatever comes and goes
    SniTray             the tray around it

No `from __future__ import annotations` here: dbus-fast reads the annotations as they are. The names
of the object's methods are the protocol's.
"""
# ruff: noqa: N802, ARG002

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from dbus_fast import (
    Message,
    MessageFlag,
    PropertyAccess,
)
from dbus_fast.aio import MessageBus
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

from trayagent.desktop.tray import dbusmenu, icons
from trayagent.desktop.tray.dbusmenu import DBusMenu
from trayagent.desktop.tray.icon_tray import Icon, IconTray, MenuItem
from trayagent.desktop.tray.menu import Face
from trayagent.desktop.tray.session_bus import LOST, WATCHER, follow_owner, session_bus
from trayagent.desktop.tray.tray import Actions

ITEM_PATH: Final = "/StatusNotifierItem"
READ: Final = PropertyAccess.READ

FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Between attempts to reach a bus that is gone."""

log = logging.getLogger(__name__)

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


class SniIcon(Icon):
    """A pystray icon; `icon` may be one image, or the same image drawn in several sizes.

    Its loop runs in the thread that calls `run`. Everything else may be called from any thread.
    """

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._item = StatusNotifierItem(name, self)
        # GNOME's extension reads underscores in labels in its own way: `dbusmenu.escape_mnemonics`.
        gnome = "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "")
        self._rows = DBusMenu(self._click, gnome=gnome)
        super().__init__(name, *args, **kwargs)

    def _click(self, chosen: MenuItem) -> None:
        self._handler(chosen)()

    def _post(self, act: Callable[..., object], *args: object) -> None:
        """Do it on the loop; before there is one, nobody listens yet, and after it, nobody any more."""
        # What is set before the loop runs is part of what a host reads first; no signal is needed.
        if self._loop is None:
            act(*args)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act, *args)

    def _show(self) -> None:
        self._post(self._item.show_status, "Active")

    def _hide(self) -> None:
        self._post(self._item.show_status, "Passive")

    def _update_icon(self) -> None:
        self._post(self._item.show_icon, _sizes(self._icon))
        self._icon_valid = True

    def _update_title(self) -> None:
        self._post(self._item.show_title, self._title)

    def _update_menu(self) -> None:
        self._post(self._rows.show, self._menu)

    def _run(self) -> None:
        asyncio.run(self._serve())

    def _stop(self) -> None:
        self._post(self._ended.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._item.show_title(self._title)
        self._mark_ready()
        async with asyncio.TaskGroup() as group:
            # The end is asked for from another thread; the bus may be gone by then, or never have come.
            staying = group.create_task(self._stay(), name="tray on the session bus")
            await self._ended.wait()
            staying.cancel()

    async def _stay(self) -> None:
        """Be on the session bus; when it goes, wait for it to come back."""
        pause = FIRST_PAUSE_SECONDS
        # A session may restart its bus, and a login may start us before it: neither ends the tray.
        while True:
            try:
                async with session_bus() as bus:
                    pause = FIRST_PAUSE_SECONDS
                    await self._attend(bus)
            except LOST as error:
                log.info(
                    "the session bus is gone (%s); trying again in %s s",
                    str(error) or "closed",
                    pause,
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _attend(self, bus: MessageBus) -> None:
        """Offer icon and menu to every tray host that comes, until the bus goes."""
        bus.export(ITEM_PATH, self._item)
        bus.export(dbusmenu.PATH, self._rows)
        try:
            # Exported first: a watcher may look at the item before it answers the registration.
            await follow_owner(bus, WATCHER, lambda: _register(bus))
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        finally:
            bus.unexport(ITEM_PATH, self._item)
            bus.unexport(dbusmenu.PATH, self._rows)


def _sizes(icon: Image.Image | Sequence[Image.Image]) -> Sequence[Image.Image]:
    if isinstance(icon, Image.Image):
        return [icon.resize((size, size), Image.Resampling.LANCZOS) for size in icons.PANEL_SIZES]
    return icon


def _register(bus: MessageBus) -> None:
    """Tell the watcher that we are here. It says nothing worth waiting for."""
    # By the connection's own name, as Ayatana's programs do, and not by the specification's
    # org.kde.StatusNotifierItem-PID-N: GNOME's extension watches such a name besides. When it hears
    # of its owner, it forgets Id and Menu which it has just read, fails to compare them with what it
    # reads next, and takes the icon away: in one start of six on a busy machine (version 46, GNOME
    # 43). A sandbox may refuse that name as well.
    sent = bus.send(
        Message(
            destination=WATCHER,
            path="/StatusNotifierWatcher",
            interface=WATCHER,
            member="RegisterStatusNotifierItem",
            signature="s",
            body=[bus.unique_name],
            flags=MessageFlag.NO_REPLY_EXPECTED,
        )
    )
    # Nobody waits for this future; an exception that nobody fetched would be reported by asyncio.
    sent.add_done_callback(lambda future: future.cancelled() or future.exception())


class SniTray(IconTray):
    """Live texts, submenus, radio buttons; an open menu stays open."""

    through = "StatusNotifierItem"

    def __init__(self, actions: Actions) -> None:
        super().__init__(SniIcon, actions)

    def _image(self, face: Face) -> tuple[Image.Image, ...]:
        return icons.family(face)
