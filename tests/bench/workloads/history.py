"""An agent with a million rows behind it and a hundred thousand before it: does it feel them?

The queue is paused, so that the figures are those of the database and the hook, not of a network.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.bench.figures import Figure, Figures
from tests.bench.server import Server
from tests.bench.workloads.agent import memory
from tests.e2e.agent import Agent, until
from trayagent.model.transfer import Fetched
from trayagent.store import claims, facts, transitions
from trayagent.store.claims import Turn
from trayagent.store.database import Database
from trayagent.store.transitions import Advance, Completed

PAST: Final = 1_000_000
WAITING: Final = 100_000
HOSTS: Final = 40
TIMES: Final = 9

_NUMBERS: Final = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?)"
_PAST: Final = (
    f"{_NUMBERS} INSERT INTO downloads(key, url, host, state, attempts, path, size, received, via,"
    " sha256, created_at, started_at, finished_at) SELECT 'http://h' || (i % 40) || '.example/' || i,"
    " 'http://h' || (i % 40) || '.example/' || i || '.mp4', 'h' || (i % 40) || '.example:80',"
    " CASE i % 50 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'completed' END, 1,"
    " '/home/me/Downloads/film ' || i || '.mp4', 1000 + i, 1000 + i, 'cli',"
    " printf('%064x', i), i, i, i FROM c"
)
_WAITING: Final = (
    f"{_NUMBERS} INSERT INTO downloads(key, url, host, state, via, created_at)"
    " SELECT 'http://w' || (i % 40) || '.example/' || i, 'http://w' || (i % 40) || '.example/' || i"
    " || '.bin', 'w' || (i % 40) || '.example:80', 'queued', 'cli', 2e9 + i FROM c"
)


def take(server: Server, scratch: Path) -> Iterator[Figure]:
    """All figures of this workload."""
    home = scratch / "history"
    home.mkdir()
    path = home / "trayagent.db"
    Database.open(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.row_factory = sqlite3.Row
        conn.executescript("PRAGMA synchronous=OFF; BEGIN")
        conn.execute(_PAST, (PAST,))
        conn.execute(_WAITING, (WAITING,))
        facts.set_fact(conn, facts.PAUSED, "forever")
        conn.execute("COMMIT")
        yield Figure("end of one, choice of the next, CPU", _advance(conn), 1, "ms")
    yield from _running(Agent(home, NOTIFICATIONS__LEVEL="none"))


def _advance(conn: sqlite3.Connection) -> float:
    """Milliseconds for the end of one download and the choice of the next, without the disk."""
    turn, now = Turn(8), 3e9
    following = claims.line_up(conn, turn, now)
    began, done = time.process_time(), 0
    conn.execute("BEGIN")
    while done < 800:
        numbers = [job.n for job, _ in following.jobs]
        ended = [
            (n, Completed(Fetched(Path("/home/me/Downloads", f"{n}.bin"), 3))) for n in numbers
        ]
        step = Advance(dict.fromkeys(numbers, now), ended, turn)
        following = transitions.advance(conn, step, now).following
        done += len(numbers)
    spent = time.process_time() - began
    conn.execute("ROLLBACK")
    return spent / done * 1000


def _running(agent: Agent) -> Iterator[Figure]:
    ready = []
    for _ in range(3):
        ready.append(agent.start())
        agent.stop()
    yield Figure("ready after", statistics.median(ready), 1, "s")
    with agent:
        time.sleep(2)
        yield Figure("memory at rest", memory(agent) / 1024, 60, "MiB")

        def ask(path: str) -> Callable[[], object]:
            # Where a busy machine needs longer than a request may wait, the answer is "again".
            return lambda: until(lambda: agent.call("GET", path)[0] == 200, path)

        yield Figure("page of the list, CPU", _cost(agent, ask("downloads?limit=100")), 20, "ms")
        whole = "downloads?sort=queue&limit=100&offset="
        yield Figure("whole list sorted anew, CPU", _cost(agent, ask(f"{whole}0"), 1), 3000, "ms")
        yield Figure("a window far down, CPU", _cost(agent, ask(f"{whole}600000")), 20, "ms")
        sought = f"downloads?limit=100&q={quote('film 765432')}"
        yield Figure("search through everything, CPU", _cost(agent, ask(sought)), 1500, "ms")
        taken = []
        for _ in range(TIMES):
            began = time.perf_counter()
            agent.run("add", "http://127.0.0.1:9/nothing")
            taken.append(time.perf_counter() - began)
        yield Figure("trayagent add", statistics.median(taken), 0.25, "s")
        yield Figure("memory after all that", memory(agent) / 1024, 100, "MiB")


def _cost(agent: Agent, act: Callable[[], object], times: int = 20) -> float:
    """Milliseconds of the agent's CPU for one of so many; others on the machine count for nothing."""
    before = _cpu_seconds(agent)
    for _ in range(times):
        act()
    return (_cpu_seconds(agent) - before) / times * 1000


def _cpu_seconds(agent: Agent) -> float:
    """User and system time of its process so far."""
    assert agent.process is not None
    words = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


WORKLOAD = Figures("history", "a million rows of history, a hundred thousand waiting", take)
