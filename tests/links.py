"""Symbolic links, where the system lets us make one."""

from pathlib import Path

import pytest


def link(path: Path, target: Path | str) -> None:
    """Make a symbolic link; skips the test for a user who may not, as most users of Windows may not."""
    try:
        path.symlink_to(target)
    except OSError as error:
        if getattr(error, "winerror", None) != 1314:  # ERROR_PRIVILEGE_NOT_HELD
            raise
        pytest.skip("this user of Windows may not make symbolic links")
