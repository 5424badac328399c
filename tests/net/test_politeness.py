"""A busy host is left alone by everybody, and no host gets more connections than it is allowed."""

from __future__ import annotations

import asyncio

import pytest

from tests.clock import Clock
from tests.net.asking import Kept, asking
from tests.servers.lying import Exchange, Lying, redirecting, replying, saying
from tests.transfer.rig import until
from trayagent.model.errors import DownloadError
from trayagent.net.host_limits import MOST_HOSTS, Cooldown


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


def test_a_cool_down_is_told_as_no_try_of_ours() -> None:
    """Nobody was asked, so it costs no attempt."""
    cooldown = Cooldown()
    cooldown.note("127.0.0.1:9", 30)
    with asking("127.0.0.1:9", cooldown=cooldown) as asker, pytest.raises(DownloadError) as failed:
        asker.start("http://127.0.0.1:9/a")
    assert (failed.value.code, failed.value.spent) == ("server_busy", False)
    assert 29 <= (failed.value.retry_after or 0) <= 36


async def test_a_redirect_to_a_busy_host_waits_as_well() -> None:
    async with Lying() as one, Lying() as busy:
        url = one.at("/a", redirecting(busy.url("/b")))
        with asking(one.authority, busy.authority) as asker:
            asker.client.cooldown.note(busy.authority, 30)
            failed = await asker.fail(url)
        assert (failed.code, failed.spent) == ("server_busy", False)
        assert busy.connections == 0


async def test_a_busy_answer_is_noted_for_its_whole_host() -> None:
    async with Lying() as server, Lying() as other:
        url = server.at("/a", replying("503 Later", Retry_After="30"))
        with asking(server.authority, other.authority) as asker:
            error = asker.client.note_busy((await asker.answer(url)).head)
            assert (error.code, error.spent) == ("server_busy", True)
            assert 29 <= (error.retry_after or 0) <= 36
            assert (await asker.fail(server.url("/b"))).code == "server_busy"
            assert await asker.get(other.at("/c", replying("200 OK", b"c"))) == b"c"
        assert len(server.requests) == 1


# --- connections ---


class Gate:
    """Answers that wait to be let go, one after the other."""

    def __init__(self) -> None:
        self.here: list[str] = []
        self._open = asyncio.Semaphore(0)

    async def __call__(self, exchange: Exchange) -> None:
        self.here.append(exchange.path)
        await self._open.acquire()
        await exchange.reply("200 OK", exchange.path.encode())

    async def full(self, count: int) -> None:
        """So many have come."""
        await until(lambda: len(self.here) == count)

    def let(self, count: int) -> None:
        """So many go on."""
        for _ in range(count):
            self._open.release()


async def test_connections_are_given_in_order_and_none_is_lost() -> None:
    gate = Gate()
    async with Lying() as server:
        with asking(server.authority, connections_per_host=2) as asker:
            transport = asker.client.transport
            urls = [server.at(f"/{number}", gate) for number in range(20)]
            all_asked = [asker.start(url) for url in urls]
            await until(lambda: len(gate.here) == 2)
            assert transport.spare(server.authority) == -18  # so many wait
            for number in (5, 7):  # these wait, and go
                await asyncio.to_thread(all_asked[number].cancel)
            left = [n for n in range(20) if n not in (5, 7)]
            for number in range(1, len(left) + 1):
                gate.let(1)
                await gate.full(min(number + 2, len(left)))
            for number in left:
                assert await asyncio.to_thread(all_asked[number].read) == f"/{number}".encode()
            assert sorted(gate.here[:2]) == ["/0", "/1"]
            assert gate.here[2:] == [f"/{number}" for number in left[2:]]
            assert transport.spare(server.authority) == 2
        assert server.most_open <= 2


async def test_another_port_is_another_host() -> None:
    gate = Gate()
    async with Lying() as one, Lying() as two:
        with asking(one.authority, two.authority, connections_per_host=1) as asker:
            asked = asker.start(one.at("/a", gate))
            await until(lambda: gate.here == ["/a"])
            assert await asker.get(two.at("/b", replying("200 OK", b"b"))) == b"b"
            gate.let(1)
            assert await asyncio.to_thread(asked.read) == b"/a"


async def silent(exchange: Exchange) -> None:
    await exchange.reader.read()


async def test_every_way_out_of_a_request_gives_its_connection_back() -> None:
    """A failure, a cancellation, a redirect, a body half read: the host may be asked again."""
    async with asyncio.timeout(20), Lying() as server:
        good = server.at("/good", replying("200 OK", b"x" * 1000))
        with asking(server.authority, connections_per_host=1) as asker:
            await asker.fail(server.at("/nonsense", saying(b"nonsense\r\n\r\n")))
            await asker.fail("http://\x7f/")
            asked = asker.start(server.at("/silent", silent))
            await until(lambda: bool(server.asked("/silent")))
            waiting = asker.start(good)
            await asyncio.to_thread(waiting.cancel)
            await asyncio.to_thread(asked.cancel)
            half = asker.start(server.at("/long", replying("200 OK", b"x" * 3_000_000)))
            await asyncio.to_thread(half.head)
            await asyncio.to_thread(half.cancel)
            await asyncio.to_thread(asker.start(good).into, Kept(10))
            assert await asker.get(server.at("/moved", redirecting(good))) == b"x" * 1000
            assert asker.client.transport.spare(server.authority) == 1
