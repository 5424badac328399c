"""A process that fetches one file and remembers only the name it reserved, as the store would.

`python one_fetch.py URL FOLDER STATE [SEGMENTS]`; exit code 0 when the file is there, 3 when it failed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from trayagent.model.config import Downloads
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request, Target
from trayagent.net.client import Client
from trayagent.transfer.fetch import Transfer


class Remembering:
    """A progress whose one fact survives."""

    def __init__(self, state: Path) -> None:
        self._state = state

    async def reserved(self, path: Path, size: int | None) -> None:
        """Durable before it returns."""
        draft = self._state.with_suffix(".new")
        with draft.open("w") as file:
            file.write(str(path))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._state)

    def received(self, total: int, size: int | None) -> None:
        """Nothing to do."""


async def main(url: str, folder: Path, state: Path, segments: int | None) -> int:
    """Fetch, go on where an earlier process left off."""
    known = Path(state.read_text()) if state.exists() else None
    async with Client() as client:
        transfer = Transfer(client, Downloads(keep_free="0"))
        named = frozenset({urlsplit(url).netloc})
        target = Target(folder, path=known, segments=segments)
        try:
            await transfer.fetch(Request(url, named=named), target, Remembering(state))
        except DownloadError as error:
            print(error)
            return 3
    return 0


if __name__ == "__main__":
    wanted = int(sys.argv[4]) if len(sys.argv) > 4 else None
    sys.exit(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), wanted)))
