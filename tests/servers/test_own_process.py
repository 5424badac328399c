"""A server that is slow to start is waited for, and one that has ended says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.own_process import connect, unused_port, wait_for_answer

LATE = """
import socket, sys, time
time.sleep(0.5)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    server.accept()
"""


def start(folder: Path, code: str, *words: str) -> subprocess.Popen[bytes]:
    with (folder / "stderr").open("wb") as said:
        return subprocess.Popen([sys.executable, "-c", code, *words], stderr=said)


def test_a_server_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    """A port where nobody listens yet refuses at once: tries without a clock are over in no time."""
    port = unused_port()
    with start(tmp_path, LATE, str(port)) as process:
        wait_for_answer(process, lambda: connect(port), tmp_path / "stderr")
    assert process.returncode == 0


def test_one_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    port = unused_port()
    with (
        start(tmp_path, "raise SystemExit('Address already in use')") as process,
        pytest.raises(AssertionError, match=r"has ended \(1\): Address already in use"),
    ):
        wait_for_answer(process, lambda: connect(port), tmp_path / "stderr")
