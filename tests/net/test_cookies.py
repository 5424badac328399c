"""A jar follows RFC 6265, and where it is stricter nobody is in the way."""

from __future__ import annotations

import pytest

from trayagent.model.downloads import Cookie
from trayagent.net.cookies import MOST, Jar


@pytest.mark.parametrize(
    ("cookie", "url", "sent"),
    [
        (Cookie("a", "1", "h.example"), "http://h.example/", True),
        (Cookie("a", "1", "h.example"), "http://H.example/", True),
        (Cookie("a", "1", "h.example"), "http://sub.h.example/", False),
        (Cookie("a", "1", ".h.example"), "http://sub.h.example/", True),
        (Cookie("a", "1", ".h.example"), "http://h.example/", True),
        (Cookie("a", "1", ".h.example"), "http://evilh.example/", False),
        (Cookie("a", "1", ".1.1.1"), "http://1.1.1.1/", False),
        (Cookie("a", "1", "h.example", "/x"), "http://h.example/x/y", True),
        (Cookie("a", "1", "h.example", "/x"), "http://h.example/xy", False),
        (Cookie("a", "1", "h.example", "/", secure=True), "http://h.example/", False),
        (Cookie("a", "1", "h.example", "/", secure=True), "https://h.example/", True),
        (Cookie("a", "1", "127.0.0.1"), "http://127.0.0.1:8080/", True),
    ],
)
def test_a_cookie_goes_where_it_may(cookie: Cookie, url: str, sent: bool) -> None:
    assert Jar([cookie]).header(url) == ("a=1" if sent else "")


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("a=1", True),
        ("a=1; Domain=h.example", True),
        ("a=1; Domain=.example", False),
        ("a=1; Domain=example", False),
        ("a=1; Domain=other.example", False),
        ("a=1; Domain=s.h.example", False),
        ("a=1; Max-Age=0", False),
        ("a=1; Max-Age=00", False),
        ("a=1; Max-Age=60", True),
        ("a=1; Max-Age=--1", True),
        ("a=1; Max-Age=²", True),
        pytest.param("a=1; Max-Age=" + "9" * 5000, True, id="an age without end"),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("a=1; Expires=Thursday, 01-Jan-70 00:00:01 GMT", False),
        ("a=1; expires=Fri, 31 Dec 9999 23:59:59 GMT", True),
        ("a=1; Expires=0", True),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", True),
        ("a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Max-Age=0", False),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=soon", False),
        ("a", False),
        ("=1", False),
        ("a=1; Path=/other", False),
        ("a=\x01; Path=/", False),
    ],
)
def test_a_server_sets_only_its_own(header: str, kept: bool) -> None:
    jar = Jar()
    jar.take("http://h.example/", [header])
    assert bool(jar.header("http://h.example/")) is kept


@pytest.mark.parametrize(
    ("header", "scheme", "kept"),
    [
        ("__Secure-a=1; Secure; Path=/", "https", True),
        ("__Secure-a=1; Secure; Path=/x; Domain=h.example", "https", True),
        ("__secure-a=1; Path=/", "https", False),
        ("__Secure-a=1; Secure", "http", False),
        ("__Host-a=1; Secure; Path=/", "https", True),
        ("__HOST-a=1; Path=/", "https", False),
        ("__Host-a=1; Secure; Path=/", "http", False),
        ("__Host-a=1; Secure", "https", False),
        ("__Host-a=1; Secure; Path=/x", "https", False),
        ("__Host-a=1; Secure; Path=/; Domain=h.example", "https", False),
    ],
)
def test_a_cookie_whose_name_says_how_it_was_set_was_set_so(
    header: str, scheme: str, kept: bool
) -> None:
    jar = Jar()
    jar.take(f"{scheme}://h.example/x", [header])
    assert repr(jar) == f"<Jar of {int(kept)} cookies>"


def test_what_came_over_tls_never_leaves_without_it() -> None:
    jar = Jar()
    jar.take("https://h.example/", ["a=1; Path=/"])
    assert jar.header("https://h.example/") == "a=1"
    assert jar.header("http://h.example/") == ""


@pytest.mark.parametrize(
    ("header", "url", "sent"),
    [
        ("a=1", "http://h.example/x/z", True),
        ("a=1", "http://h.example/", False),
        ("a=1", "http://sub.h.example/x/z", False),
        ("a=1; Domain=h.example", "http://sub.h.example/x/z", True),
        ("a=1; Path=/", "http://h.example/", True),
        ("a=1; Secure", "http://h.example/x/z", False),
        ("a=1; Secure", "https://h.example/x/z", True),
    ],
)
def test_a_cookie_that_a_server_set_goes_no_further_than_it_said(
    header: str, url: str, sent: bool
) -> None:
    """Without a domain to its host alone, without a path to the folder it came from (RFC 6265 §5.3)."""
    jar = Jar()
    jar.take("http://h.example/x/y", [header])
    assert jar.header(url) == ("a=1" if sent else "")


def test_a_later_cookie_replaces_and_removes() -> None:
    jar = Jar([Cookie("a", "1", "h.example")])
    jar.take("http://h.example/x", ["a=2; Path=/"])
    assert jar.header("http://h.example/") == "a=2"
    jar.take("http://h.example/x", ["a=; Path=/; Max-Age=-1"])
    assert jar.header("http://h.example/") == ""


def test_longer_paths_come_first() -> None:
    jar = Jar([Cookie("a", "1", "h.example"), Cookie("b", "2", "h.example", "/x")])
    assert jar.header("http://h.example/x") == "b=2; a=1"


def test_a_jar_does_not_grow_without_end() -> None:
    jar = Jar()
    jar.take("http://h.example/", [f"c{n}=1" for n in range(3 * MOST)])
    assert repr(jar) == f"<Jar of {MOST} cookies>"
