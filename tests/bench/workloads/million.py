"""A list of a million lines: how long until all are in the queue, and what it costs meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, Figures, percentile
from tests.bench.server import Server
from tests.bench.workloads.agent import memory
from tests.e2e.agent import Agent

LINES = 1_000_000


def take(server: Server, scratch: Path) -> Iterator[Figure]:
    """Seconds, memory and the hook's answers while a million lines enter."""
    with Agent(scratch / "million") as agent:
        agent.post("pause")
        drop = agent.home / "drop"
        with (drop / "big.tmp").open("w") as file:
            file.writelines(f"http://127.0.0.1:9/files/{n}.bin\n" for n in range(LINES))
        before = memory(agent)
        (drop / "big.tmp").rename(drop / "big.txt")
        began, answers, peak = time.perf_counter(), [], before
        while True:
            asked = time.perf_counter()
            queued = agent.get("status")["queued"]
            answers.append((time.perf_counter() - asked) * 1000)
            peak = max(peak, memory(agent))
            if queued >= LINES or time.perf_counter() - began > 180:
                break
            threading.Event().wait(0.05)
        yield Figure("a million lines in the queue after", time.perf_counter() - began, 60, "s")
        yield Figure("memory grows by", (peak - before) / 1024, 100, "MiB")
        yield Figure("hook meanwhile, 99 of 100", percentile(answers, 0.99), 100, "ms")


WORKLOAD = Figures("million", "a list of a million lines", take)
