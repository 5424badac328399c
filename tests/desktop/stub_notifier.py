"""A program that shows the notices it reads as JSON lines, and says which button was clicked."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import msgspec

from trayagent.desktop.notifier import choose_notifier
from trayagent.model.events import Notice


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    loop = asyncio.get_running_loop()
    notifier = choose_notifier(lambda do, id: print(json.dumps(["follow", do, id]), flush=True))
    print(json.dumps(["ready", "desktop_notifier" in sys.modules]), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await notifier.show(msgspec.json.decode(line, type=Notice))
        print(json.dumps(["shown", "desktop_notifier" in sys.modules]), flush=True)
    await notifier.close()


if __name__ == "__main__":
    asyncio.run(main())
