"""AriaNg's page, open for long: two questions a second with a thousand stopped rows cost no more at the end."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ROWS = 1000
KEYS = [
    "gid", "totalLength", "completedLength", "uploadSpeed", "downloadSpeed", "connections",
    "numSeeders", "seeder", "status", "errorCode", "verifiedLength", "verifyIntegrityPending",
    "files", "bittorrent", "infoHash",
]  # fmt: skip
"""What AriaNg 1.3.14 asks for; the first twelve once it knows a list."""
MOST_GROWTH_BYTES = 4 * 1024 * 1024
"""Of memory between a tenth of the time and its end: what one answer needs, and no more."""

MOST_CPU_SECONDS = 0.05
"""Of a processor, for the two questions of one second: five in a hundred."""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """An agent whose list of stopped downloads is long."""
    with Agent(tmp_path / "home", DOWNLOADS__RETRIES="0") as agent:
        # Refused at once, without a network: nobody listens at this port.
        items = [{"url": f"http://127.0.0.1:9/{number}.bin"} for number in range(ROWS)]
        agent.post("downloads", {"items": items})
        until(lambda: agent.get("status")["failed"] == ROWS, "all to fail", 120)
        yield agent


class Page:
    """Asks as AriaNg's page of stopped downloads does, over one connection that stays."""

    def __init__(self, agent: Agent) -> None:
        self._token = f"token:{agent.post('clients', {'kind': 'aria2'})['secret']}"
        self._connection = HTTPConnection("127.0.0.1", agent.port, timeout=30)
        self.close = self._connection.close
        self.seconds: dict[str, list[float]] = defaultdict(list)
        """Method -> how long each answer took."""

    def ask(self, method: str, *params: object) -> object:
        """One question; its time is noted."""
        call = {"jsonrpc": "2.0", "id": "1", "method": method, "params": [self._token, *params]}
        began = time.perf_counter()
        self._connection.request("POST", "/jsonrpc", json.dumps(call))
        answer = self._connection.getresponse()
        body = answer.read()
        self.seconds[method].append(time.perf_counter() - began)
        assert answer.status == 200, body
        return json.loads(body)["result"]

    def refresh(self, *, first: bool = False) -> None:
        """What it asks every second."""
        self.ask("aria2.getGlobalStat")
        rows = self.ask("aria2.tellStopped", -1, ROWS, KEYS if first else KEYS[:12])
        assert isinstance(rows, list)
        assert len(rows) == ROWS


def memory(agent: Agent) -> int:
    """Bytes of the agent in memory."""
    assert agent.process is not None
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(agent: Agent) -> float:
    """Processor time of the agent so far: on a busy machine it says more than the clock."""
    assert agent.process is not None
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("refreshes", "pause"),
    [
        pytest.param(300, 0.0, id="as fast as it goes"),
        pytest.param(
            3600, 1.0, id="an hour", marks=[pytest.mark.soak, pytest.mark.timeout(2 * 3600)]
        ),
    ],
)
@pytest.mark.timeout(240)
def test_a_page_that_stays_open_costs_no_more_at_the_end(
    agent: Agent, refreshes: int, pause: float
) -> None:
    early = 0
    with closing(Page(agent)) as page:
        page.refresh(first=True)
        worked = cpu_seconds(agent)
        for number in range(refreshes):
            page.refresh()
            if number == refreshes // 10:
                early = memory(agent)
            time.sleep(pause)
    worked = (cpu_seconds(agent) - worked) / refreshes
    seconds = {name: sorted(took) for name, took in page.seconds.items()}
    for name, took in seconds.items():
        p50, p99 = (1000 * took[len(took) * share // 100] for share in (50, 99))
        print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
    growth = memory(agent) - early
    print(f"processor: {1000 * worked:.1f} ms a refresh; memory: {growth:+,} bytes")

    assert growth < MOST_GROWTH_BYTES
    assert worked < MOST_CPU_SECONDS
