"""A file manager on the bus that says which files it was asked to show.

No `from __future__ import annotations` here: dbus-fast reads the annotations as they are.
"""

import asyncio
import json
from typing import Annotated

from dbus_fast import BusType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method

NAME = "org.freedesktop.FileManager1"
Uris = Annotated[list[str], DBusSignature("as")]


class FileManager(ServiceInterface):
    """Only what we ask for."""

    @dbus_method()
    def ShowItems(self, uris: Uris, startup: DBusStr) -> None:  # noqa: N802
        print(json.dumps(["show", uris]), flush=True)


async def main() -> None:
    bus = await MessageBus(bus_type=BusType.SESSION).connect()
    bus.export("/org/freedesktop/FileManager1", FileManager(NAME))
    await bus.request_name(NAME)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
