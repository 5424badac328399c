"""Secrets stay with the origin they were meant for; cookies go where their domain, path and flag allow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tests.net.asking import Asker, asking
from tests.servers.certificates import Authority
from tests.servers.lying import Exchange, Lying, redirecting, replying, saying
from trayagent.model.downloads import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.redirects import MOST_REDIRECTS, Endpoint, Redirects

START = "http://first.example/a"
SECRETS = {
    "Authorization": "Bearer CANARY_BEARER",
    "X-API-Key": "CANARY_KEY",
    "Cookie": "sid=CANARY_RAW",
    "Origin": "http://CANARY_ORIGIN",
}


@contextmanager
def at(*servers: Lying, **options: Any) -> Iterator[Asker]:
    with asking(*(server.authority for server in servers), **options) as asker:
        yield asker


async def test_secrets_do_not_follow_to_another_origin() -> None:
    async with Lying() as one, Lying() as two:
        with at(one, two) as asker:
            target = two.at("/b", replying("200 OK", b"here"))
            url = one.at("/a", redirecting("/a2"))
            one.at("/a2", redirecting(target))
            body = await asker.get(url, headers=SECRETS, referer="http://page/?CANARY_REFERER")
            assert body == b"here"
            for request in one.requests:
                assert request.header("X-API-Key") == "CANARY_KEY"
                assert request.header("Cookie") == "sid=CANARY_RAW"
                assert "CANARY_REFERER" in (request.header("Referer") or "")
            assert "CANARY" not in str(two.requests[0].headers)


async def test_they_do_not_come_back_either() -> None:
    async with Lying() as one, Lying() as two:
        with at(one, two) as asker:
            url = one.at("/a", redirecting(two.url("/b")))
            two.at("/b", redirecting(one.url("/c")))
            one.at("/c", replying("200 OK", b"here"))
            await asker.get(url, headers=SECRETS)
            assert "CANARY" not in str(one.asked("/c")[0].headers)


async def test_user_and_password_of_a_url_go_to_its_origin_only() -> None:
    async with Lying() as one, Lying() as two:
        with at(one, two) as asker:
            url = one.at("/a", redirecting(two.url("/b")))
            two.at("/b", replying("200 OK", b"here"))
            await asker.get(url.replace("http://", "http://user:p%40ss@"))
            assert one.requests[0].header("Authorization") == "Basic dXNlcjpwQHNz"
            assert two.requests[0].header("Authorization") is None


async def test_credentials_invented_by_a_redirect_are_not_used() -> None:
    async with Lying() as one:
        with at(one) as asker:
            url = one.at("/a", redirecting(f"http://who:ever@{one.authority}/b"))
            one.at("/b", replying("200 OK", b"here"))
            assert await asker.get(url) == b"here"
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
    ):
        with at(safe, plain, ca_file=authority.file) as asker:
            url = safe.at("/a", redirecting(plain.at("/b", replying("200 OK", b"here"))))
            failed = await asker.fail(url, **secrets)
            assert failed.code == "tls"
            assert plain.connections == 0
            assert await asker.get(url) == b"here"


def led(*ways: tuple[str, int], **options: Any) -> Redirects:
    """An order (a POST with a body) that answers of these statuses sent to these places."""
    redirects = Redirects(Request(START, **options), method="POST", body=b"order")
    for location, status in ways:
        redirects.follow(status, CIMultiDictProxy(CIMultiDict({"Location": location})))
    return redirects


def test_a_body_does_not_follow_to_another_origin() -> None:
    away = led(("http://other.example/b", 307))
    assert (away.method, away.body) == ("GET", None)
    back = led(("http://other.example/b", 307), (START, 307))
    assert (back.method, back.body) == ("GET", None)


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_body_is_said_again_only_where_the_redirect_asks_for_it(status: int, method: str) -> None:
    """RFC 9110 §15.4: "see other" is no second order."""
    second = led(("/b", status))
    assert (second.method, second.body) == (method, b"order" if method == "POST" else None)


def test_a_question_for_the_head_stays_one() -> None:
    redirects = Redirects(Request(START), method="HEAD")
    redirects.follow(303, CIMultiDictProxy(CIMultiDict({"Location": "/b"})))
    assert redirects.method == "HEAD"


def test_an_origin_is_scheme_host_and_port() -> None:
    """RFC 6454 §4: what shares two of them is another one."""
    here = Endpoint.of("https://h.example:8443/a")
    assert here.is_same_origin(Endpoint.of("https://H.example:8443/b?c"))
    for other in ("http://h.example:8443/", "https://h.example/", "https://x.h.example:8443/"):
        assert not here.is_same_origin(Endpoint.of(other))


async def test_cookies_set_on_the_way_are_sent_back_and_stay_with_their_download() -> None:
    async with Lying() as one:
        with at(one) as asker:
            url = one.at("/login/a", redirecting("/b", Set_Cookie="sid=1; Path=/"))
            one.at("/b", replying("200 OK", b"here"))
            await asker.get(url)
            assert one.asked("/b")[0].header("Cookie") == "sid=1"
            await asker.get(one.url("/b"))
            assert one.asked("/b")[1].header("Cookie") is None


async def test_headers_that_are_ours_cannot_be_set() -> None:
    async with Lying() as one:
        with at(one) as asker:
            url = one.at("/a", replying("200 OK", b"here"))
            await asker.get(
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
    async with Lying() as one:
        with at(one) as asker:
            url = one.at("/a", replying("200 OK", b"here"))
            with pytest.raises(DownloadError):
                await asker.get(url, headers={"X": value})
            with pytest.raises(DownloadError):
                await asker.get(url, referer=value)
            assert all("x-evil" not in request.names() for request in one.requests)


async def test_a_url_is_sent_as_it_is() -> None:
    async with Lying() as one:
        with at(one) as asker:
            path = "/a%2Fb/%7Euser/caf%C3%A9;x=1"
            query = "?sig=a%2Bb+c==&e=%20&q=[1]"
            one.at(path, replying("200 OK", b"here"))
            assert await asker.get(one.url(path) + query + "#fragment") == b"here"
            assert one.requests[0].path == path + query


# --- where answers send us ---


async def test_ten_redirects_are_followed_and_no_more() -> None:
    async with Lying() as one:
        for number in range(MOST_REDIRECTS + 1):
            one.at(f"/{number}", redirecting(f"/{number + 1}"))
        one.at(f"/{MOST_REDIRECTS + 1}", replying("200 OK", b"here"))
        with at(one) as asker:
            assert await asker.get(one.url("/1")) == b"here"
            assert (await asker.fail(one.url("/0"))).code == "too_many_redirects"
            assert (await asker.fail(one.at("/loop", redirecting("/loop")))).code == (
                "too_many_redirects"
            )
        assert len(one.asked("/loop")) == MOST_REDIRECTS + 1


@pytest.mark.parametrize("status", ["300 Many", "301 x", "302 x", "303 x", "307 x", "308 x"])
async def test_every_redirect_is_one(status: str) -> None:
    async with Lying() as one:
        one.at("/b", replying("200 OK", b"here"))
        with at(one) as asker:
            came = await asker.answer(
                one.at("/a", redirecting("/b", status)), {"Range": "bytes=1-"}
            )
        assert (came.head.url, came.body) == (one.url("/b"), b"here")
        assert [request.header("Range") for request in one.requests] == ["bytes=1-"] * 2


async def test_a_place_that_is_none_is_refused() -> None:
    async with Lying() as one:
        with at(one) as asker:
            nowhere = await asker.fail(one.at("/a", replying("302 Found")))
            assert (nowhere.code, nowhere.detail) == (
                "server_error",
                "HTTP 302 without a place to go",
            )
            for location in (
                "ftp://h/x",
                "file:///etc/passwd",
                "gopher://127.0.0.1:1/x",
                "http://",
            ):
                failed = await asker.fail(one.at("/b", redirecting(location)))
                assert failed.code == "bad_url"


@pytest.mark.parametrize(
    "framing", ["Content-Length: 9999999999", "Transfer-Encoding: chunked", "X: y"]
)
async def test_a_redirect_with_a_body_that_never_ends_is_followed_at_once(framing: str) -> None:
    """Nobody reads it, and its connection is given up."""
    gone = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.raw(b"HTTP/1.1 302 Found\r\nLocation: /b\r\n%b\r\n\r\n" % framing.encode())
        try:
            while True:
                await exchange.raw(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await asyncio.sleep(0)
        finally:
            gone.set()

    async with Lying() as one:
        one.at("/b", replying("200 OK", b"here"))
        with at(one, connections_per_host=1) as asker:
            assert await asker.get(one.at("/a", endless)) == b"here"
            async with asyncio.timeout(10):
                await gone.wait()


async def test_a_redirect_with_a_broken_body_is_followed() -> None:
    """What is wrong behind the head of a redirect concerns nobody."""
    async with Lying() as one:
        one.at("/b", replying("200 OK", b"here"))
        head = b"HTTP/1.1 302 Found\r\nLocation: /b\r\n"
        with at(one) as asker:
            for number, rest in enumerate(
                (b"Content-Length: 99\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
            ):
                assert await asker.get(one.at(f"/{number}", saying(head + rest))) == b"here"


async def test_the_environment_of_a_redirect_is_kept_from_the_next_host() -> None:
    """User-Agent and what every request says go everywhere; nothing else does."""
    async with Lying() as one, Lying() as two:
        url = one.at("/a", redirecting(two.at("/b", replying("200 OK", b"here"))))
        with at(one, two) as asker:
            await asker.get(url, headers=SECRETS, user_agent="mine")
        assert two.requests[0].names() == {"host", "user-agent", "accept", "accept-encoding"}
        assert two.requests[0].header("User-Agent") == "mine"
