"""A notification service of our own: remembers what it was asked to show, and clicks when told to.

No `from __future__ import annotations` here: dbus-fast reads the annotations as they are.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_signal

Strings = Annotated[list[str], DBusSignature("as")]
Info = Annotated[list[str], DBusSignature("ssss")]
Click = Annotated[list[Any], DBusSignature("us")]
Closed = Annotated[list[int], DBusSignature("uu")]


class Popups(ServiceInterface):
    """org.freedesktop.Notifications, version 1.2."""

    def __init__(self, *capabilities: str) -> None:
        super().__init__("org.freedesktop.Notifications")
        self.capabilities = list(capabilities)
        self.asked: list[dict[str, Any]] = []
        self.closed: list[int] = []

    @dbus_method()
    def Notify(  # noqa: N802
        self,
        app: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        summary: DBusStr,
        body: DBusStr,
        actions: Strings,
        hints: DBusDict,
        timeout: DBusInt32,
    ) -> DBusUInt32:
        buttons = dict(zip(actions[1::2], actions[::2], strict=True))
        self.asked.append(
            {"app": app, "icon": icon, "title": summary, "body": body, "buttons": buttons}
        )
        return len(self.asked)

    @dbus_method()
    def CloseNotification(self, id: DBusUInt32) -> None:  # noqa: N802
        self.closed.append(id)
        self.NotificationClosed(id, 3)

    @dbus_method()
    def GetCapabilities(self) -> Strings:  # noqa: N802
        return self.capabilities

    @dbus_method()
    def GetServerInformation(self) -> Info:  # noqa: N802
        return ["Popups", "tests", "1", "1.2"]

    @dbus_signal()
    def ActionInvoked(self, id: int, key: str) -> Click:  # noqa: N802
        return [id, key]

    @dbus_signal()
    def NotificationClosed(self, id: int, reason: int) -> Closed:  # noqa: N802
        return [id, reason]


@asynccontextmanager
async def serving(address: str, *capabilities: str) -> AsyncIterator[Popups]:
    """The service on that bus."""
    bus = await MessageBus(address, BusType.SESSION).connect()
    popups = Popups(*capabilities)
    bus.export("/org/freedesktop/Notifications", popups)
    await bus.request_name("org.freedesktop.Notifications")
    try:
        yield popups
    finally:
        bus.disconnect()
