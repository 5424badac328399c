"""A library of a hundred thousand items is synced in flat memory and looked at in milliseconds."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.agent.library.running_library import RunningLibrary, running_library
from tests.servers.json_library import JsonLibrary
from trayagent.model.events import Event, SyncEvent
from trayagent.model.settings import SourceSettings

MIB = 1 << 20


def resident() -> int:
    """Bytes of memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc, which Linux has")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [15_000, pytest.param(100_000, marks=pytest.mark.soak)])
async def test_a_large_library(tmp_path: Path, count: int) -> None:
    with JsonLibrary() as server:
        server.shots.count = count
        source = SourceSettings(
            "shots",
            "json",
            base=server.base,
            page_delay="0",
            list={
                "url": "{base}/items",
                "query": {"limit": "{page_size}", "cursor": "{cursor}"},
                "page_size": 100,
            },
            page={"items": "data.items", "next": "data.next"},
            item={
                "id": "id",
                "name": "file.name",
                "kind": "type",
                "created": "created_at",
                "url": "file.url",
            },
            auth={"query": {"key": "{secret:token}"}},
        )
        async with running_library(tmp_path, source, working=False) as agent:
            await agent.vault.set("shots/token", "t0ken-of-the-fake")
            memory: list[int] = []

            def measure(event: Event) -> None:
                agent.events.clear()
                if isinstance(event, SyncEvent) and event.what == "progress":
                    memory.append(resident())

            with agent.bus.subscribe(measure):
                await agent.library.sync("shots")
                await agent.heard(
                    lambda event: isinstance(event, SyncEvent) and event.run.seen == count, 250
                )
            await looked_at(agent, count)
    print(f"{count} items: {', '.join(str(m // MIB) for m in memory[:: len(memory) // 5])} MiB")
    # The first third warms caches up; from there on nothing may grow with the library.
    assert memory[-1] - memory[len(memory) // 3] < 16 * MIB


async def looked_at(agent: RunningLibrary, count: int) -> None:
    for state in (None, "missing"):
        page, after = await agent.library.items("shots", state=state, limit=100)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            page, after = await agent.library.items("shots", state=state, limit=100, after=after)
            times.append(time.perf_counter() - started)
        assert min(times) < 0.05
        assert len(page) == 100
    assert (await agent.source("shots")).items == count
