"""A first download that needs no network: a small text, served once by this computer to itself."""

from __future__ import annotations

import asyncio
from typing import Final

from trayagent.agent.intake import Intake
from trayagent.model.downloads import Item, Receipt

NAME: Final = "Welcome to trayagent.txt"
TEXT: Final = b"""\
This is your first download with trayagent.

Every file that you fetch lies in this folder. The icon in the tray shows what is
going on; a click on it opens the dashboard.
"""
OPEN_SECONDS: Final = 60.0
"""How long the text can be fetched; a queue that is paused longer fails this download."""
_HEAD_SECONDS: Final = 5.0
_LARGEST_HEAD: Final = 16_384


async def start_first_download(intake: Intake) -> Receipt:
    """Queue the download of the text, before all others. Raises StoreUnavailableError."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=_LARGEST_HEAD)
    asyncio.get_running_loop().call_later(OPEN_SECONDS, server.close)
    port = server.sockets[0].getsockname()[1]
    item = Item(f"http://127.0.0.1:{port}/welcome.txt", filename=NAME, next=True, again=True)
    return (await intake.add([item], via="page")).receipt


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer to whatever is asked; anybody on this computer may read it."""
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(TEXT)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + TEXT)
            await writer.drain()
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # whoever asked so is not served; the download says why it failed
    finally:
        writer.close()
