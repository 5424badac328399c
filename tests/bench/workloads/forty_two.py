"""42 files behind a server that thinks for 1.5 s: four workers, never a fifth, never an idle slot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from tests.bench.figures import Figure, Figures
from tests.bench.server import Server
from tests.e2e.agent import Agent, until
from tests.servers.media import Media

FILES, WAIT, WORKERS = 42, 1.5, 4


def take(server: Server, scratch: Path) -> Iterator[Figure]:
    """The time from the request to the last file, against ceil(42 / 4) rounds."""
    ideal = ceil(FILES / WORKERS) * WAIT
    with Media() as media, Agent(scratch / "forty-two") as agent:
        items = [{"url": media.url(f"{n}.bin", 200_000, wait=WAIT)} for n in range(FILES)]
        began = time.perf_counter()
        agent.post("downloads", {"items": items})
        until(lambda: agent.get("status")["completed"] == FILES, "all files", 60)
        taken = time.perf_counter() - began
        yield Figure(f"42 files; the ideal is {ideal:g} s", taken, ideal * 1.01, "s")
        yield Figure("most at a time", media.most, WORKERS, "")


WORKLOAD = Figures("forty-two", "42 files of 1.5 s each, four at a time", take)
