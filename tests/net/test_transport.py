"""The engine brings every byte to whoever wants it, waits for nobody else, and keeps little in memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from itertools import accumulate

import pytest
from msgspec.structs import replace

from tests.net.asking import LONGEST, QUICK, Asked, Asker, Kept, asking
from tests.patience import patience
from tests.servers.certificates import Authority
from tests.servers.lying import Exchange, Lying, Served, replying
from tests.transfer.rig import noise, until
from trayagent.model.errors import DownloadError
from trayagent.net import exchange as exchanges
from trayagent.net import transport
from trayagent.net.easy_handle import MOST_BATCHED
from trayagent.net.exchange import BUFFER, Patience, SilenceWatch
from trayagent.net.transport import Transport

SIZE = 5_000_000


class Choosy(Kept):
    """A sink that takes nothing at times, until somebody made room."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = threading.Event()
        self.room = 300_000

    def take(self, pieces: Sequence[bytes], count: int) -> float | None:
        """All of it, or none."""
        if self.room <= 0:
            self.refused.set()
            return None
        self.room -= count
        return super().take(pieces, count)


# --- the bytes ---


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_long_body_comes_whole(framing: str, secure: bool) -> None:
    authority, body = Authority(), noise(SIZE)
    async with Lying(tls=authority.serving("127.0.0.1") if secure else None) as server:
        url = server.at("/f", Served(body, framing=framing))
        with asking(server.authority, ca_file=authority.file) as asker:
            for _ in range(3):
                assert await asker.get(url) == body
        assert server.connections == (3 if framing == "close" else 1)


async def test_a_secure_connection_that_is_cut_is_no_end_of_a_framed_body() -> None:
    """Without close_notify: whole only where nothing tells the length, as far as anyone can tell."""
    authority = Authority()

    def behave(head: bytes) -> Callable[[Exchange], object]:
        async def cut(exchange: Exchange) -> None:
            await exchange.raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + b"5\r\nabcde\r\n")
            exchange.close = True
            await asyncio.sleep(0.05)
            exchange.writer.transport.abort()

        return cut

    async with Lying(tls=authority.serving("127.0.0.1")) as server:
        with asking(server.authority, ca_file=authority.file) as asker:
            open_end = await asker.get(server.at("/a", behave(b"Connection: close")))  # type: ignore[arg-type]
            length = await asker.fail(server.at("/b", behave(b"Content-Length: 50")))  # type: ignore[arg-type]
            chunks = await asker.fail(server.at("/c", behave(b"Transfer-Encoding: chunked")))  # type: ignore[arg-type]
    assert open_end == b"5\r\nabcde\r\n"
    assert length.code in ("network", "truncated")
    assert chunks.code in ("network", "truncated")


@pytest.mark.parametrize("after", [0, 1000, SIZE // 2])
async def test_a_reset_is_told(after: int) -> None:
    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE), cut=[after], reset=True))
        with asking(server.authority) as asker:
            assert (await asker.fail(url)).code in ("network", "truncated")


@pytest.mark.parametrize("piece", [16 * 1024, BUFFER])
async def test_pieces_are_as_small_as_was_asked_for(piece: int) -> None:
    """So that a slow speed limit flows evenly."""
    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE)))
        with asking(server.authority) as asker:
            sink = Kept()
            await asyncio.to_thread(asker.start(url, how={"piece": piece}).into, sink)
    assert sink.data == noise(SIZE)
    assert max(sink.sizes) <= (piece if piece < BUFFER else MOST_BATCHED)


@pytest.mark.parametrize("ends", [1, 511, 16_384, BUFFER, SIZE - 1, SIZE])
async def test_a_sink_that_has_enough_ends_it_and_the_rest_reaches_nobody(ends: int) -> None:
    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE)))
        with asking(server.authority) as asker:
            sink = Kept(ends)
            await asyncio.to_thread(asker.start(url).into, sink)
            assert sink.data == noise(SIZE)[:ends]
            assert await asker.get(url) == noise(SIZE)


async def test_a_sink_that_has_enough_already_ends_it() -> None:
    """What gathered before there was a sink is enough."""
    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE)))
        with asking(server.authority) as asker:
            asked = asker.start(url)
            await asyncio.to_thread(asked.gathered, BUFFER // 2)
            sink = Kept(1000)
            await asyncio.to_thread(asked.into, sink)
            assert sink.sizes[0] > 1000
            assert len(sink.sizes) == 1
            assert asked.answer.exchange.error is None


async def test_a_sink_that_takes_nothing_for_a_while_gets_all_of_it() -> None:
    """None of a piece is lost or said twice, however often it was refused; that is no stall either."""
    stall = patience(0.2)
    limits = replace(QUICK, stall=stall, slowest=10**7)
    async with Lying() as server:
        url = server.at("/f", Served(noise(4 * SIZE)))
        with asking(server.authority, patience=limits) as asker:
            asked, sink = asker.start(url), Choosy()
            await asyncio.to_thread(asked.head)
            asked.answer.attach(sink)
            for _ in range(3):
                assert await asyncio.to_thread(sink.refused.wait, 10)
                await asyncio.sleep(1.5 * stall)  # longer than a server may be silent
                sink.refused.clear()
                asked.answer.resume()  # too early: there is no room
                assert await asyncio.to_thread(sink.refused.wait, 10)
                sink.refused.clear()
                sink.room = 700_000
                asked.answer.resume()
            assert await asyncio.to_thread(sink.refused.wait, 10)
            sink.room = 4 * SIZE
            asked.answer.resume()
            await asyncio.to_thread(asked.end)
            assert asked.answer.exchange.error is None
            assert sink.data == noise(4 * SIZE)


@pytest.mark.parametrize("size", [1000, 400_000])
async def test_while_we_do_not_read_ourselves_no_server_is_too_slow(size: int) -> None:
    """A speed limit of ours is not held against it."""
    limits = replace(QUICK, stall=0.4, slowest=10**7)
    async with Lying() as server:
        url = server.at("/f", Served(noise(size)))
        with asking(server.authority, patience=limits) as asker:
            sink = Kept(pause=0.06)
            await asyncio.to_thread(asker.start(url, how={"piece": 32_768}).into, sink)
    assert sink.data == noise(size)


async def test_a_pause_may_be_longer_than_a_stall() -> None:
    limits = replace(QUICK, stall=0.2, slowest=10**7)
    async with Lying() as server:
        url = server.at("/f", Served(noise(100_000)))
        with asking(server.authority, patience=limits) as asker:
            sink = Kept(pause=0.5)
            await asyncio.to_thread(asker.start(url, how={"piece": 65_536}).into, sink)
    assert sink.data == noise(100_000)


async def test_a_pause_is_as_long_as_was_said() -> None:
    """Between pieces that flow; those that gathered are handed over together."""
    async with Lying() as server:
        url = server.at("/f", Served(noise(300_000)))
        with asking(server.authority) as asker:
            sink, asked = Kept(pause=0.05), asker.start(url, how={"piece": 32_768})
            await asyncio.to_thread(asked.into, sink)
    together = asked.answer.exchange.gathered
    gaps = [
        after - before
        for before, after, so_far in zip(
            sink.times, sink.times[1:], accumulate(sink.sizes), strict=False
        )
        if so_far >= together
    ]
    assert len(gaps) > 5
    assert round(min(gaps), 6) >= 0.05  # Windows counts in milliseconds


async def test_a_sink_that_breaks_ends_its_exchange_alone() -> None:
    class Broken(Kept):
        def take(self, pieces: Sequence[bytes], count: int) -> float | None:
            raise ZeroDivisionError

    class Refusing(Kept):
        def take(self, pieces: Sequence[bytes], count: int) -> float | None:
            raise DownloadError("disk_full")

    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE)))
        with asking(server.authority) as asker:
            for sink, code in ((Broken(), "internal"), (Refusing(), "disk_full")):
                for first in (
                    0,
                    BUFFER // 2,
                ):  # while it flows, and as what gathered is handed over
                    asked = asker.start(url)
                    await asyncio.to_thread(asked.gathered, first)
                    with pytest.raises(DownloadError) as failed:
                        await asyncio.to_thread(asked.into, sink)
                    assert failed.value.code == code
            assert await asker.get(url) == noise(SIZE)


async def test_what_nobody_came_for_stays_small_in_memory() -> None:
    """The server is held back; nothing of it is lost, and nobody is too slow meanwhile."""
    stall = patience(0.2)
    limits = replace(QUICK, stall=stall, slowest=10**7)
    async with Lying() as server:
        url = server.at("/f", Served(noise(4 * SIZE)))
        with asking(server.authority, patience=limits) as asker:
            asked = asker.start(url)
            await asyncio.to_thread(asked.head)
            await asyncio.sleep(3 * stall)
            assert sum(map(len, asked.answer.exchange.pieces)) <= BUFFER
            assert await asyncio.to_thread(asked.read) == noise(4 * SIZE)


# --- time ---


@pytest.mark.parametrize(
    ("quarters", "given_up"),
    [
        ((0, 0, 0), False),
        ((0, 0, 0, 3999), True),
        ((0, 0, 0, 4000, 0, 0, 0), False),
        ((0, 0, 0, 4000, 0, 0, 0, 0), True),
        ((1000,) * 20, False),
        ((0, 0, 0, None, 0, 0, 0), False),
        ((0, None, 0, 0, 0, 0), True),
    ],
)
def test_a_server_has_a_whole_window_for_its_bytes(
    quarters: tuple[int | None, ...], given_up: bool
) -> None:
    """Neither a slow start nor a pause inside it is a stall; a byte too few over all of it is.

    None: we did not read ourselves, and the window begins anew.
    """
    watch = SilenceWatch()
    found = False
    for came in quarters:
        watch.came, watch.held = came or 0, came is None
        found = found or watch.is_stalled(4000)
    assert found is given_up


async def drip(exchange: Exchange, piece: bytes) -> None:
    """So many bytes now and then, for ever."""
    while True:
        await exchange.raw(piece)
        await asyncio.sleep(0.05)


async def silent(exchange: Exchange) -> None:
    await exchange.reader.read()


async def dripping_head(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 200 OK\r\n")
    await drip(exchange, b"X: y\r\n")


async def dripping_hints(exchange: Exchange) -> None:
    await drip(exchange, b"HTTP/1.1 102 Busy\r\n\r\n")


async def dripping_body(exchange: Exchange) -> None:
    await exchange.head("200 OK", Content_Length=10**6)
    await drip(exchange, b"x")


async def head_alone(exchange: Exchange) -> None:
    await exchange.head("200 OK", Content_Length=10**6)
    await silent(exchange)


async def endless_silence(exchange: Exchange) -> None:
    await exchange.head("200 OK", Content_Length=10**6)
    await exchange.raw(b"x" * 5000)
    await silent(exchange)


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (silent, "timeout"),
        (dripping_head, "timeout"),
        (dripping_hints, "timeout"),
        (dripping_body, "stalled"),
        (endless_silence, "stalled"),
        (head_alone, "stalled"),
    ],
)
async def test_who_takes_too_long_is_given_up(
    behave: Callable[[Exchange], object], code: str
) -> None:
    limits = Patience(connect=5, first_byte=0.5, stall=0.4, slowest=1024)
    async with Lying() as server:
        began = time.monotonic()
        with asking(server.authority, patience=limits) as asker:
            failed = await asker.fail(server.at("/f", behave))  # type: ignore[arg-type]
        assert failed.code == code
        assert 0.3 <= time.monotonic() - began < patience(3)


@pytest.mark.parametrize("is_head_first", [False, True])
async def test_a_first_byte_may_come_later_than_a_stall(is_head_first: bool) -> None:
    """A server that makes the file first is no stalled one, within `first_byte`."""

    async def late(exchange: Exchange) -> None:
        if is_head_first:
            await exchange.head("200 OK", Content_Length=4)
        await asyncio.sleep(1)
        if is_head_first:
            await exchange.raw(b"late")
        else:
            await exchange.reply("200 OK", b"late")

    limits = Patience(connect=5, first_byte=5, stall=0.2, slowest=1024)
    async with Lying() as server:
        with asking(server.authority, patience=limits) as asker:
            asked = asker.start(server.at("/f", late))
            assert await asyncio.to_thread(lambda: (asked.head(), asked.read())[1]) == b"late"
            assert is_head_first or asked.answer.waited >= 0.9


async def test_nor_does_it_come_too_late_where_a_stall_may_last_longer() -> None:
    """A head that comes late, or a short `first_byte`, leaves the body the time that any silence has."""

    async def late(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=4)
        await asyncio.sleep(1)
        await exchange.raw(b"late")

    limits = Patience(connect=5, first_byte=0.4, stall=5, slowest=1024)
    async with Lying() as server:
        with asking(server.authority, patience=limits) as asker:
            assert await asker.get(server.at("/f", late)) == b"late"


async def test_who_waits_is_told_of_the_first_bytes() -> None:
    """`LOOKED_AT` bytes of a long body, all of a short one, nothing of a refusal's."""
    gate = asyncio.Event()
    async with Lying() as server:
        with asking(server.authority) as asker:
            # Not by a look of our own, which may come before: by the signal.
            long = asker.start(server.at("/long", Served(noise(SIZE), gate=gate, gate_at=600)))
            await asyncio.to_thread(long.signal.get, timeout=LONGEST)
            assert exchanges.LOOKED_AT <= long.answer.exchange.gathered <= 600
            short = asker.start(server.at("/short", Served(b"x" * 9000)))
            await asyncio.to_thread(short.signal.get, timeout=LONGEST)
            assert short.answer.exchange.gathered == 9000
            gate.set()
            assert await asyncio.to_thread(long.read) == noise(SIZE)


# --- ends ---


async def gathering(asked: Asked) -> None:
    await asyncio.to_thread(asked.gathered, BUFFER // 2)


async def refusing(asked: Asked) -> None:
    sink = Choosy()
    asked.answer.attach(sink)
    await asyncio.to_thread(sink.refused.wait, 10)


async def pausing(asked: Asked) -> None:
    sink = Kept(pause=100)
    asked.answer.attach(sink)
    await until(lambda: bool(sink.sizes))


async def flowing(asked: Asked) -> None:
    sink = Kept(pause=0.001)
    asked.answer.attach(sink)
    await until(lambda: len(sink.sizes) > 1)


@pytest.mark.parametrize("state", [gathering, refusing, pausing, flowing])
async def test_whoever_cancels_is_told_at_once_and_its_sink_is_left_alone(
    state: Callable[[Asked], object],
) -> None:
    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE), rate=10_000_000))
        with asking(server.authority, connections_per_host=1) as asker:
            asked = asker.start(url)
            await state(asked)  # type: ignore[misc]
            await asyncio.to_thread(asked.cancel)
            error = asked.answer.exchange.error
            assert error is not None
            assert error.code == "cancelled"
            after = Kept()
            asked.answer.attach(after)
            asked.answer.resume()
            asked.answer.cancel()
            assert await asker.get(server.at("/b", replying("200 OK", b"b"))) == b"b"
            assert after.sizes == []


async def test_waiting_and_asking_can_be_cancelled() -> None:
    async with Lying() as server:
        with asking(server.authority, connections_per_host=1) as asker:
            first = asker.start(server.at("/a", silent))
            second = asker.start(server.at("/b", silent))
            await until(lambda: bool(server.asked("/a")))
            for asked in (second, first):
                await asyncio.to_thread(asked.cancel)
                assert asked.answer.exchange.error is not None
            assert server.asked("/b") == []
            assert asker.client.transport.spare(server.authority) == 1


async def test_who_comes_for_a_body_that_is_over_takes_it_himself() -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            asked = asker.start(server.at("/a", replying("200 OK", b"short")))
            await asyncio.to_thread(asked.end)
            assert b"".join(asked.answer.exchange.pieces) == b"short"
            assert await asyncio.to_thread(asked.read) == b"short"


async def test_the_close_ends_all_that_lives_or_waits() -> None:
    async with Lying() as server:
        with asking(server.authority, connections_per_host=2) as asker:
            silents = [asker.start(server.at("/a", silent)) for _ in range(4)]
            await until(lambda: len(server.asked("/a")) == 2)
            late = threading.Thread(target=asker.client.close)
            late.start()
            for asked in silents:
                await asyncio.to_thread(asked.end)
                assert asked.answer.exchange.error is not None
                assert asked.answer.exchange.error.code == "cancelled"
            await asyncio.to_thread(late.join)
            asker.client.close()  # a second time is fine
            with pytest.raises(DownloadError):
                asker.start(server.url("/a"))
            assert "engine" not in [thread.name for thread in threading.enumerate()]


async def test_many_at_once_all_come_back() -> None:
    """Every answer belongs to its own request, whichever connection it came on."""
    async with Lying() as server:

        async def behave(exchange: Exchange) -> None:
            await exchange.reply("200 OK", exchange.path.encode() * 50)

        server.at("/f", behave)
        with asking(server.authority) as asker:

            def work() -> list[bytes]:
                started = [asker.start(server.url(f"/f?{number}")) for number in range(300)]
                return [asked.read() for asked in started]

            came = await asyncio.to_thread(work)
        assert came == [f"/f?{number}".encode() * 50 for number in range(300)]
        assert server.most_open <= 16


@pytest.mark.alone
async def test_the_loop_stays_responsive_under_four_downloads() -> None:
    late: list[float] = []
    async with Lying() as server:
        url = server.at("/f", Served(noise(20_000_000)))

        async def knock() -> None:
            while True:
                began = time.perf_counter()
                await asyncio.sleep(0.002)
                late.append(time.perf_counter() - began - 0.002)

        with asking(server.authority) as asker:
            async with asyncio.TaskGroup() as group:
                knocking = group.create_task(knock(), name="knock")
                async with asyncio.TaskGroup() as downloads:
                    for number in range(4):
                        downloads.create_task(whole(asker, url), name=f"download {number}")
                knocking.cancel()
    late.sort()
    assert late[int(len(late) * 0.9)] < patience(0.1)


async def whole(asker: Asker, url: str) -> None:
    assert len(await asker.get(url)) == 20_000_000


# --- what must not stop the others ---


async def test_requests_that_cannot_be_made_are_told_one_by_one() -> None:
    """Those in line behind a connection too, however many there are."""
    asked = 0

    def resolve(host: str, port: int) -> list[str]:
        nonlocal asked
        asked += 1
        if 1 < asked < 5:
            raise OSError("no such name")
        return ["127.0.0.1"]

    async with Lying() as server:
        url = server.at("/f", Served(b"x" * 1000))
        with asking(server.authority, connections_per_host=1, resolve=resolve) as asker:
            waiting = [asker.start(url) for _ in range(5)]

            def read(one: Asked) -> bytes | DownloadError:
                try:
                    return one.read()
                except DownloadError as error:
                    return error

            came = [await asyncio.to_thread(read, one) for one in waiting]
            assert [isinstance(one, DownloadError) for one in came] == [False, *[True] * 3, False]
            assert await asker.get(url) == b"x" * 1000


async def test_an_engine_that_stopped_lets_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise RuntimeError("it stops")

    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE), rate=SIZE))
        with asking(server.authority) as asker:
            monkeypatch.setattr(Transport, "_attach", stop)
            asked = asker.start(url)
            with pytest.raises(DownloadError) as failed:
                await asyncio.to_thread(asked.into, Kept())
            assert failed.value.code == "internal"
            assert (await asker.fail(url)).code == "internal"


async def test_the_close_does_not_wait_for_a_disk_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "GIVE_UP", 0.1)
    go, stuck = threading.Event(), threading.Event()

    class Stuck(Kept):
        def take(self, pieces: Sequence[bytes], count: int) -> float | None:
            stuck.set()
            go.wait(LONGEST)
            return super().take(pieces, count)

    async with Lying() as server:
        url = server.at("/f", Served(noise(SIZE)))
        with asking(server.authority) as asker:
            asked = asker.start(url)
            asked.answer.attach(Stuck())
            await asyncio.to_thread(stuck.wait)
            async with asyncio.timeout(5):
                await asyncio.to_thread(asker.client.close)
            assert not asked.answer.exchange.ended
            go.set()
            await asyncio.to_thread(asked.end)
