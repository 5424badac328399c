"""A program behind the gateway reaches what its download may reach, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import http.client
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.servers.http_proxy import HttpProxy
from tests.servers.lying import Exchange, Lying, replying
from tests.servers.site import Site
from tests.servers.socks_proxy import SocksProxy
from trayagent.model.settings import NetworkSettings
from trayagent.net import gateway as gateways
from trayagent.net import peer_user
from trayagent.net.gateway import Gateway, Pass


async def names_lead_inside(host: str, port: int) -> list[str]:
    """A name service that knows one address only."""
    del host, port
    return ["127.0.0.1"]


async def ask(leave: Pass, url: str, secret: str | None = None) -> tuple[int, bytes]:
    """GET through the gateway, as a program would: plain http."""
    port = int(leave.url.rpartition(":")[2])
    own = leave.url.partition("://")[2].partition("@")[0]
    pair = base64.b64encode((own if secret is None else secret).encode()).decode()

    def work() -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("GET", url, headers={"Proxy-Authorization": f"Basic {pair}"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    return await asyncio.to_thread(work)


async def tunnel(leave: Pass, pair: str, talk: bytes = b"") -> bytes:
    """CONNECT through the gateway; everything that comes back."""
    port = int(leave.url.rpartition(":")[2])
    own = base64.b64encode(leave.url.partition("://")[2].partition("@")[0].encode()).decode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"CONNECT {pair} HTTP/1.1\r\nProxy-Authorization: Basic {own}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(talk)
    rest = await reader.read(-1) if talk else b""
    writer.close()
    return head + rest


async def test_plain_requests_and_tunnels_reach_a_named_host() -> None:
    with Site({"/a": b"body"}) as site:
        async with Gateway() as gateway:
            with gateway.admit({site.authority}) as leave:
                assert await ask(leave, f"{site.base}/a?q=1") == (200, b"body")
                talk = f"GET /a HTTP/1.1\r\nHost: {site.authority}\r\nConnection: close\r\n\r\n"
                answer = await tunnel(leave, site.authority, talk.encode())
                assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200")
                assert answer.endswith(b"body")
                assert leave.received > len(b"body") * 2
                assert leave.refused is None
        headers = site.asked[0][1]
        assert headers["host"] == site.authority
        assert not [name for name in headers if name.startswith("proxy")]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "192.168.1.1", "nas"]
)
async def test_a_private_address_nobody_named_is_refused(host: str) -> None:
    with Site({"/a": b"body"}) as site:
        port = site.authority.rpartition(":")[2]
        async with Gateway() as gateway:
            with gateway.admit() as leave:
                assert (await ask(leave, f"http://{host}:{port}/a"))[0] == 403
                assert leave.refused is not None
                assert leave.refused.code == "blocked_address"
                assert b" 403 " in await tunnel(leave, f"{host}:{port}")
        assert site.asked == []


async def test_a_public_name_that_leads_inside_is_refused() -> None:
    with Site({"/a": b"body"}) as site:
        port = site.authority.rpartition(":")[2]
        async with Gateway(resolve=names_lead_inside) as gateway:
            with gateway.admit({f"cdn.example.com:{port}"}) as leave:
                assert (await ask(leave, f"http://cdn.example.com:{port}/a"))[0] == 403
                assert b" 403 " in await tunnel(leave, f"cdn.example.com:{port}")
        assert site.asked == []


async def test_our_own_port_is_never_reached() -> None:
    with Site({"/a": b"body"}) as site:
        port = int(site.authority.rpartition(":")[2])
        async with Gateway(NetworkSettings(private_addresses="allow"), own_ports=[port]) as gateway:
            with gateway.admit({site.authority}) as leave:
                assert (await ask(leave, f"{site.base}/a"))[0] == 403
        assert site.asked == []


async def test_without_the_secret_nobody_gets_in() -> None:
    with Site({"/a": b"body"}) as site:
        async with Gateway(NetworkSettings(private_addresses="allow")) as gateway:
            with gateway.admit() as leave:
                assert (await ask(leave, f"{site.base}/a", secret="trayagent:guess"))[0] == 407
                assert (await ask(leave, f"{site.base}/a", secret=""))[0] == 407
            assert (await ask(leave, f"{site.base}/a"))[0] == 407, "a pass ends with its program"
        assert site.asked == []


async def test_a_program_that_ends_takes_its_connections_along() -> None:
    with Site({"/a": b"body"}) as site:
        async with Gateway() as gateway:
            with gateway.admit({site.authority}) as leave:
                port = int(leave.url.rpartition(":")[2])
                own = base64.b64encode(leave.url.partition("://")[2].partition("@")[0].encode())
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(
                    f"CONNECT {site.authority} HTTP/1.1\r\n".encode()
                    + b"Proxy-Authorization: Basic " + own + b"\r\n\r\n"
                )  # fmt: skip
                await reader.readuntil(b"\r\n\r\n")
            assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /a HTTP/1.1",
        b"GET ftp://example.com/ HTTP/1.1",
        b"GET https://example.com/ HTTP/1.1",
        b"CONNECT example.com:99999 HTTP/1.1",
        b"CONNECT user@ HTTP/1.1",
        b"\xff\xfe",
        b"GET",
    ],
)
async def test_what_is_no_proxy_request_is_refused(head: bytes) -> None:
    async with Gateway() as gateway:
        with gateway.admit() as leave:
            port = int(leave.url.rpartition(":")[2])
            own = base64.b64encode(leave.url.partition("://")[2].partition("@")[0].encode())
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + b"\r\nProxy-Authorization: Basic " + own + b"\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
            writer.close()


async def test_speed_is_what_the_agent_allows() -> None:
    spent: list[int] = []

    def spend(count: int) -> float:
        spent.append(count)
        return 0.05

    with Site({"/a": bytes(300_000)}) as site:
        async with Gateway() as gateway:
            with gateway.admit({site.authority}, spend) as leave:
                began = asyncio.get_running_loop().time()
                assert len((await ask(leave, f"{site.base}/a"))[1]) == 300_000
                assert asyncio.get_running_loop().time() - began >= 0.05 * (len(spent) - 1)
        assert sum(spent) == leave.received >= 300_000


async def say(leave: Pass, request: bytes) -> bytes:
    """A plain request as it is written, and no more after it; everything that comes back."""
    own = base64.b64encode(leave.url.partition("://")[2].partition("@")[0].encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(leave.url).port)
    first, _, rest = request.partition(b"\r\n")
    writer.write(first + b"\r\nProxy-Authorization: Basic " + own + b"\r\n" + rest)
    writer.write_eof()
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


LASTING = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=9,\r\n max=5\r\n"
HEADS = {
    "lasting": LASTING + "Content-Length: 4\r\n\r\n",
    "silent about it": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
    "bare line feeds": "HTTP/1.1 200 OK\nConnection: keep-alive\nContent-Length: 4\n\n",
    "after others": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + LASTING
    + "Content-Length: 4\r\n\r\n",
}


@pytest.mark.parametrize("head", HEADS)
async def test_a_program_is_told_that_the_connection_ends_with_the_answer(head: str) -> None:
    """Else it sends the next request into a connection that is just being closed."""
    async with Lying() as server, Gateway() as gateway:

        async def answer(exchange: Exchange) -> None:
            await exchange.raw(HEADS[head].encode() + b"body")
            exchange.close = True

        url = server.at("/a", answer)
        with gateway.admit({server.authority}) as leave:
            came = await say(leave, f"GET {url} HTTP/1.1\r\n\r\n".encode())
    *before, final = came.replace(b"\r\n", b"\n").split(b"HTTP/1.1 ")
    assert final == b"200 OK\nContent-Length: 4\nConnection: close\n\nbody"
    assert len(before) == HEADS[head].count("HTTP/1.1")


@pytest.mark.parametrize("body", [b"", b"name=value"])
async def test_a_server_gets_one_request_and_nothing_that_follows(body: bytes) -> None:
    """It may keep its connection open in spite of us; what comes next is perhaps for another host."""
    async with Lying() as server, Gateway() as gateway:
        url = server.at("/a", replying("200 OK", b"body"))
        following = b"GET http://other.example/ HTTP/1.1\r\nCookie: CANARY\r\n\r\n"
        with gateway.admit({server.authority}) as leave:
            asked = f"POST {url} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            assert (await say(leave, asked + body + following)).endswith(b"body")
        assert [(one.path, one.body) for one in server.requests] == [("/a", body)]


@pytest.mark.parametrize(
    "framing",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: -1",
        "Content-Length: x",
    ],
)
async def test_a_request_without_a_certain_end_is_refused(framing: str) -> None:
    with Site({"/a": b"body"}) as site:
        async with Gateway() as gateway:
            with gateway.admit({site.authority}) as leave:
                request = f"POST {site.base}/a HTTP/1.1\r\n{framing}\r\n\r\n"
                assert (await say(leave, request.encode())).startswith(b"HTTP/1.1 400 ")
        assert site.asked == []


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (b"", b""),
        (b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Le"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000 + b"\r\n", b"HTTP/1.1 502 "),
        (b"HTTP/1.1 200 OK\r\nx: " + bytes(200_000), b"HTTP/1.1 502 "),
    ],
    ids=["nothing", "no HTTP", "half a head", "a head of many lines", "a head of one line"],
)
async def test_an_answer_that_is_none_comes_as_it_is_and_within_bounds(
    answer: bytes, came: bytes
) -> None:
    async with Lying() as server, Gateway() as gateway:

        async def talk(exchange: Exchange) -> None:
            await exchange.raw(answer)
            exchange.close = True

        url = server.at("/a", talk)
        with gateway.admit({server.authority}) as leave:
            got = await say(leave, f"GET {url} HTTP/1.1\r\n\r\n".encode())
    assert got.startswith(came) if b"502" in came else got == came


PLACE = "example.com:80", "example.com:443"
TALK = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_a_configured_proxy_is_gone_through() -> None:
    with Site({"/a": b"body"}) as site:
        async with HttpProxy(user="m@x", password="p:%") as proxy:
            proxy.leads = dict.fromkeys(PLACE, site.authority)
            async with Gateway(NetworkSettings(proxy=proxy.url)) as gateway:
                with gateway.admit() as leave:
                    assert await ask(leave, "http://example.com/a?q") == (200, b"body")
                    assert (await tunnel(leave, "example.com:443", TALK)).endswith(b"body")
                    assert (await ask(leave, "http://192.168.0.1/a"))[0] == 403, "by literal"
        own = base64.b64encode(b"m@x:p:%").decode()
        assert [(asked.method, asked.target) for asked in proxy.asked] == [
            ("GET", "http://example.com/a?q"),
            ("CONNECT", "example.com:443"),
        ]
        assert all(a.headers["proxy-authorization"] == f"Basic {own}" for a in proxy.asked)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
async def test_a_socks_proxy_is_gone_through_and_resolves(scheme: str) -> None:
    with Site({"/a": b"body"}) as site:
        async with SocksProxy() as proxy:
            proxy.leads = dict.fromkeys(PLACE, site.authority)
            async with Gateway(
                NetworkSettings(proxy=proxy.url.replace("socks5", scheme))
            ) as gateway:
                with gateway.admit() as leave:
                    assert await ask(leave, "http://example.com/a?q") == (200, b"body")
                    assert (await tunnel(leave, "example.com:443", TALK)).endswith(b"body")
                    assert (await ask(leave, "http://192.168.0.1/a"))[0] == 403, "by literal"
        assert proxy.asked == [("name", "example.com", 80), ("name", "example.com", 443)]


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
async def test_a_proxy_that_refuses_or_is_gone_is_a_bad_gateway(
    kind: type[HttpProxy | SocksProxy],
) -> None:
    async with kind() as proxy, Gateway(NetworkSettings(proxy=proxy.url)) as gateway:
        with gateway.admit() as leave:
            if isinstance(proxy, HttpProxy):
                proxy.refusal = "403 No"
            else:
                proxy.refusal = 5
            assert b" 502 " in await tunnel(leave, "example.com:443")
            proxy.mute = True
            assert b" 502 " in await tunnel(leave, "example.com:443")
            proxy.die()
            assert b" 502 " in await tunnel(leave, "example.com:443")
            assert (await ask(leave, "http://example.com/a"))[0] == 502


async def test_it_introduces_itself_without_secrets() -> None:
    async with Gateway() as gateway:
        with gateway.admit() as leave:
            assert repr(gateway) == "<Gateway for 1 programs>"
            assert leave.url.partition(":")[2].partition("@")[0] not in repr(leave)


async def test_who_says_nothing_is_not_listened_to_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody on this machine can connect; without a request he is hung up on."""
    monkeypatch.setattr(gateways, "HEAD_PATIENCE", 0.01)
    async with asyncio.timeout(5), Gateway() as gateway:
        with gateway.admit() as leave:
            port = urlsplit(leave.url).port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET http://example.com/ HTTP/1.1\r\n")
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


async def test_another_user_of_the_machine_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with Site({"/a": b"body"}) as site:
        async with Gateway() as gateway:
            with gateway.admit({site.authority}) as leave:
                monkeypatch.setattr(peer_user, "is_another_users", lambda _: True)
                with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
                    await ask(leave, f"{site.base}/a")
        assert site.asked == []
