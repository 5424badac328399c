"""A kill at any moment loses at most what came since the last save, and never leaves a wrong file."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, Served
from tests.transfer.rig import noise

ROOT = Path(__file__).parent.parent.parent
FAILPOINTS = [
    "part-open",
    "part-write",
    "part-synced",
    "part-vouched",
    "part-settled",
    "settled-noted",
    "before-publish",
    "after-publish",
    "after-folder-sync",
]


SETTLED, NAMED = FAILPOINTS[5:], FAILPOINTS[7:]


@dataclass
class Counted:
    """Serves a file and counts the bytes that were asked for."""

    file: Served
    asked: list[int] = field(default_factory=list)

    async def __call__(self, exchange: Exchange) -> None:
        first, _, last = (exchange.header("Range") or "bytes=0-")[6:].partition("-")
        size = len(self.file.body)
        self.asked.append(int(last or size - 1) + 1 - int(first))
        await self.file(exchange)


async def process(*arguments: str, failpoint: str = "") -> asyncio.subprocess.Process:
    script = Path(__file__).with_name("one_fetch.py")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TRAYAGENT_FAILPOINT": failpoint}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(script), *arguments, env=environ
    )


SHORT, LONG = (50_000, 0), (3_000_000, 1_600_000)
STEPS = [(step, *LONG) for step in FAILPOINTS]
# A short file goes to the disk in one visit, so it knows fewer steps.
STEPS += [(step, *SHORT) for step in FAILPOINTS[4:]]


@pytest.mark.parametrize(("failpoint", "size", "rate"), STEPS)
async def test_a_kill_at_every_named_step(
    tmp_path: Path, failpoint: str, size: int, rate: int
) -> None:
    body = noise(size)
    folder, state = tmp_path / "in", tmp_path / "state"
    async with asyncio.timeout(30), Lying() as server:
        served = Counted(Served(body, rate=rate))
        url = server.at("/f.bin", served)
        died = await process(url, str(folder), str(state), "1", failpoint=failpoint)
        assert await died.wait() == 137
        names = {path.name for path in folder.iterdir()}
        assert names <= {"f.bin", "f.bin.part", "f.bin.part.json"}
        if "f.bin" in names:
            assert (folder / "f.bin").read_bytes() == body
        served.file.rate = 0
        again = await process(url, str(folder), str(state), "1")
        assert await again.wait() == 0
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"f.bin": body}
        if failpoint in ("part-vouched", "part-settled") and rate:
            assert served.asked[1] < size
        # It has arrived, and nobody is asked again; a short file has no name before it has its final one.
        if failpoint in (SETTLED if rate else NAMED):
            assert len(served.asked) == 1


async def killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    body = noise(4_000_000, seed)
    folder, state = tmp_path / "in", tmp_path / "state"
    async with Lying() as server:
        served = Served(body, rate=2_000_000)
        url = server.at("/f.bin", served)
        for _ in range(kills):
            child = await process(url, str(folder), str(state), str(dice.choice([1, 4])))
            await asyncio.sleep(dice.uniform(0.2, 2.2))
            if child.returncode is None:
                child.kill()
            await child.wait()
            if (folder / "f.bin").exists():
                assert (folder / "f.bin").read_bytes() == body
        served.rate = 0
        last = await process(url, str(folder), str(state))
        assert await last.wait() == 0
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"f.bin": body}


async def test_kills_at_random_moments(tmp_path: Path) -> None:
    await killed_again_and_again(tmp_path, 3, 1)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
async def test_many_kills_at_random_moments(tmp_path: Path, seed: int) -> None:
    await killed_again_and_again(tmp_path, 20, seed)
