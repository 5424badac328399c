"""A real agent and a real webhook: whatever is killed in between, each end is told."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, Agent, until
from tests.servers.media import Media
from tests.servers.threaded import Quiet, Threaded


class Hook(Threaded):
    """A webhook that takes everything."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        """The number in the header, and which download it was."""
        super().__init__(Quiet(type("Handler", (_HookHandler,), {"hook": self})))


class _HookHandler(BaseHTTPRequestHandler):
    hook: Hook

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """Note it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.hook.told.append((self.headers["X-Trayagent-Delivery"], body["download"]))
        self.send_response(204)
        self.end_headers()


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("webhook-noted", [("1", "d1")]),
        ("webhook-told", [("1", "d1"), ("1", "d1")]),
    ],
)
def test_a_kill_before_or_after_the_post_loses_none(
    tmp_path: Path, step: str, told: list[tuple[str, str]]
) -> None:
    with Media() as media, Hook() as hook:
        agent = Agent(tmp_path, FAILPOINT=step, HOOKS__URL=hook.base)
        agent.start()
        agent.call("POST", "downloads", {"url": media.url("a.bin")})
        assert agent.process is not None
        assert agent.process.wait(PATIENCE) == 137
        with Agent(tmp_path, HOOKS__URL=hook.base):
            until(lambda: hook.told == told, "the webhook")


def test_one_that_is_away_is_told_after_the_next_start(tmp_path: Path) -> None:
    """Nobody listened while the agent ran."""
    with Media() as media:
        with Agent(tmp_path, HOOKS__URL="http://127.0.0.1:9/") as agent:
            for number in range(3):
                agent.call("POST", "downloads", {"url": media.url(f"{number}.bin")})
            until(lambda: agent.get("status")["completed"] == 3 or None, "all")
        with Hook() as hook, Agent(tmp_path, HOOKS__URL=hook.base):
            until(lambda: len(hook.told) == 3, "the webhook")
    assert [number for number, _ in hook.told] == ["1", "2", "3"]
