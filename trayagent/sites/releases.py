"""The yt-dlp that is used: the newest one in our own folder, else the one installed beside us."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from trayagent.files import retry_shared


class Releases:
    """`<folder>/<version>/yt_dlp`, and `<folder>/current.json`, which names the one to use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Path | None:
        """The release to put first on a worker's path; None: the installed one."""
        version = self._noted().get("version", "")
        if not version or newer(installed() or "", version):
            return None
        path = self.folder / version
        fits = path.parent == self.folder and (path / "yt_dlp" / "__init__.py").is_file()
        return path if fits else None

    def version(self) -> str | None:
        """What pages are read with; None: nothing."""
        path = self.current()
        return path.name if path else installed()

    @property
    def usable(self) -> bool:
        """Whether there is one at all. Nothing is imported."""
        return self.current() is not None or find_spec("yt_dlp") is not None

    def choose(self, version: str) -> None:
        """Use this release, which lies in the folder, from the next page on; only the one before is kept."""
        before = self.current()
        self._note({"version": version, "before": before.name if before else ""})
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != version and path != before:
                shutil.rmtree(path, ignore_errors=True)

    def go_back(self) -> str | None:
        """Use the release before again, or the installed one; returns what is used now."""
        before = self._noted().get("before", "")
        self._note({"version": before, "before": ""})
        return self.version()

    def __repr__(self) -> str:
        return f"<Releases, using {self.version() or 'none'}>"

    def _noted(self) -> dict[str, str]:
        try:
            noted = json.loads((self.folder / "current.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _note(self, noted: dict[str, str]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.folder / "current.json.new"
        fresh.write_text(json.dumps(noted), "utf-8")
        retry_shared(lambda: os.replace(fresh, self.folder / "current.json"))


def installed() -> str | None:
    """The version installed beside us, None if there is none."""
    from importlib import metadata  # costs more than all the rest of this file

    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("yt-dlp")
    return None


def newer(one: str, other: str) -> bool:
    """Whether version `one` comes after `other`; both are dates with dots, perhaps with more behind."""
    return _numbers(one) > _numbers(other)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,18}", version)]
