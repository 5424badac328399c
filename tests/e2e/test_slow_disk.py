"""A disk that takes two seconds for each call holds up its own download, and neither the others nor the hook."""

import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.e2e.agent import ROOT, Agent, until
from tests.patience import patience
from tests.servers.media import Media, content

SIZE, RATE = 6_000_000, 1_500_000
"""Bytes of each quick file, and bytes a second at which its server sends it."""
SLOW_CALL = 2.0
SHIM = """
import os, time

NAMES, FOLDER, SECONDS = {names!r}, {folder!r}, {seconds!r}


def slowly(call):
    def slow(*words, **more):
        for word in words[:2]:
            try:
                path = os.readlink(f"/proc/self/fd/{{word}}") if type(word) is int else os.fspath(word)
            except (OSError, TypeError):
                continue
            if os.fsdecode(path).startswith(FOLDER):
                time.sleep(SECONDS)
                break
        return call(*words, **more)

    return slow


for name in NAMES:
    setattr(os, name, slowly(getattr(os, name)))
"""
"""What Python runs before the program: some of its calls into the system get slow for one folder."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


def agent_with(home: Path, names: tuple[str, ...]) -> Agent:
    """An agent for which these calls are slow in the folder `slow` of its downloads."""
    shim = home / "shim"
    shim.mkdir(parents=True)
    folder = str(home / "downloads" / "slow")
    text = SHIM.format(names=names, folder=folder, seconds=SLOW_CALL)
    (shim / "sitecustomize.py").write_text(text)
    agent = Agent(home, DOWNLOADS__KEEP_FREE="0", DOWNLOADS__SEGMENTS="1")
    agent._environ["PYTHONPATH"] = f"{shim}{os.pathsep}{ROOT}"
    return agent


class StatusAsker:
    """Asks for the status all the while, and notes how long each answer takes."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.took: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.02):
            began = time.perf_counter()
            self._agent.get("status")
            self.took.append(time.perf_counter() - began)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "names",
    [
        ("pwrite", "pwritev"),
        ("fsync", "fdatasync", "rename", "link", "unlink"),
        ("stat", "lstat", "statvfs", "mkdir", "open"),
    ],
    ids=["writes", "names", "looks"],
)
def test_one_slow_disk_slows_one_download(
    tmp_path: Path, media: Media, names: tuple[str, ...]
) -> None:
    with agent_with(tmp_path, names) as agent:
        slow = media.url("slow.bin", SIZE, rate=RATE)
        quick = [media.url(f"quick-{n}.bin", SIZE, rate=RATE) for n in range(3)]
        agent.post("downloads", {"url": slow, "folder": "slow"})
        until(lambda: agent.get("status")["active"] == 1, "the slow one")
        began = time.monotonic()
        with StatusAsker(agent) as asker:
            agent.post("downloads", {"items": [{"url": url} for url in quick]})
            until(lambda: agent.get("status")["completed"] >= 3, "the quick ones", 60)
            took = time.monotonic() - began
            # A finished file on that disk is asked for once more: the look at it is slow, too.
            agent.post("downloads", {"url": media.url("late.bin", 10), "folder": "slow"})
            until(lambda: len(asker.took) > 150, "enough answers", 60)
        began = time.monotonic()
        assert agent.stop() == 0
        ended = time.monotonic() - began
    took_all = sorted(asker.took)
    p99 = statistics.quantiles(took_all, n=100)[-1]
    print(f"{SIZE / took / RATE:.0%} of the rate, p99 {1000 * p99:.1f} ms, quit {ended:.1f} s")
    for n in range(3):
        path = tmp_path / "downloads" / f"quick-{n}.bin"
        assert path.read_bytes() == content(path.name, SIZE)
    assert took <= patience(SIZE / RATE / 0.8)
    assert (
        p99 <= patience(0.02) * 5
    )  # whatever else this machine does: a slow call takes 100 times that
    assert ended <= patience(5)
    assert "Traceback" not in agent.log()
