"""Secrets stay with the origin they were meant for; cookies go where their domain, path and flag allow."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.servers.certificates import Authority
from tests.servers.lying import Lying, redirecting, replying
from trayagent.model.download import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.client import Client
from trayagent.net.hop import Hop

SECRETS = {
    "Authorization": "Bearer CANARY_BEARER",
    "X-API-Key": "CANARY_KEY",
    "Cookie": "sid=CANARY_RAW",
    "Origin": "http://CANARY_ORIGIN",
}


@asynccontextmanager
async def asking(*servers: Lying, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    async with Client(tls=tls) as client:
        client.named = frozenset(server.authority for server in servers)  # type: ignore[attr-defined]
        yield client


async def get(client: Client, url: str, **options: object) -> bytes:
    named = client.named  # type: ignore[attr-defined]
    with await client.open(Request(url, named=named, **options)) as response:  # type: ignore[arg-type]
        return await response.read(1000)


async def test_secrets_do_not_follow_to_another_origin() -> None:
    async with Lying() as one, Lying() as two, asking(one, two) as client:
        target = two.at("/b", replying("200 OK", b"here"))
        url = one.at("/a", redirecting("/a2"))
        one.at("/a2", redirecting(target))
        body = await get(client, url, headers=SECRETS, referer="http://page/?CANARY_REFERER")
        assert body == b"here"
        for request in one.requests:
            assert request.header("X-API-Key") == "CANARY_KEY"
            assert request.header("Cookie") == "sid=CANARY_RAW"
            assert "CANARY_REFERER" in (request.header("Referer") or "")
        assert "CANARY" not in str(two.requests[0].headers)


async def test_they_do_not_come_back_either() -> None:
    async with Lying() as one, Lying() as two, asking(one, two) as client:
        url = one.at("/a", redirecting(two.url("/b")))
        two.at("/b", redirecting(one.url("/c")))
        one.at("/c", replying("200 OK", b"here"))
        await get(client, url, headers=SECRETS)
        assert "CANARY" not in str(one.asked("/c")[0].headers)


async def test_user_and_password_of_a_url_go_to_its_origin_only() -> None:
    async with Lying() as one, Lying() as two, asking(one, two) as client:
        url = one.at("/a", redirecting(two.url("/b")))
        two.at("/b", replying("200 OK", b"here"))
        await get(client, url.replace("http://", "http://user:p%40ss@"))
        assert one.requests[0].header("Authorization") == "Basic dXNlcjpwQHNz"
        assert two.requests[0].header("Authorization") is None


async def test_credentials_invented_by_a_redirect_are_not_used() -> None:
    async with Lying() as one, asking(one) as client:
        url = one.at("/a", redirecting(f"http://who:ever@{one.authority}/b"))
        one.at("/b", replying("200 OK", b"here"))
        assert await get(client, url) == b"here"
        assert one.asked("/b")[0].header("Authorization") is None
        assert one.asked("/b")[0].header("Host") == one.authority


@pytest.mark.parametrize(
    "secrets", [{"headers": SECRETS}, {"cookies": (Cookie("s", "v", "127.0.0.1"),)}]
)
async def test_secrets_are_not_taken_from_https_to_http(secrets: dict[str, object]) -> None:
    authority = Authority()
    async with (
        Lying(tls=authority.serving("127.0.0.1")) as safe,
        Lying() as plain,
        asking(safe, plain, tls=authority.trusting()) as client,
    ):
        url = safe.at("/a", redirecting(plain.at("/b", replying("200 OK", b"here"))))
        with pytest.raises(DownloadError) as failed:
            await get(client, url, **secrets)
        assert failed.value.code == "tls"
        assert plain.connections == 0
        assert await get(client, url) == b"here"


async def test_a_body_does_not_follow_to_another_origin() -> None:
    async with Lying() as one, Lying() as two, asking(one, two) as client:
        url = one.at("/a", redirecting(two.url("/b"), "307 Temporary Redirect"))
        two.at("/b", replying("200 OK", b"here"))
        request = Request(url, named=frozenset({one.authority, two.authority}))
        with await client.open(request, method="POST", body=b"CANARY_BODY"):
            pass
        assert one.requests[0].body == b"CANARY_BODY"
        assert two.requests[0].body == b""


@pytest.mark.parametrize(
    ("status", "method"),
    [("301", "GET"), ("302", "GET"), ("303", "GET"), ("307", "POST"), ("308", "POST")],
)
async def test_a_body_is_said_again_only_where_the_redirect_asks_for_it(
    status: str, method: str
) -> None:
    """RFC 9110 §15.4: "see other" is no second order."""
    async with Lying() as one, asking(one) as client:
        url = one.at("/a", redirecting("/b", f"{status} Go"))
        one.at("/b", replying("200 OK", b"here"))
        request = Request(url, named=frozenset({one.authority}))
        with await client.open(request, method="POST", body=b"order"):
            pass
        (second,) = one.asked("/b")
        assert (second.method, second.body) == (method, b"order" if method == "POST" else b"")


def test_an_origin_is_scheme_host_and_port() -> None:
    """RFC 6454 §4: what shares two of them is another one."""
    here = Hop.to("https://h.example:8443/a")
    assert here.same_origin(Hop.to("https://H.example:8443/b?c"))
    for other in ("http://h.example:8443/", "https://h.example/", "https://x.h.example:8443/"):
        assert not here.same_origin(Hop.to(other))


async def test_cookies_set_on_the_way_are_sent_back_and_stay_with_their_download() -> None:
    async with Lying() as one, asking(one) as client:
        url = one.at("/login/a", redirecting("/b", Set_Cookie="sid=1; Path=/"))
        one.at("/b", replying("200 OK", b"here"))
        await get(client, url)
        assert one.asked("/b")[0].header("Cookie") == "sid=1"
        await get(client, one.url("/b"))
        assert one.asked("/b")[1].header("Cookie") is None


async def test_headers_that_are_ours_cannot_be_set() -> None:
    async with Lying() as one, asking(one) as client:
        url = one.at("/a", replying("200 OK", b"here"))
        await get(
            client,
            url,
            headers={"Host": "evil", "Range": "bytes=1-", "Accept-Encoding": "gzip", "X": "1"},
        )
        request = one.requests[0]
        assert request.header("Host") == one.authority
        assert request.header("Range") is None
        assert request.header("Accept-Encoding") == "identity"
        assert request.header("X") == "1"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b"])
async def test_no_header_can_be_smuggled_in(value: str) -> None:
    async with Lying() as one, asking(one) as client:
        url = one.at("/a", replying("200 OK", b"here"))
        with pytest.raises(DownloadError):
            await get(client, url, headers={"X": value})
        with pytest.raises(DownloadError):
            await get(client, url, referer=value)
        assert all("x-evil" not in request.names() for request in one.requests)


async def test_a_url_is_sent_as_it_is() -> None:
    async with Lying() as one, asking(one) as client:
        path = "/a%2Fb/%7Euser/caf%C3%A9;x=1"
        query = "?sig=a%2Bb+c==&e=%20&q=[1]"
        one.at(path, replying("200 OK", b"here"))
        assert await get(client, one.url(path) + query + "#fragment") == b"here"
        assert one.requests[0].path == path + query
