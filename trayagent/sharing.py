"""Files that another program holds open for a moment: a virus scanner, an indexer, a reader of ours.

Windows refuses meanwhile to rename, replace or remove them (ERROR_SHARING_VIOLATION and
ERROR_ACCESS_DENIED, which Python both tells as PermissionError); elsewhere nobody minds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
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
