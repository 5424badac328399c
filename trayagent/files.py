"""Replacing files safely: whole or not at all, and also while another program holds them open.

Windows refuses to rename, replace or remove a file that a virus scanner, an indexer or a reader of
ours holds open (ERROR_SHARING_VIOLATION and ERROR_ACCESS_DENIED; Python raises PermissionError for
both). Other systems allow it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

Result = TypeVar("Result")

WAITS_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5)
"""Before each next try; two seconds in all, as long as a scanner holds a small file."""


def retry_shared(act: Callable[[], Result]) -> Result:
    """Do `act`; on Windows again for two seconds while it raises PermissionError. Blocking."""
    if sys.platform == "win32":
        for wait in WAITS_SECONDS:
            try:
                return act()
            except PermissionError:
                time.sleep(wait)
    return act()


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step by one that only its owner can read (0600). Durable, blocking."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    retry_shared(lambda: fresh.unlink(missing_ok=True))
    # O_EXCL: a file or link that somebody put there is never written through.
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    retry_shared(lambda: os.replace(fresh, path))
