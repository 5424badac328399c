"""However servers misbehave meanwhile, every file that is published holds the server's bytes."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, Served
from tests.transfer.rig import TransferRig, noise, transferring
from trayagent.model.errors import DownloadError


class Moody:
    """Serves one file, in another mood every time."""

    def __init__(self, body: bytes, dice: random.Random) -> None:
        self.file = Served(body)
        self._dice = dice

    async def __call__(self, exchange: Exchange) -> None:
        dice, body = self._dice, self.file.body
        mood = dice.randrange(12)
        served = Served(body, etag=self.file.etag)
        if mood == 0:
            await exchange.reply(dice.choice(["500 Oops", "502 Bad", "404 Gone for now"]))
            return
        if mood == 1:
            exchange.reset()
            exchange.close = True
            return
        if mood in (2, 3, 4):
            served.cut = [dice.randrange(len(body))]
            served.reset = mood == 2
        elif mood == 5:
            served.content_range = "bytes 0-4/5"
        elif mood == 6:
            served.framing = "chunked"
        elif mood == 7:
            served.ranges = False
        elif mood == 8:
            served.if_range = False
        elif mood == 9:
            self.file = served = Served(noise(dice.randrange(1, 2_000_000), dice.randrange(99)))
            served.etag = f'"{dice.random()}"'
        await served(exchange)


async def insist(rig: TransferRig, url: str, name: str, dice: random.Random) -> None:
    """As the pool does: again with what is kept, until it works."""
    path: Path | None = None
    for _ in range(60):
        with suppress(DownloadError):
            await rig.get(url, filename=name, path=path, segments=dice.choice([1, 2, 4]))
            return
        reserved = [
            told for told in rig.told.names if told.name.startswith(name.partition(".")[0] + ".")
        ]
        path = reserved[-1] if reserved else None
    raise AssertionError(f"{name} never arrived")


async def mixed(tmp_path: Path, count: int, seed: int) -> None:
    dice = random.Random(seed)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        moods = {}
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                name = f"f{n:03}.bin"
                moods[name] = Moody(noise(dice.choice([300, 40_000, 1_500_000]), n), dice)
                url = server.at(f"/{name}", moods[name])
                group.create_task(insist(rig, url, name, dice), name=name)
        files = rig.files()
        assert sorted(files) == sorted(moods)
        for name, mood in moods.items():
            expected = hashlib.sha256(mood.file.body).hexdigest()
            assert hashlib.sha256(files[name]).hexdigest() == expected, name


async def test_a_little_of_everything(tmp_path: Path) -> None:
    await mixed(tmp_path, 24, 1)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
async def test_a_lot_of_everything(tmp_path: Path, seed: int) -> None:
    await mixed(tmp_path, 150, seed)
