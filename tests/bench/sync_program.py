"""Sync 42 images of two seconds each against the fake; with `ideal`, do all of it but the syncing, for 22 s."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.agent.library.running_library import ALICE, flow, running_library
from tests.servers.flow import FakeFlow

SECONDS = 2.0
IDEAL = 22.0
"""Eleven rounds of four."""


async def main(home: Path, *, ideal: bool) -> None:
    """One sync, or the time that it should take."""
    with FakeFlow() as fake:
        fake.scenario(latency_ms=SECONDS * 1000)
        async with running_library(home, flow(fake)) as agent:
            await agent.library.sign_in("flow", ALICE)
            if ideal:
                await asyncio.sleep(IDEAL)
            elif (run := await agent.sync()).fetched != 42:
                raise SystemExit(f"{run.fetched} of 42 arrived: {run.sentence}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), ideal="ideal" in sys.argv))
