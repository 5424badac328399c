"""A running hook with an aria2 client that knows its secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hook.foreign.rig import ForeignRig
from tests.hook.rig import running
from tests.standstill import no_standstill

__all__ = ["foreign", "no_standstill"]


@pytest.fixture
async def foreign(tmp_path: Path) -> AsyncIterator[ForeignRig]:
    """A hook on a free port, over a real store, and an aria2 client."""
    async with running(tmp_path) as rig:
        yield await ForeignRig.of(rig)
