"""A busy host is left alone by everybody, and no host gets more connections than it is allowed."""

from __future__ import annotations

import asyncio

import pytest
from trayagent.net.client import Client, Limits
from trayagent.net.slots import Slots

from tests.servers.lying import Exchange, Lying, redirecting, replying, saying
from tests.transfer.rig import until
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.host_limits import MOST as MOST_HOSTS
from trayagent.net.host_limits import Cooldown


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_cool_down_grows_with_every_strike_and_ends() -> None:
    clock = Clock()
    cooldown = Cooldown(clock, lambda: 0.5)
    waits = [cooldown.note("h", None) for _ in range(4)]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert cooldown.remaining("other") == 0
    clock.now += waits[-1]
    assert cooldown.remaining("h") == 0
    cooldown.note("h", 30)
    assert 30 <= cooldown.remaining("h") <= 35
    cooldown.clear("h")
    assert cooldown.remaining("h") == 0


def test_a_later_and_shorter_wish_does_not_shorten_a_cool_down() -> None:
    """Answers overtake each other: who asked for an hour gets it, whatever another answer says."""
    clock = Clock()
    cooldown = Cooldown(clock, lambda: 0.0)
    cooldown.note("h", 1000)
    assert cooldown.note("h", 5) == 1000
    clock.now += 999
    assert cooldown.remaining("h") == 1


def test_only_so_many_hosts_are_remembered() -> None:
    cooldown = Cooldown(Clock(), lambda: 0.0)
    for number in range(MOST_HOSTS + 10):
        cooldown.note(f"h{number}", 60)
    assert cooldown.remaining("h0") == 0
    assert cooldown.remaining(f"h{MOST_HOSTS + 9}") > 0


async def test_slots_are_given_in_order_and_none_is_lost() -> None:
    slots = Slots(2)
    order: list[int] = []

    async def user(number: int) -> None:
        await slots.take("h")
        order.append(number)
        await asyncio.sleep(0)
        slots.give("h")

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(user(n), name=f"user {n}") for n in range(20)]
        await asyncio.sleep(0)
        tasks[5].cancel()
        tasks[7].cancel()
    assert order == [n for n in range(20) if n not in (5, 7)]
    assert slots.spare("h") == 2


async def test_a_slot_given_to_somebody_just_cancelled_goes_on_to_the_next() -> None:
    slots = Slots(1)
    await slots.take("h")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        first = group.create_task(slots.take("h"), name="first")
        second = group.create_task(slots.take("h"), name="second")
        await asyncio.sleep(0)
        slots.give("h")
        first.cancel()
        await second
    assert slots.spare("h") == 0
    slots.give("h")
    assert slots.spare("h") == 1


def test_giving_back_what_was_not_taken_is_a_fault() -> None:
    with pytest.raises(KeyError):
        Slots(1).give("h")


async def test_who_gives_up_while_a_slot_is_given_back_just_leaves() -> None:
    """All connections of a file end in one moment: the cancelled wait is a cancellation, no error."""
    slots = Slots(1)
    await slots.take("h")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(slots.take("h"), name="waiting")
        await asyncio.sleep(0)
        waiting.cancel()
        slots.give("h")

    assert waiting.cancelled()
    assert slots.spare("h") == 1


async def silent(exchange: Exchange) -> None:
    await exchange.reader.read()


async def test_every_way_out_of_a_request_gives_its_slot_back() -> None:
    """A failure, a cancellation, a redirect, a body half read, a second close: the host may be asked again."""
    limits = Limits(connections_per_host=1)
    async with asyncio.timeout(10), Lying() as server, Client(Network(), limits) as client:
        good = server.at("/good", replying("200 OK", b"x" * 1000))
        named = frozenset({server.authority})

        async def ask(url: str) -> bytes:
            with await client.open(Request(url, named=named)) as response:
                head, _ = await response.head(1)
                response.close()
                return head

        with pytest.raises(DownloadError):
            await ask(server.at("/nonsense", saying(b"nonsense\r\n\r\n")))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(ask(server.at("/silent", silent)), name="asking")
            await until(lambda: bool(server.asked("/silent")))
            task.cancel()
        assert await ask(server.at("/moved", redirecting(good))) == b"x" * 1000
        assert client.slots.spare("127.0.0.1") == 1
