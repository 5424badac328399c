"""A host that says 429 with Retry-After is left alone by everybody, and nobody else pays for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media

SECONDS = 4
COUNT = 5


@pytest.mark.parametrize("is_killed", [False, True], ids=["running", "killed"])
def test_only_the_one_that_asked_loses_a_try_and_other_hosts_go_on(
    tmp_path: Path, is_killed: bool
) -> None:
    """Also over a kill: the rows know whom not to ask, and for how long."""
    with Media() as busy, Media() as calm:
        busy.busy_seconds = SECONDS
        agent = Agent(tmp_path, DOWNLOADS__RETRIES="1", DOWNLOADS__PER_HOST="1")
        agent.start()
        first = agent.post("downloads", {"url": busy.url("0.bin")})["downloads"][0]["id"]
        until(lambda: busy.requests, "the host to be asked")
        until(lambda: agent.get(f"downloads/{first}")["not_before"], "it to wait")
        others = [
            agent.post("downloads", {"url": busy.url(f"{n}.bin")})["downloads"][0]["id"]
            for n in range(1, COUNT)
        ]
        for n in range(COUNT):
            agent.post("downloads", {"url": calm.url(f"{n}.bin")})
        until(lambda: agent.get("status")["completed"] == COUNT or None, "the other host's")
        assert len(busy.requests) == 1, "asked while it wanted to be left alone"
        if is_killed:
            agent.kill()
            agent.start()
        until(lambda: agent.get("status")["completed"] == 2 * COUNT or None, "all")
        attempts = {id: agent.get(f"downloads/{id}")["attempts"] for id in (first, *others)}
        agent.stop()
    assert attempts == {first: 2, **dict.fromkeys(others, 1)}
    # Not a moment earlier than it said; the first may then be anybody's turn.
    assert busy.times[1] - busy.times[0] >= SECONDS
    assert max(calm.times) < busy.times[1]
    assert sorted(busy.requests) == sorted(["/0.bin", *(f"/{n}.bin" for n in range(COUNT))])
