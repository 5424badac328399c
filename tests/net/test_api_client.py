"""A service is asked for exactly what was meant, where we may go, with secrets for its origin only, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from tests.servers.certificates import Authority
from tests.servers.http_proxy import HttpProxy
from tests.servers.listening import Answering
from tests.servers.lying import Exchange, Lying, Served, in_turn, redirecting, replying, saying
from tests.servers.socks_proxy import SocksProxy
from trayagent.model.downloads import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.model.transfer import Request
from trayagent.net.api_client import ApiClient, ApiPatience
from trayagent.net.redirects import MOST_REDIRECTS

NAME = "api.example.com"  # looking it up would fail the test
SECRETS = {
    "Authorization": "Bearer CANARY_BEARER",
    "X-API-Key": "CANARY_KEY",
    "Cookie": "sid=CANARY_RAW",
}


async def get(
    client: ApiClient, url: str, *servers: Lying, limit: int = 100_000, **more: Any
) -> bytes:
    """The body of what a request for an address leads to; the servers were named by the user."""
    named = frozenset(server.authority for server in servers)
    async with client.open(Request(url, named=named, **more)) as response:
        return await response.read(limit)


async def failure(client: ApiClient, url: str, *servers: Lying, **more: Any) -> DownloadError:
    """How asking for an address fails."""
    with pytest.raises(DownloadError) as failed:
        await get(client, url, *servers, **more)
    return failed.value


# --- what is asked, and what comes back ---


async def test_an_address_is_asked_as_it_is() -> None:
    async with Lying() as server, ApiClient() as client:
        path = "/media/CAM$a|b[1]!'(x);z/../y%2Fw"
        server.at(path, replying("200 OK", b"here"))
        query = "?sig=a%2Bb+c==&e=%20&q=[1]"
        assert await get(client, server.url(path) + query + "#fragment", server) == b"here"
        assert server.requests[0].path == path + query


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_body_is_sent_with_its_method(method: str) -> None:
    async with Lying() as server, ApiClient() as client:
        request = Request(
            server.at("/", replying("201 Made", b"ok")), named=frozenset({server.authority})
        )
        extra = {"Content-Type": "application/json"}
        async with client.open(request, extra, method=method, body=b'{"a":1}') as response:
            assert (response.status, await response.read(10)) == (201, b"ok")
        (asked,) = server.requests
        assert (asked.method, asked.body) == (method, b'{"a":1}')
        assert asked.header("Content-Type") == "application/json"


@pytest.mark.parametrize("status", ["204 No", "401 No", "404 No", "500 No", "503 Busy"])
async def test_a_status_is_the_callers_to_judge(status: str) -> None:
    async with Lying() as server, ApiClient() as client:
        request = Request(server.at("/", replying(status)), named=frozenset({server.authority}))
        async with client.open(request) as response:
            assert response.status == int(status[:3])


async def test_every_line_of_a_header_is_there() -> None:
    async with Lying() as server, ApiClient() as client:
        words = b"HTTP/1.1 200 OK\r\nLink: <a>; rel=preload\r\nLink: <b>; rel=next\r\nContent-Length: 0\r\n\r\n"
        request = Request(server.at("/", saying(words)), named=frozenset({server.authority}))
        async with client.open(request) as response:
            assert response.headers.getall("Link") == ["<a>; rel=preload", "<b>; rel=next"]


async def test_headers_may_be_long_and_many() -> None:
    async with Lying() as server, ApiClient() as client:
        lines = b"".join(b"Set-Cookie: c%d=%b\r\n" % (n, b"v" * 100) for n in range(400))
        policy = b"Content-Security-Policy: %b\r\n" % (b"x" * 100_000)
        head = b"HTTP/1.1 200 OK\r\n" + lines + policy + b"Content-Length: 2\r\n\r\n"
        assert await get(client, server.at("/", saying(head + b"ok")), server) == b"ok"


async def test_one_connection_serves_many_requests_and_a_closed_one_is_replaced() -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", replying("200 OK", b"ok"))
        for _ in range(3):
            await get(client, url, server)
        assert server.connections == 1
        for writer in list(server._writers):
            writer.close()
        assert await get(client, url, server) == b"ok"
        assert server.connections == 2


# --- bounds ---


async def test_a_body_is_read_to_its_limit_only() -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", Served(bytes(100_001)))
        assert (await failure(client, url, server)).code == "too_large"
        assert len(await get(client, url, server, limit=100_001)) == 100_001


async def test_a_body_that_unfolds_without_end_costs_no_memory() -> None:
    bomb = gzip.compress(bytes(200 << 20))
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", replying("200 OK", bomb, Content_Encoding="gzip"))
        await get(client, server.at("/warm", replying("200 OK")), server)
        tracemalloc.start()
        try:
            assert (await failure(client, url, server, limit=1 << 20)).code == "too_large"
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()


async def test_a_coded_body_is_decoded() -> None:
    async with Lying() as server, ApiClient() as client:
        body = gzip.compress(b'{"a":1}')
        url = server.at("/", replying("200 OK", body, Content_Encoding="gzip"))
        assert await get(client, url, server) == b'{"a":1}'


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_cut_body_is_no_body(framing: str) -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", Served(bytes(100), framing=framing, cut=[50]))
        assert (await failure(client, url, server)).code == "truncated"


async def test_one_that_is_silent_or_never_ends_is_left() -> None:
    async def drip(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=10_000)
        for _ in range(10_000):
            await exchange.raw(b".")
            await asyncio.sleep(0.02)

    patience = ApiPatience(silence=0.3, whole=0.6)
    async with Answering() as silent, Lying() as endless, ApiClient(patience=patience) as client:
        quiet = Request(f"http://{silent.authority}/", named=frozenset({silent.authority}))
        with pytest.raises(DownloadError) as failed:
            async with client.open(quiet):
                pass
        assert failed.value.code == "timeout"
        assert (await failure(client, endless.at("/", drip), endless)).code == "timeout"


async def test_redirects_end() -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", redirecting("/"))
        assert (await failure(client, url, server)).code == "too_many_redirects"
        assert len(server.requests) == MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "location", ["ftp://x/", "file:///etc/passwd", "", "http://", "javascript:1"]
)
async def test_a_redirect_to_no_web_address_is_not_followed(location: str) -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", redirecting(location))
        assert (await failure(client, url, server)).code == "bad_url"


# --- secrets ---


async def test_secrets_do_not_follow_to_another_origin_nor_come_back() -> None:
    async with Lying() as one, Lying() as two, ApiClient() as client:
        url = one.at("/a", redirecting("/a2"))
        one.at("/a2", redirecting(two.url("/b")))
        two.at("/b", redirecting(one.url("/c")))
        one.at("/c", replying("200 OK", b"here"))
        body = await get(client, url, one, two, headers=SECRETS, referer="http://p/?CANARY_REF")
        assert body == b"here"
        for request in (*one.asked("/a"), *one.asked("/a2")):
            assert request.header("X-API-Key") == "CANARY_KEY"
            assert request.header("Cookie") == "sid=CANARY_RAW"
            assert "CANARY_REF" in (request.header("Referer") or "")
        assert "CANARY" not in str([r.headers for r in (*two.requests, *one.asked("/c"))])


async def test_user_and_password_of_an_address_go_to_its_origin_only() -> None:
    async with Lying() as one, Lying() as two, ApiClient() as client:
        url = one.at("/a", redirecting(f"http://who:ever@{two.authority}/b"))
        two.at("/b", replying("200 OK", b"here"))
        await get(client, url.replace("http://", "http://user:p%40ss@"), one, two)
        assert one.requests[0].header("Authorization") == "Basic dXNlcjpwQHNz"
        assert two.requests[0].header("Authorization") is None


async def test_a_body_does_not_follow_to_another_origin() -> None:
    async with Lying() as one, Lying() as two, ApiClient() as client:
        url = one.at("/a", redirecting(two.url("/b"), "307 Temporary Redirect"))
        two.at("/b", replying("200 OK", b"here"))
        request = Request(url, named=frozenset({one.authority, two.authority}))
        async with client.open(request, method="POST", body=b"CANARY_BODY"):
            pass
        assert [one.requests[0].body, two.requests[0].body] == [b"CANARY_BODY", b""]


@pytest.mark.parametrize(
    "secrets", [{"headers": SECRETS}, {"cookies": (Cookie("s", "v", "127.0.0.1"),)}]
)
async def test_secrets_are_not_taken_from_https_to_http(secrets: dict[str, object]) -> None:
    authority = Authority()
    async with (
        Lying(tls=authority.serving("127.0.0.1")) as safe,
        Lying() as plain,
        ApiClient(tls=authority.trusting()) as client,
    ):
        url = safe.at("/a", redirecting(plain.at("/b", replying("200 OK", b"here"))))
        assert (await failure(client, url, safe, plain, **secrets)).code == "tls"
        assert plain.connections == 0
        assert await get(client, url, safe, plain) == b"here"


async def test_cookies_set_on_the_way_stay_with_their_request() -> None:
    async with Lying() as one, ApiClient() as client:
        url = one.at("/login/a", redirecting("/b", Set_Cookie="sid=1; Path=/"))
        one.at("/b", replying("200 OK", b"here", Set_Cookie="later=2; Path=/"))
        await get(client, url, one)
        await get(client, one.url("/b"), one)
        assert [request.header("Cookie") for request in one.asked("/b")] == ["sid=1", None]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b"])
async def test_no_header_can_be_smuggled_in(value: str) -> None:
    async with Lying() as one, ApiClient() as client:
        url = one.at("/a", replying("200 OK", b"here"))
        await failure(client, url, one, headers={"X": value})
        await failure(client, url, one, referer=value)
        assert all("x-evil" not in request.names() for request in one.requests)


async def test_headers_that_are_ours_cannot_be_set() -> None:
    async with Lying() as one, ApiClient() as client:
        url = one.at("/a", replying("200 OK", b"here"))
        ours: Mapping[str, str] = {"Host": "evil", "Content-Length": "9", "Accept-Encoding": "br"}
        await get(client, url, one, headers={**ours, "X": "1"})
        (request,) = one.requests
        assert [request.header(n) for n in ("Host", "Content-Length", "Accept-Encoding", "X")] == [
            one.authority, None, "identity", "1",
        ]  # fmt: skip


# --- where we may go ---


async def test_a_private_address_has_to_be_named_on_every_hop() -> None:
    async with Lying() as public, Lying() as inside, ApiClient() as client:
        secret = inside.at("/secret", replying("200 OK", b"secret"))
        url = public.at("/", redirecting(secret))
        await get(client, secret, inside)  # its connection is kept alive now
        assert (await failure(client, url, public)).code == "blocked_address"
        assert len(inside.requests) == 1


async def test_no_connection_where_a_name_leads_inside() -> None:
    answers = [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        del host, port
        return answers.pop()

    async with Lying() as server, ApiClient(resolve=resolve) as client:
        named = frozenset({f"{NAME}:{server.port}"})
        for _ in range(2):
            with pytest.raises(DownloadError) as failed:
                async with client.open(Request(f"http://{NAME}:{server.port}/", named=named)):
                    pass
            assert failed.value.code == "blocked_address"
        assert server.connections == 0


async def test_our_own_ports_are_never_asked() -> None:
    async with Lying() as server:
        network = NetworkSettings(private_addresses="allow")
        async with ApiClient(network, own_ports={server.port}) as client:
            url = server.at("/", replying("200 OK"))
            assert (await failure(client, url, server)).code == "blocked_address"


async def test_a_certificate_is_looked_at() -> None:
    authority = Authority()
    async with (
        Lying(tls=authority.serving("other.example")) as server,
        ApiClient(tls=authority.trusting()) as client,
    ):
        error = await failure(client, server.at("/", replying("200 OK")), server)
        assert error.code == "tls"
        assert "127.0.0.1" in error.message


async def test_a_host_that_is_busy_is_left_alone() -> None:
    async with Lying() as server, ApiClient() as client:
        url = server.at("/", replying("503 Busy", Retry_After="100"))
        request = Request(url, named=frozenset({server.authority}))
        async with client.open(request) as response:
            error = client.busy(response)
        assert error.code == "server_busy"
        assert error.retry_after is not None
        assert error.retry_after >= 100
        assert (await failure(client, url, server)).code == "server_busy"
        assert len(server.requests) == 1


# --- proxies ---


async def test_an_http_proxy_is_gone_through_and_resolves() -> None:
    authority = Authority()
    async with (
        Lying(tls=authority.serving(NAME)) as safe,
        Lying() as plain,
        HttpProxy(user="m@x", password="p:%") as proxy,
        ApiClient(NetworkSettings(proxy=proxy.url), tls=authority.trusting()) as client,
    ):
        for server, scheme in ((plain, "http"), (safe, "https")):
            server.at("/a", replying("200 OK", b"via"))
            proxy.leads[f"{NAME}:{server.port}"] = server.authority
            assert await get(client, f"{scheme}://{NAME}:{server.port}/a") == b"via"
        assert [asked.method for asked in proxy.asked] == ["GET", "CONNECT"]
        for url in ("http://10.0.0.1/", "https://nas/", "http://metadata.google.internal/"):
            assert (await failure(client, url)).code == "blocked_address"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
async def test_a_socks_proxy_is_gone_through_and_resolves(scheme: str) -> None:
    authority = Authority()
    async with (
        Lying(tls=authority.serving(NAME)) as safe,
        Lying() as plain,
        SocksProxy() as proxy,
        ApiClient(
            NetworkSettings(proxy=proxy.url.replace("socks5", scheme)), tls=authority.trusting()
        ) as client,
    ):
        for server, plainness in ((plain, "http"), (safe, "https")):
            server.at("/a", replying("200 OK", b"via"))
            url = f"{plainness}://{NAME}:{server.port}/a"
            assert await get(client, url, headers=SECRETS) == b"via"
            assert not any(name.startswith("proxy") for name in server.requests[0].names())
        assert [asked.kind for asked in proxy.asked] == ["name", "name"]
        assert (await failure(client, f"http://nas:{plain.port}/a")).code == "blocked_address"


async def test_a_named_private_address_is_reached_through_a_socks_proxy() -> None:
    async with (
        Lying() as server,
        SocksProxy() as proxy,
        ApiClient(NetworkSettings(proxy=proxy.url)) as client,
    ):
        url = server.at("/a", replying("200 OK", b"via"))
        assert (await failure(client, url)).code == "blocked_address"
        assert await get(client, url, server) == b"via"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
async def test_a_proxy_that_is_gone_is_trouble_of_the_network(
    kind: type[HttpProxy | SocksProxy], scheme: str
) -> None:
    async with kind() as proxy:
        url = proxy.url
    async with ApiClient(NetworkSettings(proxy=url)) as client:
        error = await failure(client, f"{scheme}://{NAME}/a")
        assert (error.code, error.detail) == ("network", "the proxy could not be used")


async def test_the_environment_does_not_choose_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with Lying() as server, ApiClient() as client:
        assert await get(client, server.at("/", replying("200 OK", b"direct")), server) == b"direct"


# --- its own life ---


async def test_many_at_once_start_one_session() -> None:
    async with Lying() as server, SocksProxy() as proxy:
        url = server.at("/", in_turn(replying("200 OK", b"ok")))
        async with (
            ApiClient(NetworkSettings(proxy=proxy.url)) as client,
            asyncio.TaskGroup() as group,
        ):
            tasks = [group.create_task(get(client, url, server), name="ask") for _ in range(5)]
        assert [task.result() for task in tasks] == [b"ok"] * 5


async def test_it_introduces_itself_without_secrets() -> None:
    async with Lying() as server, ApiClient() as client:
        assert repr(client) == "<ApiClient>"
        url = server.at("/", replying("200 OK")) + "?CANARY"
        async with client.open(Request(url, named=frozenset({server.authority}))) as response:
            assert repr(response) == f"<ApiResponse 200 from {server.authority}>"
        assert repr(client) == "<ApiClient, in use>"


def test_the_command_line_does_not_load_it() -> None:
    words = "import sys, trayagent.oneshot, trayagent.cli.main; print('trayagent.net.api_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
