"""Another program has the database locked: requests are told so in time, reads go on, and nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media, content


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """As a person does with a tool of his own."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.close()


def timed(agent: Agent, method: str, path: str, body: object = None) -> tuple[int, float]:
    """The status of a request, and how long it took."""
    began = time.monotonic()
    return agent.call(method, path, body)[0], time.monotonic() - began


@pytest.mark.timeout(150)  # each wait says what it waited for, before the time is up
def test_a_locked_database_refuses_in_time_and_loses_nothing(tmp_path: Path) -> None:
    """Four downloads run and end meanwhile; who asks is answered within 5 s, the next one at once."""
    with Media() as media, Agent(tmp_path) as agent:
        slow = [media.url(f"{n}.bin", 400_000, rate=300_000) for n in range(4)]
        for url in slow:
            agent.post("downloads", {"url": url})
        until(lambda: agent.get("status")["active"] == 4, "four downloads")
        fresh = {"url": media.url("fresh.bin")}
        with locked(tmp_path / "trayagent.db"):
            status, took = timed(agent, "POST", "downloads", fresh)
            assert (status, took < 5) == (503, True)
            status, again = timed(agent, "POST", "downloads", fresh)
            assert (status, again < 5) == (503, True)
            for path in ("status", "downloads", "downloads/d1", "batches"):
                status, took = timed(agent, "GET", path)
                assert (status, took < 1) == (200, True)
            until(lambda: len(list((tmp_path / "downloads").glob("?.bin"))) == 4, "the files")
        until(lambda: agent.get("status")["completed"] == 4, "their rows")
        agent.post("downloads", fresh)
        until(lambda: agent.get("status")["completed"] == 5, "the fresh one")
        assert agent.get("status") | {"active": 0, "queued": 0, "failed": 0} == agent.get("status")
        for n in range(4):
            assert (tmp_path / f"downloads/{n}.bin").read_bytes() == content(f"{n}.bin", 400_000)
        assert media.requests.count("/fresh.bin") == 1


def test_a_locked_database_does_not_keep_the_program_from_ending(tmp_path: Path) -> None:
    """What could not be saved is found at the next start."""
    with Media() as media, Agent(tmp_path) as agent:
        agent.post("downloads", {"url": media.url("a.bin", 400_000, rate=200_000)})
        until(lambda: agent.get("status")["active"] == 1, "a download")
        with locked(tmp_path / "trayagent.db"):
            began = time.monotonic()
            assert agent.stop() == 0
            assert time.monotonic() - began < 6
        agent.start()
        until(lambda: agent.get("status")["completed"] == 1, "the download")
        downloads = tmp_path / "downloads"
        until(lambda: [path.name for path in downloads.iterdir()] == ["a.bin"], "its record to go")
