"""Private desktops for the tests of the tray."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.desktop import rig
from tests.desktop.rig import Desktop, Panel

Boot = Callable[..., Desktop]

# They speak D-Bus and X themselves, through packages that other systems do not have.
collect_ignore = (
    []
    if sys.platform == "linux"
    else ["test_agent.py", "test_notifier.py", "test_panels.py", "test_sessions.py", "test_sni.py"]
)


@pytest.fixture
def boot() -> Iterator[Boot]:
    """Start a desktop; the folder is short, for a socket's path may have 107 characters only."""
    with ExitStack() as stack:

        def start(panel: Panel = "none", *, x: bool = True) -> Desktop:
            home = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True)
                )
            )
            return stack.enter_context(rig.desktop(home / "d", panel, x=x))

        yield start


@pytest.fixture
def bus(boot: Boot) -> Desktop:
    """Only a session bus: no display, no panel."""
    return boot(x=False)
