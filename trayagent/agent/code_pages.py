"""Files that lead a browser to a page with a one-time code.

A command line can be read by every user of the machine, so it never holds a code. What opens the
browser gives it such a file: readable by this user alone, and removed as soon as the code is spent.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import stat
import sys
import time
from pathlib import Path
from typing import Final

from trayagent.files import write_private

KEPT: Final = 120.0
"""Seconds; a code lives no longer."""
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>trayagent</title>
<meta http-equiv="refresh" content="0; url={url}">
<p><a href="{url}">Open trayagent</a></p>
"""


class CodePages:
    """Kept in a folder of their own, 0700. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, code: str, url: str) -> Path:
        """A file, 0600, that leads to `url`, which holds `code`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = self._folder.lstat()
        if not stat.S_ISDIR(seen.st_mode):
            raise NotADirectoryError(str(self._folder))
        if sys.platform != "win32":
            self._folder.chmod(0o700)
        self.sweep()
        page = self._page_of(code)
        write_private(page, _PAGE.format(url=html.escape(url)).encode())
        return page

    def remove(self, code: str) -> None:
        """The code is spent."""
        with contextlib.suppress(OSError):
            self._page_of(code).unlink()

    def sweep(self, older: float = KEPT) -> None:
        """Remove those whose codes have run out."""
        now = time.time()
        with contextlib.suppress(OSError):
            for page in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    if abs(now - page.lstat().st_mtime) >= older:
                        page.unlink()

    def _page_of(self, code: str) -> Path:
        name = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / f"{name}.html"

    def __repr__(self) -> str:
        return f"<CodePages in {self._folder}>"
