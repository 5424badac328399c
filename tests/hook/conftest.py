"""A running hook for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hook.rig import Rig, running
from tests.standstill import no_standstill

__all__ = ["no_standstill", "rig"]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A hook on a free port, over a real store."""
    async with running(tmp_path) as rig:
        yield rig
