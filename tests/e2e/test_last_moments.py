"""Signals are understood to the very end: they never leave a file behind, nor end in a word of Python's."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, environ, until
from tests.servers.media import Media, content

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signals between processes"
)
ENDING = ["SIGTERM", "SIGINT", "SIGHUP"]


def hail(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """One signal after the other until the process is gone; its exit code."""
    end = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        process.send_signal(number)
        time.sleep(0.0005)
    return process.wait(1)


@pytest.mark.parametrize("name", ENDING)
def test_a_hail_of_signals_is_one(tmp_path: Path, name: str) -> None:
    with Agent(tmp_path) as agent:
        assert agent.process is not None
        assert hail(agent.process, getattr(signal, name)) == 0
        assert "Traceback" not in agent.log()
    assert left(tmp_path) == []


@pytest.mark.parametrize("how", ["quit", "SIGTERM"])
def test_signals_in_its_last_moments_change_nothing(tmp_path: Path, how: str) -> None:
    """It is asked to end, and told again once its last work has begun."""
    with Agent(tmp_path) as agent:
        assert agent.process is not None
        if how == "quit":
            assert agent.call("POST", "quit", {})[0] == 202
        else:
            agent.process.send_signal(getattr(signal, how))
        until(lambda: not (tmp_path / "runtime.json").exists(), "its last moments")
        assert hail(agent.process, signal.SIGTERM) == 0
        assert "Traceback" not in agent.log()
    assert left(tmp_path) == []


def test_a_signal_while_it_starts_ends_it_once_it_has(tmp_path: Path) -> None:
    """From the moment at which it has a file to leave behind."""
    agent = Agent(tmp_path)
    agent.launch()
    assert agent.process is not None
    until((tmp_path / "trayagent.db").exists, "its database")
    assert hail(agent.process, signal.SIGTERM) == 0
    assert "Traceback" not in agent.log()
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize("moment", ["part", "file"])
def test_a_get_ends_as_interrupted_or_done(tmp_path: Path, name: str, moment: str) -> None:
    with Media() as media:
        url = media.url("film.bin", 400_000, rate=400_000)
        words = [sys.executable, "-m", "trayagent", "get", url, "-o", str(tmp_path / "out")]
        process = subprocess.Popen(
            words, env=environ(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        final = tmp_path / "out" / "film.bin"
        came: Callable[[], bool] = (
            final.exists if moment == "file" else final.with_name("film.bin.part").exists
        )
        until(came, moment)
        code = hail(process, getattr(signal, name))
        said = process.communicate()[0].decode()
        assert code in (0, 130), said
        assert "Traceback" not in said
        if moment == "file":
            # Interrupted, it has noted what is here: the same command asks for nothing then.
            names = {path.name for path in final.parent.iterdir()} - {".trayagent-get.json"}
            assert names == {"film.bin"}
            assert final.read_bytes() == content("film.bin", 400_000)
        if code == 0:
            return  # the same command would be another wish
        again = subprocess.run(words, env=environ(tmp_path), capture_output=True, check=False)
        assert again.returncode == 0
        assert [path.name for path in final.parent.iterdir()] == ["film.bin"]


def left(home: Path) -> list[str]:
    """What only a running agent has."""
    names = {"runtime.json", "trayagent.db-wal", "trayagent.db-shm"}
    return sorted(path.name for path in home.iterdir() if path.name in names)
