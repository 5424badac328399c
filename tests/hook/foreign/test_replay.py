"""Clients of aria2 get what they got from aria2: every recorded message, answered in the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent import Agent
from tests.hook.foreign.replay import DIFFERENCES, PAGE, RECORDINGS, Replay
from tests.servers.media import Media

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.json") if path.stem != "metube")
USED: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    """The file server of the recordings."""
    with Media() as media:
        yield media


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A whole agent, that lets AriaNg's page in."""
    settings = {
        "HOOK__ARIA2_ORIGINS": PAGE,
        "DOWNLOADS__RETRIES": "0",
        "NETWORK__PRIVATE_ADDRESSES": "allow",  # the browser's clients added from a local server
    }
    with Agent(tmp_path_factory.mktemp("replay") / "home", **settings) as agent:
        yield agent


@pytest.mark.parametrize("name", NAMES)
async def test_every_message_is_answered_as_aria2_does(
    agent: Agent, media: Media, name: str
) -> None:
    connection = agent.post("clients", {"kind": "aria2", "name": name})
    url = connection["url"].removesuffix("/jsonrpc")
    replay = Replay(url, connection["secret"], Path(agent.home, "downloads"), media.base)
    await replay.play(name)
    USED.update(replay.used)
    for download in agent.get("downloads?limit=1000")["downloads"]:
        agent.call("DELETE", f"downloads/{download['id']}")

    assert replay.problems == []


def test_every_difference_is_still_one() -> None:
    """Run with all of the above: what is no difference any more leaves the list."""
    if not USED:
        pytest.skip("needs the replay of all recordings in the same process")
    assert DIFFERENCES.keys() - USED == set()
