"""The agent of the demonstration: waited for on a slow machine, and never the end of what has arrived."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.clock import Clock
from trayagent.cli.client import AgentClient
from trayagent.demo import story
from trayagent.settings.home import Home


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    home = Home.under(tmp_path)
    home.prepare()
    home.config.write_text("[hook]\nport = 0\n")
    return home


def test_a_slow_machine_has_most_of_a_minute_to_start_it(
    own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy Windows whose scanner reads every module takes forty seconds; on a clock that a test moves."""
    clock = Clock()

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now >= 1040:
            own_home.runtime.touch()

    monkeypatch.setattr(story, "time", SimpleNamespace(monotonic=clock, sleep=sleep))
    process = SimpleNamespace(poll=lambda: None)
    assert story._ready(process, own_home, lambda home: home) is own_home  # type: ignore[arg-type,return-value,comparison-overlap]


def test_one_that_has_ended_is_not_waited_for(own_home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(2)"]) as process:
        pass
    (own_home.logs / "output.log").write_text("Port 1 is taken.")
    with pytest.raises(story.DemoError, match=r"The agent did not start\.\nPort 1 is taken"):
        story._ready(process, own_home, AgentClient.of)


class DeafAgent(AgentClient):
    """The client of an agent that does not hear `quit`."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return None if path == "quit" else super().post(path, body)


def test_one_that_does_not_go_is_ended_and_takes_nothing_along(
    own_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "QUIT_SECONDS", 0.2, raising=False)
    with story._agent(own_home, DeafAgent.of) as agent:
        assert agent.get("status")["completed"] == 0
    assert not own_home.runtime.exists() or sys.platform == "win32", (
        "it ended as by a session's end"
    )
