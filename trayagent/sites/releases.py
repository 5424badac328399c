"""The yt-dlp that is used: the newest one in our own folder, else the one installed beside us."""

from __future__ import annotations

import json
from pathlib import Path


class Releases:
    """`<folder>/<version>/yt_dlp`, and `<folder>/current.json`, which names the one to use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Path | None:
        """The release to put first on a worker's path; None: the installed one."""
        try:
            version = json.loads((self.folder / "current.json").read_text("utf-8"))["version"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        path = self.folder / str(version)
        fits = path.parent == self.folder and (path / "yt_dlp" / "__init__.py").is_file()
        return path if fits else None
