"""A sync that is killed at any moment leaves no half file, and the next one completes it without doing it twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.library.running_library import digest_of, flow, running_library
from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow

LIST, MEDIA, STORAGE = "/fx/api/trpc/media.fetchUserHistoryDirectly", "/v1/media", "/storage"
ROOT = Path(__file__).parents[3]


def run_until(fake: FakeFlow, home: Path, route: str, count: int) -> None:
    """Start a sync in a process of its own and kill it once the server has seen so many requests."""
    before = fake.state.requests[route]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.agent.library.sync_process", home, fake.base],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 30
        while fake.state.requests[route] < before + count and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()


def whole(home: Path) -> None:
    """Every finished file is byte for byte what the server has."""
    bodies = {
        medium.key: medium.body
        for medium in [*data.images_of("alice"), *map(data.video, (1, 2, 3))]
    }
    for path in (home / "library").rglob("*"):
        if path.is_file() and not path.name.endswith((".part", ".part.json")):
            assert path.read_bytes() == bodies[path.stem.partition(" ")[0]], path


@pytest.mark.parametrize("inline", [True, False])
async def test_killed_at_many_moments(tmp_path: Path, inline: bool) -> None:
    with FakeFlow() as fake:
        fake.scenario(include_videos=True, latency_ms=10, no_inline=[] if inline else ["*"])
        moments = [(LIST, 1), (LIST, 2), (MEDIA, 2), (MEDIA, 9), (STORAGE, 1), (MEDIA, 15)]
        for route, count in moments:
            run_until(fake, tmp_path, route, count)
            whole(tmp_path)
        async with running_library(tmp_path, flow(fake)) as agent:
            await agent.sync()
            await agent.quiet()
            source = await agent.source()
    files = agent.files()
    assert (source.items, source.present) == (45, 45)
    assert len(files) == 45
    assert not [name for name in files if "(" in name or name.endswith(".part")]
    golden = [medium.body for medium in [*data.images_of("alice"), *map(data.video, (1, 2, 3))]]
    assert digest_of(sorted(files.values())) == digest_of(sorted(golden))
