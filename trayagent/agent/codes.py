"""One-time codes, and the files that lead a browser to the page that redeems one.

A command line can be read by every user of the machine, so a code travels in a file instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import secrets
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trayagent.files import is_link, remove_shared, write_private

Clock = Callable[[], float]

CODE_PAGE_SECONDS: Final = 120.0
"""How long a file with a code is kept: no code lives longer."""
MOST_OPEN_CODES: Final = 32
"""So many codes may be open at a time; the oldest one gives way."""

# A refresh, no script: a browser that forbids scripts in local files follows it, too. The address
# holds a code, so no later page may learn it as its referrer.
_CODE_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>trayagent</title>
<meta http-equiv="refresh" content="0; url={url}">
<p><a href="{url}">Open trayagent</a></p>
"""


def digest(secret: str) -> bytes:
    """What we keep of a secret that we only need to recognise."""
    # Quick and without salt is enough here: secrets are random and long, so nobody can try them
    # all.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Codes:
    """Codes of 128 random bits that work once, for `lifetime` seconds of a steady clock."""

    def __init__(self, lifetime: float, clock: Clock = time.monotonic) -> None:
        self.lifetime = lifetime
        self._clock = clock
        # By digest: how long a look-up takes says nothing about the letters of a code.
        self._open: dict[bytes, float] = {}

    def issue(self) -> str:
        """A fresh code."""
        self._forget_old()
        # Bounded: whoever may ask for codes could ask for a million of them.
        while len(self._open) >= MOST_OPEN_CODES:
            del self._open[next(iter(self._open))]
        code = secrets.token_urlsafe(16)
        self._open[digest(code)] = self._clock() + self.lifetime
        return code

    def redeem(self, code: str) -> bool:
        """Whether the code was good; it is spent by asking."""
        self._forget_old()
        return self._open.pop(digest(code), None) is not None

    def _forget_old(self) -> None:
        now = self._clock()
        self._open = {code: end for code, end in self._open.items() if end > now}


class CodePages:
    """Files that lead a browser to a page with a code: read by this user alone, gone once it is spent.

    They lie in a folder of their own, 0700. All methods block.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, code: str, url: str) -> Path:
        """A file, 0600, that leads to `url`, which holds `code`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A link in its place would lead the code to a folder that others may read.
        seen = self._folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or is_link(seen):
            raise NotADirectoryError(str(self._folder))
        if sys.platform != "win32":
            self._folder.chmod(0o700)
        self.sweep()
        page = self._page_of(code)
        write_private(page, _CODE_PAGE.format(url=html.escape(url)).encode())
        return page

    def remove(self, code: str) -> None:
        """Remove the file of a code that is spent."""
        with contextlib.suppress(OSError):
            remove_shared(self._page_of(code))

    def sweep(self, older: float = CODE_PAGE_SECONDS) -> None:
        """Remove the files whose codes have run out, and those that a kill left."""
        now = time.time()
        with contextlib.suppress(OSError):
            for page in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    # `abs`: a clock that was set back must not keep a file for long.
                    if abs(now - page.lstat().st_mtime) >= older:
                        remove_shared(page)

    def _page_of(self, code: str) -> Path:
        name = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / f"{name}.html"

    def __repr__(self) -> str:
        return f"<CodePages in {self._folder}>"
