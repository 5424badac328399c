"""The agent is light at rest, quick to answer, and keeps four workers busy to the last file."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.patience import patience
from tests.servers.media import Media

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


def facts(agent: Agent) -> tuple[float, int]:
    """Resident MiB of the process, and how often its threads have woken up."""
    assert agent.process is not None
    base = Path(f"/proc/{agent.process.pid}")
    lines = dict(line.split(":", 1) for line in (base / "status").read_text().splitlines())
    woken = 0
    for task in (base / "task").iterdir():
        text = (task / "status").read_text()
        woken += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return int(lines["VmRSS"].split()[0]) / 1024, woken


def rests(agent: Agent) -> bool:
    """Whether it does nothing for a second."""
    before = facts(agent)[1]
    time.sleep(1)
    return facts(agent)[1] == before


@LINUX
@pytest.mark.bench
def test_it_rests(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        until(lambda: rests(agent), "rest")
        megabytes, before = facts(agent)
        time.sleep(5)
        woken = facts(agent)[1] - before
    print(f"at rest: {megabytes:.0f} MiB, {woken} wake-ups in 5 s")
    assert megabytes <= 60
    assert woken <= 10  # a rescan of the drop folder may fall into it


COUNT_OBJECTS = """
import gc, pathlib, threading, time
HERE = pathlib.Path(__file__).parent

def count():
    while not (HERE / "asked").exists():
        time.sleep(0.02)
    (HERE / "new").write_text(f"{len(gc.get_objects())} {gc.get_threshold()[0]}")
    (HERE / "new").rename(HERE / "counted")

threading.Thread(target=count, daemon=True).start()
"""


def test_a_look_for_cycles_is_short(tmp_path: Path) -> None:
    """It stops all threads, so it leaves out the 50,000 objects of the start: with them it took 50 ms."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(COUNT_OBJECTS)
    agent = Agent(tmp_path / "home")
    agent._environ["PYTHONPATH"] += f"{os.pathsep}{site}"
    if sys.pycache_prefix:  # what else says so is this Python's own sitecustomize, which ours hides
        agent._environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    with agent:
        (site / "asked").touch()
        until((site / "counted").exists, "the count")
    looked_through, new = map(int, (site / "counted").read_text().split())
    assert looked_through < 15_000
    assert new <= 10_000


@pytest.mark.alone
@pytest.mark.bench
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("files", "wait", "tolerance"),
    [(14, 0.5, 0.25), pytest.param(42, 1.5, 0.03, marks=pytest.mark.soak)],
)
def test_four_workers_are_never_idle_and_never_five(
    tmp_path: Path, media: Media, files: int, wait: float, tolerance: float
) -> None:
    media.most = 0
    with Agent(tmp_path) as agent:
        urls = [{"url": media.url(f"{number}.bin", wait=wait)} for number in range(files)]
        began = time.monotonic()
        agent.post("downloads", {"items": urls})
        until(lambda: agent.get("status")["completed"] == files, "all files", 100)
        took = time.monotonic() - began
    ideal = math.ceil(files / 4) * wait
    print(f"{files} files of {wait} s: {took:.2f} s, ideal {ideal:.2f} s")
    assert media.most == 4
    assert took <= ideal + patience(ideal * tolerance + 0.02)  # how finely we look


@pytest.fixture
def big(tmp_path: Path) -> Iterator[list[str]]:
    """Addresses of four large files on a server that has a process to itself."""
    folder = tmp_path / "big"
    folder.mkdir()
    for number in range(4):
        with (folder / f"{number}.bin").open("wb") as file:
            file.truncate(2 << 30)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().partition(" port ")[2].split()[0]
        yield [f"http://127.0.0.1:{port}/{number}.bin" for number in range(4)]
        server.kill()


@pytest.mark.alone
@pytest.mark.bench
@pytest.mark.parametrize(
    ("busy", "bound"),
    [
        pytest.param(False, 5.0, id="rest"),
        pytest.param(True, 15.0, id="busy", marks=pytest.mark.soak),
    ],
)
def test_the_hook_answers_at_once(
    tmp_path: Path, media: Media, big: list[str], busy: bool, bound: float
) -> None:
    took = []
    with Agent(tmp_path / "home", DOWNLOADS__KEEP_FREE="0") as agent:
        if busy:
            agent.post("downloads", {"items": [{"url": url} for url in big]})
            until(lambda: agent.get("status")["active"] == 4, "the downloads to flow")
        else:
            agent.post("pause")
        for number in range(300):
            began = time.perf_counter()
            agent.post("downloads", {"url": media.url(f"small-{number}.bin"), "paused": True})
            took.append(1000 * (time.perf_counter() - began))
        assert not busy or agent.get("status")["active"] == 4
    took.sort()
    print(f"hook {'busy' if busy else 'at rest'}: p50 {took[150]:.1f} ms, p99 {took[297]:.1f} ms")
    # The middle one is ours; the slowest of a hundred is whoever else works on this machine and its disk.
    # `dev.py bench agent` holds that figure, on a machine of its own.
    assert took[150] <= bound * 10
