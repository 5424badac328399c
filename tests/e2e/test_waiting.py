"""Waiting on the command line ends when the work does, survives a broken stream, and never hides the agent's end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, Agent, environ, until
from tests.servers.media import Media, content


@pytest.fixture
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path) as running:
        yield running


@contextlib.contextmanager
def beside(agent: Agent, *args: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs while the test goes on."""
    with subprocess.Popen(
        [sys.executable, "-m", "trayagent", *args],
        env=environ(agent.home),
        cwd=agent.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def started(agent: Agent) -> str:
    """The id of the first download that is under way."""
    found = until(lambda: agent.get("downloads?state=active")["downloads"], "a download")
    return str(found[0]["id"])


def test_the_agents_end_is_3_and_the_download_is_kept(agent: Agent, media: Media) -> None:
    url = media.url("kept.bin", 1_000_000, rate=500_000)
    with beside(agent, "add", "--wait", url) as command:
        id = started(agent)
        agent.kill()
        _, err = command.communicate(timeout=PATIENCE)
        assert command.returncode == 3
        assert "keeps the downloads" in err
        agent.start()
        row = until(lambda: (d := agent.get(f"downloads/{id}"))["state"] == "completed" and d, "it")
        assert Path(row["path"]).read_bytes() == content("kept.bin", 1_000_000)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_is_130_and_the_download_goes_on(agent: Agent, media: Media) -> None:
    with beside(agent, "add", "--wait", media.url("on.bin", 1_000_000, rate=500_000)) as command:
        id = started(agent)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=PATIENCE)
        assert command.returncode == 130
        assert "goes on" in err
        until(lambda: agent.get(f"downloads/{id}")["state"] == "completed", "it")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_a_check_of_the_files(agent: Agent, media: Media) -> None:
    saved = json.loads(agent.run("add", "--wait", "--json", media.url("long.bin")).stdout)
    os.truncate(saved["downloads"][0]["path"], 1 << 40)  # a hole, no bytes on the disk
    with beside(agent, "verify") as command:
        until(lambda: agent.get("verify")["state"] == "running", "the check")
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=PATIENCE)
        assert command.returncode == 130
        assert "has stopped" in err
        until(lambda: agent.get("verify")["state"] == "cancelled", "its end")


def test_cancelling_or_removing_ends_the_wait(agent: Agent, media: Media) -> None:
    for verb in (["cancel"], ["remove"]):
        url = media.url(f"{verb[0]}.bin", 2_000_000, hold=1)
        with beside(agent, "add", "--wait", "--json", url) as command:
            id = started(agent)
            assert agent.run(*verb, id).returncode == 0
            out, _ = command.communicate(timeout=PATIENCE)
            assert command.returncode == 1
            assert json.loads(out)["downloads"][0]["state"] in ("cancelled", "removed")


def test_a_paused_download_is_waited_for(agent: Agent, media: Media) -> None:
    with beside(agent, "add", "--wait", media.url("paused.bin", 600_000, hold=1)) as command:
        id = started(agent)
        assert agent.run("pause", id).returncode == 0
        time.sleep(0.3)
        assert command.poll() is None
        media.go_on.set()
        assert agent.run("resume", id).returncode == 0
        command.communicate(timeout=PATIENCE)
        assert command.returncode == 0


def test_status_can_be_watched_line_by_line(agent: Agent, media: Media) -> None:
    with beside(agent, "status", "--watch", "--json") as watch:
        assert watch.stdout is not None
        first = json.loads(watch.stdout.readline())
        assert (first["active"], first["completed"]) == (0, 0)
        agent.run("add", media.url("seen.bin"))
        seen = first
        while seen["completed"] == 0:
            seen = json.loads(watch.stdout.readline())
        agent.stop()
        assert watch.wait(PATIENCE) == 3
