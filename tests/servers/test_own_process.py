"""A server that is slow to start is waited for, and one that has ended says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.servers.own_process import OwnProcess, connect

LATE = """
import socket, sys, time
time.sleep(0.5)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()
"""


class PythonServer(OwnProcess):
    """A program of these lines; its first word is the port."""

    def __init__(self, folder: Path, code: str) -> None:
        super().__init__(folder)
        self._code = code

    def command(self) -> list[str]:
        return [sys.executable, "-c", self._code, str(self.port)]


def test_a_server_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    """A port where nobody listens yet refuses at once: tries without a clock are over in no time."""
    with PythonServer(tmp_path, LATE) as server:
        connect(server.port)
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            connect(server.port)
        server.start()  # at the same port


def test_one_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match=r"has ended \(1\): Address already in use"),
        PythonServer(tmp_path, "raise SystemExit('Address already in use')"),
    ):
        pytest.fail("it has not started")
