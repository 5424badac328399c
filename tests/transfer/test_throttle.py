"""A speed limit is exact over time, for one byte a second as for gigabytes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import Clock
from tests.patience import patience
from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring
from trayagent.model.settings import DownloadSettings
from trayagent.net.exchange import BUFFER
from trayagent.transfer.speed_limit import Bucket, piece_of


@given(
    st.integers(1, 10**10),
    st.lists(st.integers(1, 10**6), min_size=1, max_size=50),
)
def test_bytes_never_come_faster_than_the_limit(rate: int, chunks: list[int]) -> None:
    clock = Clock(0.0)
    bucket = Bucket(rate, clock)
    for chunk in chunks:
        clock.now += bucket.spend(chunk)
    assert clock.now == pytest.approx(sum(chunks) / rate, rel=1e-6, abs=0.1)


def test_unused_time_is_not_saved_up() -> None:
    clock = Clock(0.0)
    bucket = Bucket(1000, clock)
    clock.now = 3600
    assert bucket.spend(1100) == pytest.approx(1.0)


def test_no_limit_costs_nothing_and_can_be_set_while_running() -> None:
    clock = Clock(0.0)
    bucket = Bucket(0, clock)
    assert bucket.spend(10**12) == 0
    assert piece_of([bucket]) == BUFFER
    bucket.rate = 80_000
    assert piece_of([bucket, Bucket(0)]) == 10_000
    assert piece_of([bucket, Bucket(40_000)]) == 5_000
    bucket.rate = 1
    assert piece_of([bucket]) == 1024


@pytest.mark.parametrize("size", [60_000, 2_000_000])
async def test_downloads_share_one_limit(tmp_path: Path, size: int) -> None:
    body = noise(size)
    settings = DownloadSettings(keep_free="0", speed_limit=str(size * 2))
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, downloads=settings) as rig,
    ):
        url = server.at("/f.bin", Served(body))
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(rig.get(url), name=f"{n}")
        # 1.5 s, less 0.1 s of credit, and an eighth for the last piece of each: nobody waits for that.
        assert 1.0 < time.monotonic() - began < patience(4)
        assert set(rig.files().values()) == {body}


async def test_a_download_may_have_a_limit_of_its_own(tmp_path: Path) -> None:
    body = noise(400_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        began = time.monotonic()
        await rig.get(server.at("/f.bin", Served(body)), speed_limit=800_000)
        assert 0.3 < time.monotonic() - began < patience(2)


async def test_a_limit_below_the_stall_threshold_is_no_stall(tmp_path: Path) -> None:
    body = noise(1200)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", Served(body)), speed_limit=600)
        assert rig.files() == {"f.bin": body}
