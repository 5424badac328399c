"""Whoever waits for downloads is told what becomes of them when the agent ends."""

from __future__ import annotations

import io
import socket

import pytest

from tests.cli.conftest import Run
from trayagent.cli.add import follow
from trayagent.cli.client import AgentClient
from trayagent.cli.exits import NotRunningError
from trayagent.cli.output import Screen
from trayagent.cli.progress import NoBars


def test_a_word_too_long_for_a_file_is_an_address_for_the_agent_to_refuse(run: Run) -> None:
    """It was looked for on the disk, which said that the name is too long: no other address was added."""
    assert run("add", "https://example.com/film.mp4", "a" * 300).code == 3
    assert run("add", "").code == 3


def test_an_agent_that_ends_before_the_wait_begins_keeps_the_downloads_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    agent = AgentClient(f"http://127.0.0.1:{port}", "t" * 43)

    with pytest.raises(NotRunningError, match="keeps the downloads"):
        follow(agent, ["d1"], NoBars(Screen(io.StringIO(), io.StringIO(), {})))
