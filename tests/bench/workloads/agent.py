"""The agent at rest and at work: start, memory, wake-ups, and how quickly its door answers."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from tests.bench.figures import Figure, Figures, percentile
from tests.bench.server import Server
from tests.e2e.agent import Agent, until

STARTS, ADDS, POSTS = 5, 7, 400


def take(server: Server, scratch: Path) -> Iterator[Figure]:
    """All figures of this workload."""
    yield from _starting(scratch / "starts")
    with Agent(scratch / "agent", NOTIFICATIONS__LEVEL="none") as agent:
        yield from _resting(agent)
        agent.post("pause")
        yield Figure("hook at rest, 99 of 100 posts within", _posts(agent, "rest"), 3, "ms")
        agent.post("resume")
    if shutil.which("xfce4-panel"):
        yield from _with_icon(scratch / "desktop")
    with Agent(scratch / "busy") as agent:
        yield from _working(agent, server)


def _starting(home: Path) -> Iterator[Figure]:
    ready, add = [], []
    for number in range(STARTS):
        agent = Agent(home)
        ready.append(agent.start())
        for _ in range(ADDS if number == 0 else 0):
            began = time.perf_counter()
            agent.run("add", "http://127.0.0.1:9/nothing")
            add.append(time.perf_counter() - began)
        agent.stop()
    yield Figure("ready after", statistics.median(ready), 0.5, "s")
    yield Figure("trayagent add", statistics.median(add), 0.15, "s")


def _resting(agent: Agent) -> Iterator[Figure]:
    time.sleep(2)
    before = _switches(agent)
    time.sleep(20)
    yield Figure("wake-ups in 20 s of rest", _switches(agent) - before, 5, "")
    yield Figure("memory at rest", memory(agent) / 1024, 55, "MiB")


def _with_icon(home: Path) -> Iterator[Figure]:
    # Only here: a machine without a desktop has not all that it imports.
    from tests.desktop.rig import desktop
    from tests.desktop.test_agent import Resident

    with desktop(home, "xfce") as screen, Resident(screen) as agent:
        time.sleep(5)
        yield Figure("memory at rest with an icon", memory(agent) / 1024, 55, "MiB")


def _working(agent: Agent, server: Server) -> Iterator[Figure]:
    big = server.root / "big"
    big.mkdir(exist_ok=True)
    for number in range(4):
        with (big / f"{number}.bin").open("wb") as file:
            file.truncate(3 << 30)
    for number in range(4):
        agent.post("downloads", {"url": f"{server.plain}/big/{number}.bin", "segments": 1})
    until(lambda: agent.get("status")["active"] == 4, "four downloads")
    worst = _posts(agent, "work", 200)
    active = agent.get("status")["active"]
    yield Figure(f"hook beside {active} unthrottled downloads, 99 of 100", worst, 5, "ms")
    for download in agent.get("downloads?state=active")["downloads"]:
        agent.call("DELETE", f"downloads/{download['id']}?files=true")
    for path in big.iterdir():
        path.unlink()


def _posts(agent: Agent, tag: str, count: int = POSTS) -> float:
    """The 99th percentile of so many posts on one connection, each committed to the disk; in ms."""
    taken = []
    headers = {"Authorization": f"Bearer {agent.token}", "Content-Type": "application/json"}
    with closing(HTTPConnection("127.0.0.1", agent.port, timeout=30)) as connection:
        for number in range(count):
            item = {"url": f"http://127.0.0.1:9/{tag}/{number}", "paused": True}
            began = time.perf_counter()
            connection.request("POST", "/api/v1/downloads", json.dumps(item), headers)
            connection.getresponse().read()
            taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.99)


def _switches(agent: Agent) -> int:
    assert agent.process is not None
    total = 0
    for task in Path(f"/proc/{agent.process.pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def memory(agent: Agent) -> int:
    """Resident memory in KiB."""
    assert agent.process is not None
    lines = Path(f"/proc/{agent.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


WORKLOAD = Figures("agent", "start, rest, and the hook's answers", take)
