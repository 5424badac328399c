"""A pystray icon that speaks StatusNotifierItem: the tray of KDE, XFCE, LXQt, GNOME with its
extension, and Wayland bars, without GTK.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from dbus_fast import (
    DBusError,
    Message,
    MessageFlag,
    NameFlag,
    RequestNameReply,
)
from dbus_fast.aio import MessageBus
from PIL import Image

from trayagent.desktop.tray import dbusmenu, item
from trayagent.desktop.tray.base import Icon, MenuItem
from trayagent.desktop.tray.dbusmenu import DBusMenu
from trayagent.desktop.tray.item import StatusNotifierItem
from trayagent.desktop.tray.wire import LOST, WATCHER, follow_owner, session_bus

SIZES: Final = (16, 22, 24, 32, 48)
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to reach a bus that is gone."""

log = logging.getLogger(__name__)


class SniIcon(Icon):
    """A pystray icon; `icon` may be one image, or the same image drawn in several sizes.

    Its loop runs in the thread that calls `run`. Everything else may be called from any thread.
    """

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._item = StatusNotifierItem(name, self)
        gnome = "GNOME" in os.environ.get("XDG_CURRENT_DESKTOP", "")
        self._rows = DBusMenu(self._clicked, gnome=gnome)
        super().__init__(name, *args, **kwargs)

    def _clicked(self, chosen: MenuItem) -> None:
        self._handler(chosen)()

    def _post(self, act: Callable[..., object], *args: object) -> None:
        """Do it on the loop; before there is one, nobody listens yet, and after it, nobody any more."""
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
            staying = group.create_task(self._stay(), name="tray on the session bus")
            await self._ended.wait()
            staying.cancel()

    async def _stay(self) -> None:
        """Be on the session bus; when it goes, wait for it to come back."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with session_bus() as bus:
                    pause = FIRST_PAUSE
                    await self._attend(bus)
            except LOST as error:
                log.info(
                    "the session bus is gone (%s); trying again in %s s",
                    str(error) or "closed",
                    pause,
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _attend(self, bus: MessageBus) -> None:
        """Offer icon and menu to every tray host that comes, until the bus goes."""
        bus.export(item.PATH, self._item)
        bus.export(dbusmenu.PATH, self._rows)
        try:
            name = await _own_name(bus)
            await follow_owner(bus, WATCHER, lambda: _register(bus, name))
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        finally:
            bus.unexport(item.PATH, self._item)
            bus.unexport(dbusmenu.PATH, self._rows)


def _sizes(icon: Image.Image | Sequence[Image.Image]) -> Sequence[Image.Image]:
    if isinstance(icon, Image.Image):
        return [icon.resize((size, size), Image.Resampling.LANCZOS) for size in SIZES]
    return icon


async def _own_name(bus: MessageBus) -> str:
    """The name the specification asks for; in a sandbox, where it is taken or denied, our unique one."""
    name = f"org.kde.StatusNotifierItem-{os.getpid()}-1"
    try:
        reply = await bus.request_name(name, NameFlag.DO_NOT_QUEUE)
    except DBusError:
        reply = RequestNameReply.EXISTS
    return name if reply is RequestNameReply.PRIMARY_OWNER else bus.unique_name or name


def _register(bus: MessageBus, name: str) -> None:
    """Tell the watcher that we are here. It says nothing worth waiting for."""
    sent = bus.send(
        Message(
            destination=WATCHER,
            path="/StatusNotifierWatcher",
            interface=WATCHER,
            member="RegisterStatusNotifierItem",
            signature="s",
            body=[name],
            flags=MessageFlag.NO_REPLY_EXPECTED,
        )
    )
    sent.add_done_callback(lambda future: future.cancelled() or future.exception())
