"""Forty-two images of two seconds each, four at a time, take eleven rounds and hardly more."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from tests.agent.library.running_library import ALICE, flow, running_library
from tests.patience import patience
from tests.servers.flow import FakeFlow
from tests.wine import keeps_time

ROUNDS = math.ceil(42 / 4)
OVERHEAD = 0.03 * ROUNDS * 2.0
"""Seconds: 3 % of the whole at two seconds an image; it does not depend on how long an image takes."""


@keeps_time
@pytest.mark.alone
@pytest.mark.parametrize("seconds", [0.25, pytest.param(2.0, marks=pytest.mark.soak)])
async def test_eleven_rounds(tmp_path: Path, seconds: float) -> None:
    with FakeFlow() as fake:
        fake.scenario(latency_ms=seconds * 1000)
        async with running_library(tmp_path, flow(fake)) as agent:
            await agent.library.sign_in("flow", ALICE)
            started = time.perf_counter()
            run = await agent.sync()
            took = time.perf_counter() - started
    assert (run.fetched, fake.state.max_inflight["/v1/media"]) == (42, 4)
    assert ROUNDS * seconds <= took <= ROUNDS * seconds + patience(OVERHEAD)
