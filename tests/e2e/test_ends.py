"""The agent starts beside anything, ends by any signal at any moment, and says why when it cannot start."""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, command, environ, until
from tests.patience import patience

POSIX = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signals between processes"
)


def test_trayagent_alone_runs_also_without_a_desktop(tmp_path: Path) -> None:
    with Agent(tmp_path, words=()) as agent:
        assert agent.get("status")["active"] == 0
        assert agent.run("quit").returncode == 0
        assert agent.process is not None
        assert agent.process.wait(10) == 0
    assert "Traceback" not in agent.log()


@POSIX
def test_it_runs_where_nobody_gave_it_streams(tmp_path: Path) -> None:
    script = 'exec "$0" -m trayagent run --headless <&- >&- 2>&-'
    process = subprocess.Popen(["sh", "-c", script, sys.executable], env=environ(tmp_path))
    until((tmp_path / "runtime.json").exists, "the agent")
    assert command(tmp_path, "status").returncode == 0
    assert command(tmp_path, "quit").returncode == 0
    assert process.wait(10) == 0


@POSIX
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: str) -> None:
    agent = Agent(tmp_path)
    agent.start()
    assert agent.process is not None
    began = time.monotonic()
    agent.process.send_signal(getattr(signal, number))
    assert agent.process.wait(10) == 0
    assert time.monotonic() - began < patience(5)
    assert not (tmp_path / "runtime.json").exists()
    assert "Traceback" not in agent.log() + (tmp_path / "logs/trayagent.log").read_text()


@POSIX
@pytest.mark.timeout(120)
def test_signals_while_it_starts_and_twice_do_no_harm(tmp_path: Path) -> None:
    chance = random.Random(4)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-m", "trayagent", "run", "--headless"],
            env=environ(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        time.sleep(chance.uniform(0, 0.9))
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=10)
        assert process.returncode in (0, -signal.SIGTERM, 130)
        assert "Traceback" not in said
    with Agent(tmp_path) as agent:
        assert agent.get("status")["active"] == 0


def test_a_taken_port_means_the_next_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with Agent(tmp_path, HOOK__PORT=str(port)) as agent:
            assert port < agent.port <= port + 10
            assert agent.run("status").returncode == 0
            told = command(tmp_path, "doctor", "--json", TRAYAGENT_HOOK__PORT=str(port))
    checks = {check["name"]: check for check in json.loads(told.stdout)["checks"]}
    assert checks["port"]["verdict"] == "warning"
    assert "bookmarklet" in checks["port"]["mend"]
    assert checks["agent"]["verdict"] == "ok"


def test_what_keeps_it_from_starting_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.toml").write_text("[downloads]\nworkers = 99\n")
    (tmp_path / "newer").mkdir()
    assert command(tmp_path / "newer", "version").returncode == 0
    for home, code, told in (("file", 1, "file"), ("broken", 2, "downloads.workers")):
        done = subprocess.run(
            [sys.executable, "-m", "trayagent", "run", "--headless"],
            env=environ(tmp_path) | {"TRAYAGENT_HOME": str(tmp_path / home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_a_damaged_database_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "trayagent.db").write_bytes(b"this is no database " * 1000)
    with Agent(tmp_path) as agent:
        assert agent.get("status")["completed"] == 0
    kept = [path for path in tmp_path.glob("trayagent*") if b"no database" in path.read_bytes()]
    assert len(kept) == 1


@POSIX
@pytest.mark.soak
@pytest.mark.timeout(300)
def test_of_fifty_starts_exactly_one_lives(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "trayagent", "run", "--headless"]
    starts = [
        subprocess.Popen(
            words, env=environ(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(50)
    ]
    try:
        until(lambda: sum(one.poll() is not None for one in starts) == 49, "49 hand-overs", 120)
        assert sorted({one.returncode for one in starts if one.poll() is not None}) == [0]
    finally:
        for one in starts:
            one.kill()
            one.wait()
