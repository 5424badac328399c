"""A server that allows a client few connections gets no more of them, and loses none of its bytes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.patience import patience
from tests.servers.lying import Behaviour, Exchange, Lying, Served, replying
from tests.transfer.rig import QUICK, noise, transferring, until
from trayagent.model.errors import DownloadError

SIZE = 6_000_000


async def hang_up(exchange: Exchange) -> None:
    exchange.close = True


async def reset(exchange: Exchange) -> None:
    exchange.reset()


REFUSALS: dict[str, Behaviour] = {
    "403": replying("403 Limit"),
    "429": replying("429 Limit", Retry_After=1),
    "503": replying("503 Limit"),
    "reset": reset,
    "hang up": hang_up,
}


@dataclass
class Limited:
    """A server that refuses all connections for a file but so many."""

    file: Served
    allowed: int
    refuse: Behaviour
    strict: bool = False
    """Whether a connection that its client gave up counts as taken ever after."""
    taken: int = 0
    refused: int = 0

    async def __call__(self, exchange: Exchange) -> None:
        if self.taken >= self.allowed:
            self.refused += 1
            await self.refuse(exchange)
            if self.file.gate is not None:
                self.file.gate.set()
            return
        self.taken += 1
        whole = False
        try:
            await self.file(exchange)
            whole = True
        finally:
            self.taken -= whole or not self.strict


@pytest.mark.parametrize("segments", [None, 16])
@pytest.mark.parametrize("how", REFUSALS)
async def test_the_one_connection_that_is_allowed_brings_the_file(
    tmp_path: Path, how: str, segments: int | None
) -> None:
    body = noise(8_000_000)
    held = Served(body, gate=asyncio.Event(), gate_at=2_000_000)  # until another was refused
    limited = Limited(held, 1, REFUSALS[how], strict=True)
    limits = replace(QUICK, stall=patience(QUICK.stall))  # the gate may open late on a busy machine
    async with Lying() as server, transferring(tmp_path, server.authority, limits=limits) as rig:
        await rig.get(server.at("/f.bin", limited), segments=segments)
        assert rig.files() == {"f.bin": body}
        assert limited.refused > 0
        # Whoever hangs up without a word is asked once more: an idle connection may end like that.
        assert limited.refused <= 2 * ((segments or 2) - 1)


@pytest.mark.parametrize("how", REFUSALS)
async def test_connections_that_are_refused_are_no_loss_to_the_others(
    tmp_path: Path, how: str
) -> None:
    body = noise(8_000_000)
    limited = Limited(Served(body, rate=4_000_000), 3, REFUSALS[how])
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", limited), segments=16)
        assert rig.files() == {"f.bin": body}


async def test_a_door_that_closes_behind_the_first_is_no_loss(tmp_path: Path) -> None:
    body = noise(SIZE)
    file = Served(body, rate=SIZE)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:

        async def shutting(exchange: Exchange) -> None:
            server.shut()
            await file(exchange)

        await rig.get(server.at("/f.bin", shutting), segments=4)
        assert rig.files() == {"f.bin": body}
        assert len(server.requests) == 1


async def test_a_connection_does_not_wait_for_one_that_may_be_refused(tmp_path: Path) -> None:
    body = noise(SIZE)
    first, others = Served(body), asyncio.Event()

    async def slow_to_refuse(exchange: Exchange) -> None:
        if exchange.header("Range"):
            await others.wait()
            await exchange.reply("403 Limit")
        else:
            await first(exchange)
            others.set()

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", slow_to_refuse), segments=4)
        assert rig.files() == {"f.bin": body}
        assert sum(exchange.header("Range") is None for exchange in server.requests) == 1


async def test_what_the_last_connection_is_refused_is_asked_for_again(tmp_path: Path) -> None:
    """A server needs its time to see that a connection is over: that is no reason to give up."""
    body = noise(SIZE)
    file = Served(body, rate=SIZE)
    answers: list[str] = []

    async def late_to_notice(exchange: Exchange) -> None:
        answers.append(exchange.header("Range") or "")
        if len(answers) in (3, 4):
            await exchange.reply("403 Limit")
        else:
            await file(exchange)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        file.extra, file.cut = {"Connection": "close"}, [SIZE, 100_000]
        await rig.get(server.at("/f.bin", late_to_notice), segments=2)
        assert rig.files() == {"f.bin": body}
        assert len(answers) == 5


async def test_parts_that_are_refused_for_good_make_way_for_the_whole_file(tmp_path: Path) -> None:
    body = noise(SIZE)
    file = Served(body, rate=SIZE, cut=[SIZE, 100_000])
    parts = 0

    async def one_part_only(exchange: Exchange) -> None:
        nonlocal parts
        parts += exchange.header("Range") is not None
        if parts > 1 and exchange.header("Range"):
            await exchange.reply("403 No more parts")
        else:
            await file(exchange)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", one_part_only), segments=2)
        assert rig.files() == {"f.bin": body}


async def test_a_refusal_that_stays_counts_and_what_is_here_stays(tmp_path: Path) -> None:
    body = noise(SIZE)
    file = Served(body, rate=SIZE, cut=[SIZE // 4])

    async def closing(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await file(exchange)
        else:
            await exchange.reply("403 No more")

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", closing)
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, segments=4)
        assert failed.value.code == "forbidden"
        await rig.get(server.at("/f.bin", Served(body)), path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": body}
        assert server.requests[-1].header("Range") == f"bytes={SIZE // 4}-"


async def test_a_file_with_all_connections_of_a_host_makes_room_for_another(tmp_path: Path) -> None:
    """So that a small file does not wait for a large one to end."""
    large, small = Served(noise(16_000_000), rate=1_000_000), Served(b"x" * 1000)
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, connections_per_host=4) as rig,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(
            rig.get(server.at("/large.bin", large), segments=4), name="the large one"
        )
        await until(lambda: rig.client.transport.spare(server.authority) == 0)
        async with asyncio.timeout(2):
            await rig.get(server.at("/small.bin", small))
        assert not task.done()
        task.cancel()
