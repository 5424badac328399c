"""Whether a file or folder is its owner's alone, as each system keeps it so."""

import stat
import sys
from pathlib import Path


def is_private(path: Path) -> bool:
    """Whether nobody else may read it.

    On Windows a file has the rights of its folder, and those of the profile are the user's alone; the
    mode that Python shows there says nothing about them. So there it only has to exist.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    return sys.platform == "win32" or mode == (0o700 if path.is_dir() else 0o600)
