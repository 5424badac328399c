"""Moved when done: whole in one of two places at every moment, however often it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media, content

STEPS = ["move-copied", "move-intended", "move-named", "move-noted", "move-removed"]


def whole(path: Path) -> bool:
    return path.exists() and path.read_bytes() == content("film.mp4", 50_000)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_loses_nothing_and_leaves_nothing(tmp_path: Path, step: str) -> None:
    home, share = tmp_path / "home", tmp_path / "share"
    (share / "Films").mkdir(parents=True)
    (share / "Films" / "film.mp4").write_text("somebody else's")
    with Media() as media:
        agent = Agent(home, MOVE__TO=str(share), FAILPOINT=step)
        agent.start()
        agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000), "folder": "Films"})
        assert agent.process is not None
        assert agent.process.wait(20) == 137
        here = home / "downloads" / "Films" / "film.mp4"
        there = share / "Films" / "film (1).mp4"
        assert whole(here) or whole(there)
        with Agent(home, MOVE__TO=str(share)) as after:
            until(lambda: whole(there) and not here.exists(), "the move")
            until(lambda: after.get("downloads/d1")["path"] == str(there), "its path")
        assert sorted(file.name for file in (share / "Films").iterdir()) == [
            "film (1).mp4",
            "film.mp4",
        ]
        assert (share / "Films" / "film.mp4").read_text() == "somebody else's"
        assert media.requests == ["/film.mp4"]


def test_a_share_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """An unmounted share leaves an empty folder: nothing is written there."""
    home, share = tmp_path / "home", tmp_path / "share"
    share.mkdir()
    with Media() as media, Agent(home, MOVE__TO=str(share)) as agent:
        agent.call("POST", "downloads", {"url": media.url("a.bin")})
        until((share / "a.bin").exists, "the first")
        share.rename(tmp_path / "unmounted")
        share.mkdir()
        agent.call("POST", "downloads", {"url": media.url("b.bin")})
        until(lambda: agent.get("status")["completed"] == 2 or None, "the second")
        agent.stop()
    assert list(share.iterdir()) == []
    assert (home / "downloads" / "b.bin").exists()
    share.rmdir()
    (tmp_path / "unmounted").rename(share)
    with Agent(home, MOVE__TO=str(share)):
        until((share / "b.bin").exists, "it to arrive")
        until(lambda: not (home / "downloads" / "b.bin").exists(), "the one here to go")
