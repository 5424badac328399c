"""Killed at any step of a list: each line is fetched once, and the report is right."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media

STEPS = [
    "list-begun",
    "list-before-chunk",
    "list-after-chunk",
    "list-before-report",
    "list-after-report",
    "list-before-move",
    "list-after-move",
]
SIZE = 2_000
IN_FLIGHT = 4
"""A kill may cut off so many downloads, which are asked for again; no other is."""


def drop(home: Path, media: Media, lines: int) -> None:
    """A list of so many files, one line that is none, and one that repeats the first."""
    urls = [media.url(f"file-{i}.bin", SIZE) for i in range(lines)]
    text = "\n".join([*urls, "file:///etc/passwd", urls[0]]) + "\n"
    folder = home / "drop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.tmp").write_text(text)
    (folder / "x.tmp").rename(folder / "x.txt")


def check(home: Path, media: Media, lines: int) -> None:
    """One report, one outcome a line, one request a file."""
    filed = home / "drop" / "failed" / "x.txt"
    until(lambda: filed.exists() and not list((home / "drop" / "working").iterdir()), "the list")
    report = json.loads(filed.with_name("x.txt.report.json").read_text())
    assert [line["line"] for line in report["lines"]] == list(range(1, lines + 3))
    outcomes = [line["outcome"] for line in report["lines"]]
    assert outcomes[:lines] == ["completed"] * lines
    assert outcomes[lines] == "rejected"
    assert outcomes[lines + 1] in ("completed", "duplicate")
    assert filed.with_name("x.txt.retry.txt").read_text() == "file:///etc/passwd\n"
    assert not list(filed.parent.glob("x (*")), "the list was taken twice"
    downloads = sorted(path.name for path in (home / "downloads").iterdir())
    assert downloads == sorted(f"file-{i}.bin" for i in range(lines))


def again(media: Media) -> int:
    """How many requests asked for a file that was asked for before."""
    return len(media.requests) - len(set(media.requests))


@pytest.mark.parametrize("step", STEPS)
def test_a_list_survives_a_kill_at_every_step(tmp_path: Path, step: str) -> None:
    """The process dies at the step; the next one goes on as if nothing had happened."""
    with Media() as media:
        drop(tmp_path, media, 20)
        first = Agent(tmp_path, FAILPOINT=step)
        first.start()
        assert first.process is not None
        assert first.process.wait(30) == 137
        with Agent(tmp_path):
            check(tmp_path, media, 20)
        assert again(media) <= IN_FLIGHT


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.soak)])
def test_a_list_survives_kills_at_random_moments(tmp_path: Path, kills: int) -> None:
    """Whenever the process ends, no line is lost and none is fetched twice."""
    chance = random.Random(kills)
    with Media() as media:
        drop(tmp_path, media, 1000)
        for _ in range(kills):
            agent = Agent(tmp_path)
            agent.start()
            time.sleep(chance.uniform(0, 3.5))
            agent.kill()
        with Agent(tmp_path):
            until((tmp_path / "drop/failed/x.txt").exists, "the list", 120)
            check(tmp_path, media, 1000)
        assert again(media) <= IN_FLIGHT * kills
