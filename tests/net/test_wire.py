"""What goes over a connection, and which connections are used again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers.lying import Exchange, Lying, in_turn, replying
from tests.transfer.rig import transferring, until
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_ours(tmp_path: Path) -> None:
    """A server that says more once an answer is over does not put its bytes into the next file."""
    said = asyncio.Event()

    async def chatty(exchange: Exchange) -> None:
        await exchange.reply("200 OK", b"one")
        await asyncio.sleep(0.02)  # so that it comes on an idle connection, not behind the body
        await exchange.reply("200 OK", b"EVIL")
        said.set()

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/one.bin", chatty))
        await said.wait()
        await asyncio.sleep(0.05)  # it is sent; that it is here, nothing says
        for name in ("two", "three"):
            await rig.get(server.at(f"/{name}.bin", replying("200 OK", name.encode())))
        assert rig.files() == {"one.bin": b"one", "two.bin": b"two", "three.bin": b"three"}


async def test_a_connection_that_changed_its_protocol_is_not_used_again(tmp_path: Path) -> None:
    """What comes after 101 belongs to nobody."""

    async def switching(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 101 Nope\r\n\r\n")
        await asyncio.sleep(0.02)
        await exchange.reply("200 OK", b"EVIL")

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError):
            await rig.get(server.at("/a.bin", switching))
        await rig.get(server.at("/b.bin", replying("200 OK", b"good")))
        assert rig.files() == {"b.bin": b"good"}


async def hanging_up(exchange: Exchange) -> None:
    exchange.close = True


async def test_an_idle_connection_that_dies_as_it_is_used_costs_nothing(tmp_path: Path) -> None:
    """The request is made once more on a connection of its own (RFC 9112 §9.3.1), and not again."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        good = replying("200 OK", b"good")
        await rig.get(server.at("/a.bin", good))
        await rig.get(server.at("/b.bin", in_turn(hanging_up, good)))
        assert rig.files() == {"a.bin": b"good", "b.bin": b"good"}
        assert server.connections == 2
        with pytest.raises(DownloadError) as failed:
            await rig.client.open(Request(server.at("/c", hanging_up), named=rig.named))
        assert failed.value.code == "network"
        assert len(server.asked("/c")) == 2


async def test_what_may_have_an_effect_is_never_said_twice(tmp_path: Path) -> None:
    """A POST whose answer was lost may have been done."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/a.bin", replying("200 OK", b"good")))
        request = Request(server.at("/b", hanging_up), named=rig.named)
        with pytest.raises(DownloadError) as failed:
            await rig.client.open(request, method="POST", body=b"buy")
        assert failed.value.code == "network"
        assert len(server.asked("/b")) == 1


async def test_an_answer_that_was_not_waited_for_is_never_taken_for_the_next(
    tmp_path: Path,
) -> None:
    """A connection on which an answer is still to come is no idle one."""
    gate = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await gate.wait()
        await exchange.reply("200 OK", b"EVIL")

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rig.get(server.at("/a.bin", late)), name="asking")
            await until(lambda: bool(server.asked("/a.bin")))
            task.cancel()
        gate.set()
        await rig.get(server.at("/b.bin", replying("200 OK", b"good")))
        assert rig.files() == {"b.bin": b"good"}


async def test_any_number_of_interim_answers_comes_before_the_answer(tmp_path: Path) -> None:
    """RFC 9110 §15.2: none of them is the file."""

    async def patient(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n")
        await exchange.raw(b"HTTP/1.1 102 Busy\r\n\r\n")
        await exchange.reply("200 OK", b"good")

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/a.bin", patient))
        assert rig.files() == {"a.bin": b"good"}


@pytest.mark.parametrize(
    ("asked", "line"),
    [("/ü.jpg", "/%C3%BC.jpg"), ("?q=ä", "/?q=%C3%A4"), ("/a%20b?x=[1]|2", "/a%20b?x=[1]|2")],
)
async def test_the_request_line_is_ascii(tmp_path: Path, asked: str, line: str) -> None:
    """As browsers write it; what is ASCII stays as it was given."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError):
            await rig.get(server.url(asked))
        assert server.requests[0].path == line


async def test_a_cookie_of_raw_bytes_goes_back_as_it_came(tmp_path: Path) -> None:
    """A server's own odd cookie does not keep it from being asked again."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        answer = b"HTTP/1.1 302 x\r\nSet-Cookie: a=caf\xe9\r\nLocation: /f.bin\r\nContent-Length: 0\r\n\r\n"

        async def setting(exchange: Exchange) -> None:
            await exchange.raw(answer)

        server.at("/f.bin", replying("200 OK", b"good"))
        await rig.get(server.at("/start", setting))
        assert server.asked("/f.bin")[0].header("Cookie") == "a=caf\xe9"


async def test_user_and_password_may_hold_anything(tmp_path: Path) -> None:
    """A colon in the user's name is no error of ours."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", replying("200 OK", b"good"))
        request = Request(url.replace("http://", "http://a%3Ab:p@"), named=rig.named)
        with await rig.client.open(request) as response:
            assert await response.read(100) == b"good"
        assert server.requests[0].header("Authorization") == "Basic YTpiOnA="


async def test_a_header_whose_name_is_none_is_left_out(tmp_path: Path) -> None:
    """A name with a colon and a tab cannot smuggle another header in."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/f.bin", replying("200 OK", b"good"))
        await rig.get(url, headers={"Transfer-Encoding: chunked\tx": "y", "X-Fine": "1"})
        assert server.requests[0].header("X-Fine") == "1"
        assert "transfer-encoding" not in server.requests[0].names()
