"""What goes over a connection, and which connections are used again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from tests.net.asking import Asker, asking
from tests.servers.certificates import Authority
from tests.servers.lying import Exchange, Lying, afar, in_turn, redirecting, replying, saying
from tests.transfer.rig import until
from trayagent.model.errors import DownloadError


async def got(server: Lying, asker: Asker, name: str) -> bytes:
    """What an honest answer at this path brings."""
    return await asker.get(server.at(f"/{name}", afar(replying("200 OK", name.encode()))))


# --- which connections are used again ---


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            for name in ("one", "two", "three"):
                assert await got(server, asker, name) == name.encode()
        assert server.connections == 1


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


@pytest.fixture(params=["http", "https"])
async def server(request: pytest.FixtureRequest, authority: Authority) -> AsyncIterator[Lying]:
    tls = authority.serving("127.0.0.1") if request.param == "https" else None
    async with Lying(tls=tls) as lying:
        yield lying


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.mark.parametrize("idle", [0.1, 0.2])  # under Wine the answer itself takes 0.05
@pytest.mark.parametrize("evil", [EVIL, EVIL * 1000, b"x", b"\r\n"])
async def test_an_answer_that_nobody_asked_for_is_never_taken_for_ours(
    server: Lying, authority: Authority, idle: float, evil: bytes
) -> None:
    """A server that says more once an answer is over does not put its bytes into the next file."""
    said = asyncio.Event()

    async def chatty(exchange: Exchange) -> None:
        await exchange.reply("200 OK", b"one")
        await asyncio.sleep(idle)  # so that it comes on an idle connection
        await exchange.raw(evil)
        said.set()

    with asking(server.authority, ca_file=authority.file) as asker:
        assert await asker.get(server.at("/one", chatty)) == b"one"
        await said.wait()
        await asyncio.sleep(0.05)  # it is sent; that it is here, nothing says
        assert await got(server, asker, "two") == b"two"
        assert await got(server, asker, "three") == b"three"
        assert server.connections == 2


EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("evil", [EVIL, EVIL[:30], EVIL * 1000, EMPTY, b"x", b"\r\n"])
@pytest.mark.parametrize("size", [3, 30_000, 300_000])
async def test_nor_is_one_that_comes_right_behind_the_answer(
    server: Lying, authority: Authority, size: int, evil: bytes
) -> None:
    """Behind TLS libcurl may have read it ahead."""
    body = b"a" * size
    said = asyncio.Event()

    async def chatty(exchange: Exchange) -> None:
        await exchange.reply("200 OK", body)
        await exchange.raw(evil)
        said.set()

    with asking(server.authority, ca_file=authority.file) as asker:
        assert await asker.get(server.at("/one", chatty)) == body
        await said.wait()
        await asyncio.sleep(0.05)  # said is not sent yet, and what is sent later comes later
        assert await got(server, asker, "two") == b"two"
        # Both at once: one of them would take the connection on which the true answer came too late.
        async with asyncio.TaskGroup() as group:
            both = [
                group.create_task(got(server, asker, name), name=name) for name in ("three", "four")
            ]
        assert [task.result() for task in both] == [b"three", b"four"]


async def test_all_of_a_long_one_is_forgotten(server: Lying, authority: Authority) -> None:
    """Also where it is more than is taken at a time, so that libcurl was told to wait."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"E" * 40_000
    said = asyncio.Event()

    async def chatty(exchange: Exchange) -> None:
        await exchange.reply("200 OK", b"one")
        await exchange.raw(evil)
        said.set()

    with asking(server.authority, ca_file=authority.file) as asker:
        assert await asker.get(server.at("/one", chatty)) == b"one"
        await said.wait()
        await asyncio.sleep(0.05)
        body = bytes(range(256)) * 400
        url = server.at("/two", afar(replying("200 OK", body)))
        assert await asker.get(url, how={"piece": 4096}) == body
        assert await got(server, asker, "three") == b"three"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a socket has brought")
async def test_an_honest_answer_is_asked_for_once_however_quick_it_is(
    server: Lying, authority: Authority
) -> None:
    """A link that is good for one request is not spent by the check."""
    url = server.at("/f", replying("200 OK", b"quick"))
    with asking(server.authority, ca_file=authority.file) as asker:
        for _ in range(300):
            assert await asker.get(url) == b"quick"
    assert (len(server.asked("/f")), server.connections) == (300, 1)


async def test_nor_is_one_that_comes_with_the_answer(server: Lying, authority: Authority) -> None:
    async def chatty(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none" + EVIL)

    with asking(server.authority, ca_file=authority.file) as asker:
        assert await asker.get(server.at("/one", chatty)) == b"one"
        assert await got(server, asker, "two") == b"two"


async def test_a_connection_that_changed_its_protocol_is_not_used_again() -> None:
    """What comes after 101 belongs to nobody."""

    async def switching(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 101 Nope\r\n\r\n")
        await asyncio.sleep(0.02)
        await exchange.reply("200 OK", b"EVIL")
        exchange.close = True

    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", switching))
            assert came.head.status == 101  # no file, says `refuse_status`
            assert await got(server, asker, "b") == b"b"


async def hanging_up(exchange: Exchange) -> None:
    exchange.close = True


async def test_an_idle_connection_that_dies_as_it_is_used_costs_nothing() -> None:
    """The request is made once more on a connection of its own (RFC 9112 §9.3.1), and not again."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            assert await got(server, asker, "a") == b"a"
            good = replying("200 OK", b"good")
            assert await asker.get(server.at("/b", in_turn(hanging_up, good))) == b"good"
            assert server.connections == 2
            failed = await asker.fail(server.at("/c", hanging_up))
        assert failed.code == "network"
        assert len(server.asked("/c")) == 2


async def test_an_answer_that_was_not_waited_for_is_never_taken_for_the_next() -> None:
    """A connection on which an answer is still to come is no idle one."""
    gate = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await gate.wait()
        await exchange.reply("200 OK", b"EVIL")

    async with Lying() as server:
        with asking(server.authority) as asker:
            asked = asker.start(server.at("/a", late))
            await until(lambda: bool(server.asked("/a")))
            await asyncio.to_thread(asked.cancel)
            gate.set()
            assert await got(server, asker, "b") == b"b"


async def test_what_is_over_before_its_end_gives_its_connection_up() -> None:
    """The rest of a body reaches nobody."""

    async def long(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=4_000_000)
        await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL" * 90_000)

    async with Lying() as server:
        with asking(server.authority, connections_per_host=1) as asker:
            asked = asker.start(server.at("/a", long))
            await asyncio.to_thread(asked.head)
            await asyncio.to_thread(asked.cancel)
            assert await got(server, asker, "b") == b"b"
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.0 200 OK\r\n\r\na",
    ],
)
async def test_a_connection_that_is_to_end_is_not_used_again(answer: bytes) -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            assert await asker.get(server.at("/a", saying(answer))) == b"a"
            assert await got(server, asker, "b") == b"b"
        assert server.connections == 2


# --- the request ---


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("/ü.jpg", "/%C3%BC.jpg"),
        ("?q=ä", "/?q=%C3%A4"),
        ("/a%20b?x=[1]|2", "/a%20b?x=[1]|2"),
        ("/a/../b/./c//d", "/a/../b/./c//d"),
        ("/a?x=1?y=2&%zz&a=/../", "/a?x=1?y=2&%zz&a=/../"),
        ("/%2e%2e/a;p=1,2;q", "/%2e%2e/a;p=1,2;q"),
        ("/a#part", "/a"),
        ("/{a}/$b/*", "/{a}/$b/*"),
    ],
)
async def test_the_request_line_is_what_was_asked_for(asked: str, line: str) -> None:
    """In ASCII, as browsers write it; what is ASCII stays as it was given."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            await asker.get(server.url(asked))
        assert server.requests[0].path == line


async def test_a_long_address_is_sent_whole() -> None:
    async with Lying() as server:
        query = "?sig=" + "a" * 7000
        with asking(server.authority) as asker:
            assert await asker.get(server.at("/f", replying("200 OK", b"good")) + query) == b"good"
        assert server.requests[0].path == f"/f{query}"


async def test_a_cookie_of_raw_bytes_goes_back_as_it_came() -> None:
    """A server's own odd cookie does not keep it from being asked again."""
    async with Lying() as server:
        answer = (
            b"HTTP/1.1 302 x\r\nSet-Cookie: a=caf\xe9\r\nLocation: /f\r\nContent-Length: 0\r\n\r\n"
        )
        server.at("/f", replying("200 OK", b"good"))
        with asking(server.authority) as asker:
            assert await asker.get(server.at("/start", saying(answer))) == b"good"
        assert server.asked("/f")[0].header("Cookie") == "a=caf\xe9"


async def test_user_and_password_may_hold_anything() -> None:
    """A colon in the user's name is no error of ours."""
    async with Lying() as server:
        url = server.at("/f", replying("200 OK", b"good"))
        with asking(server.authority) as asker:
            assert await asker.get(url.replace("http://", "http://a%3Ab:p@")) == b"good"
        assert server.requests[0].header("Authorization") == "Basic YTpiOnA="


async def test_a_header_whose_name_is_none_is_left_out() -> None:
    """A name with a colon and a tab cannot smuggle another header in."""
    async with Lying() as server:
        url = server.at("/f", replying("200 OK", b"good"))
        with asking(server.authority) as asker:
            odd = {"Transfer-Encoding: chunked\tx": "y", "X-Fine": "1", "X-Empty": "", "@a": "b"}
            await asker.get(url, headers=odd)
        request = server.requests[0]
        assert (request.header("X-Fine"), request.header("X-Empty")) == ("1", "")
        assert not {"transfer-encoding", "@a"} & request.names()


async def test_nothing_is_said_that_nobody_meant() -> None:
    """libcurl's own Accept-Encoding, Expect and User-Agent stay unsaid."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            await got(server, asker, "f")
        headers = dict(server.requests[0].headers)
        assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding"}
        assert headers["Accept-Encoding"] == "identity"
        assert headers["User-Agent"].startswith("Mozilla/5.0 (compatible; trayagent/")


async def test_a_request_of_many_long_headers_is_sent_whole() -> None:
    headers = {f"X-{number}": "v" * 4000 for number in range(16)}
    async with Lying() as server:
        with asking(server.authority) as asker:
            await asker.get(server.at("/f", replying("200 OK")), headers=headers)
        assert dict(server.requests[0].headers).items() >= headers.items()


# --- the head of the answer ---


async def test_any_number_of_interim_answers_comes_before_the_answer() -> None:
    """RFC 9110 §15.2: none of them is the file."""

    async def patient(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Early\r\nETag: x\r\n\r\n")
        await exchange.raw(b"HTTP/1.1 102 Busy\r\n\r\n")
        await asyncio.sleep(0.05)  # so that what came is looked at
        await exchange.reply("200 OK", b"good", X="1")

    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", patient))
    assert (came.body, came.head.status, came.head.headers.get("ETag")) == (b"good", 200, None)


@pytest.mark.parametrize("size", [17_000, 90_000])
async def test_a_header_line_may_be_long(size: int) -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", replying("200 OK", b"a", X_Long="v" * size)))
    assert (came.body, len(came.head.headers["X-Long"])) == (b"a", size)


async def test_a_head_without_end_is_not_kept() -> None:
    """Foreign bytes have a bound (libcurl: 300 kB of head)."""

    async def endless(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 200 OK\r\n")
        while True:
            await exchange.raw(b"X-More: " + b"v" * 4000 + b"\r\n")

    async with Lying() as server:
        with asking(server.authority) as asker:
            asked = asker.start(server.at("/a", endless))
            with pytest.raises(DownloadError) as failed:
                await asyncio.to_thread(asked.head)
    assert failed.value.code in ("network", "server_error")
    assert asked.answer.exchange.head is None


async def test_a_hundred_and_fifty_cookies_are_set_at_once() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=%b; Path=/\r\n" % (n, b"v" * 40) for n in range(150))
    head = b"HTTP/1.1 302 x\r\nLocation: /f\r\nContent-Length: 0\r\n"
    async with Lying() as server:
        server.at("/f", replying("200 OK", b"good"))
        with asking(server.authority) as asker:
            url = server.at("/a", saying(head + cookies + b"\r\n"))
            assert await asker.get(url) == b"good"
        assert "c0=" in (server.asked("/f")[0].header("Cookie") or "")


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        (b"X Odd Name: 1\r\nX-Fine: 2", "X-Fine", "2"),
        (b": no name\r\nX-Fine: 2", "X-Fine", "2"),
        (b"X-Fine : 2", "X-Fine", "2"),
        (b"X-Fine:2", "X-Fine", "2"),
        (b"X-Fine:   2  ", "X-Fine", "2"),
        (b"X-Fine: 2\r\n and more", "X-Fine", "2 and more"),
        (b"X-Fine: 2\r\n\tand more", "X-Fine", "2 and more"),
        (b"X-Fine: caf\xe9", "X-Fine", "caf\udce9"),
        (b"X-Fine: caf\xc3\xa9", "X-Fine", "caf\xe9"),
        (b"X-Fine: ", "X-Fine", ""),
    ],
)
async def test_an_odd_header_line_spoils_nothing(lines: bytes, name: str, value: str) -> None:
    """Taken as browsers take it; a line that is no header is passed over."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n%b\r\n\r\na" % lines
    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", saying(answer)))
    assert (came.body, came.head.headers[name]) == (b"a", value)


@pytest.mark.parametrize("line", [b"no colon here", b"<html>", b" folded onto nothing"])
async def test_a_line_that_cannot_be_a_header_is_refused_or_passed_over(line: bytes) -> None:
    """As curl does: without a colon it is no HTTP, unless it continues another line."""
    answer = b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 1\r\n\r\na" % line
    async with Lying() as server:
        with asking(server.authority) as asker:
            failed = await asker.fail(server.at("/a", saying(answer)))
    assert (failed.code, failed.detail) == ("server_error", "its answer is not proper HTTP")


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"HTTP/1.1 200\r\n", 200),
        (b"HTTP/1.1 200 \r\n", 200),
        (b"HTTP/1.0 200 OK\r\n", 200),
        (b"HTTP/1.1 200 caf\xe9\r\n", 200),
        (b"HTTP/1.1 418 I'm a teapot\r\n", 418),
        (b"HTTP/1.1 299 x\n", 299),
    ],
)
async def test_a_status_line_may_say_little(start: bytes, status: int) -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            answer = saying(start + b"Content-Length: 1\r\n\r\na")
            came = await asker.answer(server.at("/a", answer))
    assert (came.head.status, came.body) == (status, b"a")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_has_none(status: int) -> None:
    """RFC 9110 §6.4.1: whatever length it tells, and nothing is waited for."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            lying = replying(f"{status} x", b"", Content_Length=5)
            came = await asker.answer(server.at("/a", lying))
            assert (came.head.status, came.body) == (status, b"")
            assert await got(server, asker, "b") == b"b"


async def test_trailers_change_nothing() -> None:
    """RFC 9110 §6.5: what comes behind a body is no header."""
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: 1\r\n\r\n1\r\na\r\n0\r\nETag: 2\r\n\r\n"
    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", saying(said)))
    assert (came.body, came.head.headers.getall("ETag")) == (b"a", ["1"])


async def test_a_body_that_looks_like_a_head_is_none() -> None:
    body = b"HTTP/1.1 404 No\r\nETag: evil\r\n\r\n"
    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/a", replying("200 OK", body)))
            followed = await asker.answer(server.at("/b", redirecting("/a")))
    assert (came.head.status, came.body) == (200, body)
    assert (followed.head.status, followed.body) == (200, body)
