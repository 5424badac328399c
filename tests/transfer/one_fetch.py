"""A process that fetches one file and remembers only the name it reserved, as the store would.

`python one_fetch.py URL FOLDER STATE [SEGMENTS]`; exit code 0 when the file is there, 3 when it failed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings
from trayagent.model.transfer import Progress, Request, Target
from trayagent.net.request import HttpClient
from trayagent.transfer.transfer import Transfer


class Remembering(Progress):
    """A progress whose one fact survives, as soon as it is chosen."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._path: Path | None = None
        super().__init__()

    @property
    def path(self) -> Path | None:
        """The final name."""
        return self._path

    @path.setter
    def path(self, path: Path | None) -> None:
        self._path = path
        if path is None:
            return
        draft = self._state.with_suffix(".new")
        with draft.open("w") as file:
            file.write(str(path))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._state)


async def main(url: str, folder: Path, state: Path, segments: int | None) -> int:
    """Fetch, go on where an earlier process left off."""
    done = state.with_suffix(".done")
    if done.exists():
        return 0
    known = Path(state.read_text()) if state.exists() else None
    with HttpClient() as client:
        transfer = Transfer(client, state.with_suffix(".settled"), DownloadSettings(keep_free="0"))
        named = frozenset({urlsplit(url).netloc})
        target = Target(folder, path=known, owner="one", segments=segments)
        try:
            fetched = await transfer.fetch(Request(url, named=named), target, Remembering(state))
            done.touch()
            await transfer.forget([(fetched.path, target.owner)])
        except DownloadError as error:
            print(error)
            return 3
    return 0


if __name__ == "__main__":
    wanted = int(sys.argv[4]) if len(sys.argv) > 4 else None
    sys.exit(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), wanted)))
