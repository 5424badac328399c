"""The tests of this folder can be pointed at an installed program: PROGRAM_UNDER_TEST=/usr/lib/trayagent/trayagent."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import agent
from tests.standstill import no_standstill

__all__ = ["no_standstill", "program"]


@pytest.fixture(autouse=True, scope="session")
def program() -> Iterator[None]:
    """The program takes the place of this Python (`-m trayagent` means nothing to it), and sees none of our modules."""
    installed = os.environ.get("PROGRAM_UNDER_TEST")
    with pytest.MonkeyPatch.context() as patch:
        if installed:
            patch.setattr(sys, "executable", installed)
            patch.setattr(agent, "ROOT", Path(os.devnull))
        yield
