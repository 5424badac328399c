"""The session bus: a connection that bears a slow reader, and a name whose owner we follow."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from dbus_fast import AuthError, BusType, DBusError, InvalidAddressError, Message, MessageType
from dbus_fast.aio import MessageBus

BUS: Final = "org.freedesktop.DBus"
WATCHER: Final = "org.kde.StatusNotifierWatcher"

LOST: Final = (OSError, EOFError, AuthError, DBusError, InvalidAddressError)
"""What a bus that is not there, or going, raises."""

CONNECT_WITHIN: Final = 5.0
"""Seconds."""


class PatientSocket:
    """A socket that reports "nothing sent yet" when its buffer is full.

    dbus-fast 5.2 takes the BlockingIOError of a full socket for the end of the connection; told
    that 0 bytes went out, it waits until the socket can be written, as it should.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def send(self, data: memoryview) -> int:
        try:
            return self._inner.send(data)
        except BlockingIOError:
            return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def bus_address() -> str | None:
    """Where the session bus is, or None when this session has none."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if address:
        return address
    # Where systemd puts it: whoever was not started by the session may lack the variable.
    usual = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / "bus"
    return f"unix:path={usual}" if usual.exists() else None


@contextlib.asynccontextmanager
async def session_bus() -> AsyncIterator[MessageBus]:
    """A connection to the session bus; raises OSError or a DBus error when there is none."""
    address = bus_address()
    if address is None:
        raise FileNotFoundError("this session has no D-Bus")
    # With a limit: a bus that accepts and says nothing would hold up the tray for ever.
    bus = await MessageBus(address, BusType.SESSION, auth_timeout=CONNECT_WITHIN).connect()
    try:
        writer: Any = bus._writer  # noqa: SLF001 – see PatientSocket
        writer.sock = PatientSocket(writer.sock)
        yield bus
    finally:
        if bus.connected:
            bus.disconnect()


async def ask(bus: MessageBus, member: str, signature: str = "", *body: object) -> list[Any] | None:
    """What the bus itself answers, or None for an error."""
    reply = await bus.call(
        Message(
            destination=BUS,
            path="/org/freedesktop/DBus",
            interface=BUS,
            member=member,
            signature=signature,
            body=list(body),
        )
    )
    return None if reply.message_type is MessageType.ERROR else reply.body


async def follow_owner(bus: MessageBus, name: str, appeared: Callable[[], None]) -> None:
    """Call `appeared` whenever `name` gets an owner from now on, and at once if it has one."""

    def seen(message: Message) -> None:
        if message.member == "NameOwnerChanged" and message.body[0] == name and message.body[2]:
            appeared()

    # First the rule, then the question: an owner that comes between the two is seen twice, never missed.
    bus.add_message_handler(seen)
    rule = f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{name}'"
    await ask(bus, "AddMatch", "s", rule)
    owned = await ask(bus, "NameHasOwner", "s", name)
    if owned and owned[0]:
        appeared()


async def call_service(
    destination: str, path: str, interface: str, member: str, signature: str, *body: object
) -> bool:
    """Call a service of the desktop once; False when there is none or it fails."""
    call = Message(
        destination=destination,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
    )
    try:
        async with session_bus() as bus:
            return (await bus.call(call)).message_type is not MessageType.ERROR
    except LOST:
        return False


async def is_offered(name: str) -> bool:
    """Whether a service runs, or would be started when asked."""
    try:
        async with session_bus() as bus:
            owned = await ask(bus, "NameHasOwner", "s", name)
            # Most desktops start the service of notifications with the first one.
            known = await ask(bus, "ListActivatableNames")
    except LOST:
        return False
    return bool(owned and owned[0]) or bool(known and name in known[0])
