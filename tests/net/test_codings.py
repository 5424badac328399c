"""A coded body is whole when its coding says so, however it was framed; and no more of it comes than is asked for."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import reduce

import brotli
import pytest

from tests.net.asking import Asker, Kept, asking
from tests.servers.lying import Behaviour, Exchange, Lying, replying
from tests.wine import keeps_time
from trayagent.net.codings import DamagedError, decoder_for

TEXT = b"a text, somewhat long, " * 100


def deflated(data: bytes, bits: int) -> bytes:
    """Deflate with the wrapper that `bits` stands for (zlib's wbits)."""
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(data) + packer.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two members": ("gzip", lambda data: gzip.compress(data[:99]) + gzip.compress(data[99:])),
    "zlib's form": ("gzip", lambda data: deflated(data, 15)),
    "x-gzip": ("x-gzip", gzip.compress),
    "in capitals": ("GZIP", gzip.compress),
    "in a list": ("identity, gzip", gzip.compress),
    "said twice": ("gzip\r\nContent-Encoding: gzip", gzip.compress),
    "deflate": ("deflate", lambda data: deflated(data, 15)),
    "bare deflate": ("deflate", lambda data: deflated(data, -15)),
    "with a check and no head": ("deflate", lambda data: deflated(data, 15)[2:]),
    "br": ("br", brotli.compress),
    "twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "three": (
        "deflate, BR,identity, x-gzip",
        lambda data: gzip.compress(brotli.compress(deflated(data, 15))),
    ),
    "five": (
        "br, br, br, br, br",
        lambda data: reduce(lambda coded, _: brotli.compress(coded), range(5), data),
    ),
}
ENDS: dict[str, Callable[[bytes], bytes]] = {
    "without the last byte": lambda coded: coded[:-1],
    "without the last eight": lambda coded: coded[:-8],
    "half of it": lambda coded: coded[: len(coded) // 2],
    "the first byte": lambda coded: coded[:1],
    "another last byte": lambda coded: coded[:-1] + bytes([coded[-1] ^ 255]),
    "more behind it": lambda coded: coded + b"more behind it",
    "zeros behind it": lambda coded: coded + bytes(64),
}
FRAMINGS = ("length", "chunks", "close")


def framed(coding: str, coded: bytes, framing: str, piece: int = 1 << 30) -> Behaviour:
    """An answer that is whole as far as HTTP goes."""

    async def behave(exchange: Exchange) -> None:
        length = len(coded) if framing == "length" else None
        chunked = "chunked" if framing == "chunks" else None
        await exchange.head(
            "200 OK", Content_Length=length, Transfer_Encoding=chunked, Content_Encoding=coding
        )
        for at in range(0, len(coded), piece):
            part = coded[at : at + piece]
            await exchange.raw(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            await exchange.raw(b"0\r\n\r\n")
        exchange.close = framing == "close"

    return behave


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coder", CODERS)
async def test_what_nobody_asked_to_be_coded_is_decoded(coder: str, framing: str) -> None:
    """Some servers do not read Accept-Encoding; `raw` leaves it as it comes."""
    coding, code = CODERS[coder]
    coded = code(TEXT)
    async with Lying() as server:
        with asking(server.authority) as asker:
            for number, piece in enumerate((1 << 30, 7)):
                url = server.at(f"/{number}", framed(coding, coded, framing, piece))
                assert await asker.get(url) == TEXT
                assert await asker.get(url, how={"raw": True}) == coded
        assert {request.header("Accept-Encoding") for request in server.requests} == {"identity"}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(
    ("coder", "end"),
    [
        (coder, end)
        for coder in ("gzip", "two members", "deflate", "bare deflate", "br", "twice")
        for end in ENDS
        # These two have no check: another last byte may be another file.
        if not (coder in ("bare deflate", "br") and end == "another last byte")
    ],
)
async def test_a_coding_that_does_not_end_as_it_should_is_no_file(
    coder: str, end: str, framing: str
) -> None:
    """The length is right, the last chunk has come: a cache in between may have kept half a file."""
    coding, code = CODERS[coder]
    async with Lying() as server:
        url = server.at("/f", framed(coding, ENDS[end](code(TEXT)), framing))
        with asking(server.authority) as asker:
            failed = await asker.fail(url)
            whole = server.at("/whole", replying("200 OK", TEXT))
            assert await asker.get(whole) == TEXT  # the engine goes on
    cut = not (end.startswith("another") or end.endswith("behind it"))
    assert failed.code == ("truncated" if cut else "server_error")
    assert failed.traits.is_retryable


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_an_empty_body_is_empty_whatever_its_coding(coding: str, framing: str) -> None:
    """Servers that code everything say so of empty files, too, and send nothing at all."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            assert await asker.get(server.at("/f", framed(coding, b"", framing))) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_nothing_and_then_the_close_may_be_a_cut(coding: str) -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            failed = await asker.fail(server.at("/f", framed(coding, b"", "close")))
            assert failed.code == "truncated"
            coded = CODERS[coding][1](b"")  # while this says that it is all
            assert await asker.get(server.at("/g", framed(coding, coded, "close"))) == b""


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("coding", ["aws-chunked", "unknown", "gzip, aws-chunked"])
async def test_an_unknown_coding_is_left_as_it_comes(coding: str, late: bool) -> None:
    """Of "aws-chunked" no byte is any different."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=8, Content_Encoding=coding)
        await asyncio.sleep(0.1 * late)  # the head is looked at before there is a body
        await exchange.raw(b"as it is")

    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/f", behave))
        assert (came.body, came.head.coding, came.head.length) == (b"as it is", coding, 8)
        assert len(server.requests) == 1


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
async def test_what_cannot_be_decoded_is_no_file(coding: str, late: bool) -> None:
    """Neither is it taken for something that was not coded."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=9, Content_Encoding=coding)
        await asyncio.sleep(0.1 * late)
        await exchange.raw(b"not coded")

    async with Lying() as server:
        with asking(server.authority) as asker:
            failed = await asker.fail(server.at("/f", behave))
        assert failed.code == "server_error"
        assert len(server.requests) == 1


BOMBS = {
    "gzip": lambda: gzip.compress(bytes(100_000_000), 9),
    "deflate": lambda: deflated(bytes(100_000_000), -15),
    "br": lambda: brotli.compress(bytes(100_000_000), quality=5),
    "gzip, br": lambda: brotli.compress(gzip.compress(bytes(100_000_000), 9)),
}


@pytest.mark.parametrize("coding", BOMBS)
async def test_a_bomb_is_bounded_by_whoever_takes_it(coding: str) -> None:
    """A hundred megabytes of nothing in 100 kB, or in 100 bytes: the sink has enough after one."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            url = server.at("/f", replying("200 OK", BOMBS[coding](), Content_Encoding=coding))
            asked = asker.start(url)
            sink = Kept(1_000_000)
            await asyncio.to_thread(asked.into, sink)
            assert len(sink.data) == 1_000_000
            assert max(sink.sizes) <= 1024 * 1024 + 128 * 1024
            await unattended(asker, url)


async def unattended(asker: Asker, url: str) -> None:
    """Without a sink it stops in memory."""
    asked = asker.start(url)
    await asyncio.to_thread(asked.head)
    await asyncio.sleep(0.2)
    assert sum(map(len, asked.answer.exchange.pieces)) <= 1024 * 1024
    await asyncio.to_thread(asked.cancel)


@pytest.mark.parametrize("coding", BOMBS)
async def test_a_hundred_megabytes_of_zeros_come_to_a_slow_sink(coding: str) -> None:
    """While the sink pauses, libcurl keeps what it has read, and brings it again."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            url = server.at("/f", replying("200 OK", BOMBS[coding](), Content_Encoding=coding))
            sink = Kept(pause=0.002)
            await asyncio.to_thread(asker.start(url).into, sink)
            assert len(sink.data) == 100_000_000


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "twice"])
async def test_every_byte_comes_once_through_all_pauses(coding: str, framing: str) -> None:
    """Text and noise in turns: pieces that grow and pieces that do not, brought again in other portions."""
    chance = random.Random(7)
    body = b"".join(
        chance.randbytes(chance.randrange(40_000)) + bytes(chance.randrange(2_000_000))
        for _ in range(20)
    )
    coding, code = CODERS[coding]
    coded = code(body)
    async with Lying() as server:
        with asking(server.authority) as asker:
            for piece in (1 << 30, 5_000):
                url = server.at(f"/{piece}", framed(coding, coded, framing, piece))
                for pause, how in ((0.0, {}), (0.001, {}), (0.001, {"piece": 20_000})):
                    sink = Kept(pause=pause)
                    await asyncio.to_thread(asker.start(url, how=how).into, sink)
                    assert sink.data == body


@pytest.mark.parametrize("most", [1_000, 1 << 20])
@pytest.mark.parametrize(
    "coder",
    ["gzip", "two members", "zlib's form", "deflate", "bare deflate", "br", "twice"],
)
def test_no_way_to_portion_it_makes_a_difference(coder: str, most: int) -> None:
    coding, code = CODERS[coder]
    chance = random.Random(3)
    for body in (b"", b"x", TEXT, bytes(500_000), chance.randbytes(50_000)):
        for portion in (1, 100, 1 << 30):
            for cut in (0, 1):
                coded = code(body)[: -cut or None]
                decoder = decoder_for(coding)
                assert decoder is not None
                came = []
                for at in range(0, len(coded), portion):
                    decoder.feed(coded[at : at + portion])
                    while text := decoder.read(most):
                        assert len(text) <= most + 128 * 1024
                        came.append(text)
                assert decoder.is_at_end() == (not cut)
                assert cut or b"".join(came) == body


def test_a_member_that_is_none_is_damage() -> None:
    decoder = decoder_for("gzip")
    assert decoder is not None
    decoder.feed(gzip.compress(b"one") + b"no member")
    assert decoder.read(100) == b"one"
    with pytest.raises(DamagedError):
        decoder.read(100)


async def test_more_codings_than_anybody_puts_on_are_refused() -> None:
    async with Lying() as server:
        url = server.at("/f", replying("200 OK", TEXT, Content_Encoding="gzip," * 2000))
        with asking(server.authority) as asker:
            fault = (await asker.answer(url)).head.fault
    assert fault is not None
    assert fault.code == "server_error"
    assert "over and over" in fault.message


EMPTY_MEMBERS = gzip.compress(b"") * 400_000


@keeps_time
@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "gzip, br"])
def test_very_many_empty_members_are_read_in_steps_or_refused(coding: str) -> None:
    """Eight megabytes of them say nothing; packed once more they are a few kilobytes."""
    coded = {
        "gzip": EMPTY_MEMBERS[: 200_000 - 200_000 % 20],
        "gzip, gzip": gzip.compress(EMPTY_MEMBERS),
        "gzip, br": brotli.compress(EMPTY_MEMBERS, quality=1),
    }[coding]
    decoder = decoder_for(coding)
    assert decoder is not None
    decoder.feed(coded)
    began = time.process_time()
    with suppress(DamagedError):
        assert decoder.read(1 << 20) == b""
        assert coding == "gzip"
    assert time.process_time() - began < 2
