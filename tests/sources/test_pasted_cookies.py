"""Whatever a person pastes, only the session's cookie comes out of it, and only if it is the site's own."""

from __future__ import annotations

import json

import pytest

from trayagent.sources.pasted_cookies import (
    LONGEST,
    by_domain,
    cookies_in,
    keep_only_sessions,
    session_cookie,
)

NAME = "__Secure-next-auth.session-token"
VALUE = "eyJhbGciOi.Jkkk-_x.y+z/w=="
HOST = "labs.google"
OTHER = "eyJhbGciOi.of-another-site.CANARY"


def row(domain: str, name: str, value: str, *, gap: str = "\t", inside: str = "FALSE") -> str:
    """A line of cookies.txt."""
    return gap.join([domain, inside, "/", "TRUE", "1893456000", name, value]) + "\n"


def exported(name: str, value: str, domain: str = HOST, **more: object) -> dict[str, object]:
    """A cookie as most extensions write it."""
    return {
        "domain": domain, "expirationDate": 1893456000.5, "hostOnly": domain[0] != ".", "httpOnly": True,
        "name": name, "path": "/", "sameSite": "lax", "secure": True, "session": False, "storeId": "0",
        "value": value, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"  {VALUE}\n",
        f'"{VALUE}"',
        f"{VALUE[:9]}\n{VALUE[9:]}",
        f"{NAME}={VALUE}",
        f"SID=zzz\n{NAME}={VALUE}",
        f"Cookie: SID=g.a000; {NAME}={VALUE}; __Secure-1PSID=zzz",
        f"cookie:a=b;{NAME}={VALUE}",
        f"Cookie: SID=g.a000; {NAME}={VALUE[:9]}\n  {VALUE[9:]}; a=b\n",
        f"GET /fx HTTP/1.1\r\nHost: {HOST}\r\nCookie: a=b; {NAME}={VALUE}\r\nAccept: */*\r\n",
        f"cookie:\na=b; {NAME}={VALUE}\ndnt:\n1",
        f"-H 'cookie: a=b; {NAME}={VALUE}'",
        f"-b '{NAME}={VALUE}; a=b'",
        f"--cookie={NAME}={VALUE}",
        f"curl 'https://{HOST}/fx?u=1' \\\n  -H 'accept: */*' \\\n  -b 'a=b; {NAME}={VALUE}' \\\n  --compressed",
        f"curl 'https://{HOST}/fx' -H 'cookie: a=b; {NAME}={VALUE}' -H 'cache-control: max-age=0'",
        f"curl 'https://{HOST}/fx' -b $'a=b\\u0021; {NAME}={VALUE}'",
        f'curl ^"https://{HOST}/fx^" ^\r\n  -b ^"a=b^%^20c; {NAME}={VALUE}^" ^\r\n  --compressed',
        f"wget --header='Cookie: a=b; {NAME}={VALUE}' https://{HOST}/fx",
        f'fetch("https://{HOST}/fx", {{"headers": {{"dnt": "1", "cookie": "a=\\"b\\"; {NAME}={VALUE}"}}}});',
        f'$session.Cookies.Add((New-Object System.Net.Cookie("{NAME}", "{VALUE}", "/", "{HOST}")))',
        f"next-auth.session-token={VALUE}",
        f"{NAME}.1={VALUE[5:]}; {NAME}.0={VALUE[:5]}",
        f"# Netscape HTTP Cookie File\n\n{row('.google.com', 'SID', 'zzz')}#HttpOnly_{row(HOST, NAME, VALUE)}",
        row("#HttpOnly_" + HOST, NAME, VALUE, gap="    "),
        row(HOST, "empty", "", gap=" ") + row(HOST, NAME, VALUE, gap=" ").replace("\n", "\r\n"),
        row(".google", NAME, VALUE, inside="TRUE"),
        json.dumps([exported("SID", "zzz", ".google.com"), exported(NAME, VALUE)], indent=4),
        json.dumps([{"name": "SID", "value": "zzz"}, {"name": NAME, "value": VALUE, "domain": "labs.google"}]),
        json.dumps({"cookies": [{"name": NAME, "value": VALUE}]}),
        json.dumps({"cookies": [exported(NAME, VALUE, expires=-1)], "origins": [{"origin": "https://x"}]}),
        json.dumps({"url": f"https://{HOST}", "cookies": [{"name": NAME, "value": VALUE}]}),
        json.dumps([{"Host raw": f"https://{HOST}/", "Name raw": NAME, "Path raw": "/", "Content raw": VALUE}]),
        json.dumps({HOST: {"/": {NAME: {"key": NAME, "value": VALUE}}}}),
        json.dumps({NAME: {"value": VALUE, "path": "/"}}),
        json.dumps({f"https://{HOST}": {"SID": "zzz", NAME: VALUE}}),
        json.dumps({"headers": [{"name": "Cookie", "value": f"a=b; {NAME}={VALUE}"}]}),
        json.dumps({NAME: VALUE}),
        json.dumps(exported("a", "b")) + "\n" + json.dumps(exported(NAME, VALUE)) + "\n",
    ],
)  # fmt: skip
def test_the_session_is_found(text: str) -> None:
    assert session_cookie(text, HOST) == VALUE
    assert session_cookie("\ufeff" + text, HOST) == VALUE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "SID=only; HSID=others",
        '[{"name":"SID","value":"zzz"}]',
        "[broken",
        "{" * 5000,
        "[" * 200_000,
        f"{NAME}=",
        "two words here; no",
        "a\x00bcdefgh",
        f"curl 'https://{HOST}/fx' -b '{NAME}={VALUE}",
        pytest.param("a" * (LONGEST + 1), id="a text without end"),
        pytest.param(f"{NAME}.{'9' * 5000}={VALUE}", id="a number without end"),
    ],
)
def test_nothing_else_is_taken(text: str) -> None:
    if text.startswith("curl"):  # its quote has no end: what can be read is read
        assert session_cookie(text, HOST) in {None, VALUE}
    else:
        assert session_cookie(text, HOST) is None


FOREIGN = (
    "elsewhere.example",
    ".elsewhere.example",
    "xlabs.google",
    "app.labs.google",
    "google.labs",
)


@pytest.mark.parametrize("domain", FOREIGN)
@pytest.mark.parametrize("own_first", [True, False])
def test_a_cookie_of_another_site_is_not_the_sites(domain: str, own_first: bool) -> None:
    """A browser's export has the same name for many sites: NextAuth is a library."""
    bare = domain.lstrip(".")
    inside = "TRUE" if domain != bare else "FALSE"
    texts = [
        (row(HOST, NAME, VALUE), row(domain, NAME, OTHER, inside=inside)),
        (row(HOST, NAME, VALUE, gap="  "), row(domain, NAME, OTHER, inside=inside, gap="  ")),
    ]
    for own, foreign in texts:
        text = own + foreign if own_first else foreign + own
        assert session_cookie(text, HOST) == VALUE
        assert session_cookie(foreign, HOST) is None
    objects = [exported(NAME, VALUE), exported(NAME, OTHER, domain)][:: 1 if own_first else -1]
    assert session_cookie(json.dumps(objects), HOST) == VALUE
    for foreign in (
        json.dumps([exported(NAME, OTHER, domain)]),
        json.dumps({"url": f"https://{bare}/", "cookies": [{"name": NAME, "value": OTHER}]}),
        json.dumps({bare: {NAME: OTHER}}),
        json.dumps([{"Host raw": f"https://{domain}/", "Name raw": NAME, "Content raw": OTHER}]),
        f"curl 'https://{bare}/' -b '{NAME}={OTHER}'",
        f'fetch("https://{bare}/a", {{"headers": {{"cookie": "{NAME}={OTHER}"}}}})',
        f'New-Object System.Net.Cookie("{NAME}", "{OTHER}", "/", "{domain}")',
        f"Host: {bare}\nCookie: {NAME}={OTHER}",
    ):
        assert session_cookie(foreign, HOST) is None


def test_chunks_of_two_sites_are_not_mixed() -> None:
    own = [(f"{NAME}.0", VALUE[:5]), (f"{NAME}.1", VALUE[5:])]
    others = [(f"{NAME}.{n}", OTHER) for n in range(4)]
    rows = [row(HOST, *cookie) for cookie in own] + [row("x.example", *cookie) for cookie in others]
    assert session_cookie("".join(rows), HOST) == VALUE
    assert session_cookie("".join(reversed(rows)), HOST) == VALUE
    assert session_cookie("".join(rows), "y.example") is None


def test_the_closest_domain_counts() -> None:
    rows = row(HOST, NAME, VALUE) + row(".google", NAME, OTHER, inside="TRUE")
    assert session_cookie(rows, HOST) == VALUE


def test_a_parents_cookie_for_itself_alone_is_not_its_childs() -> None:
    assert session_cookie(row("google", NAME, VALUE), HOST) is None
    assert (
        session_cookie(json.dumps([exported(NAME, VALUE, ".google", hostOnly=True)]), HOST) is None
    )


def test_an_address_has_no_subdomains() -> None:
    text = row(".0.0.1", NAME, VALUE, inside="TRUE")
    assert session_cookie(text, "127.0.0.1") is None
    assert session_cookie(row("127.0.0.1", NAME, VALUE), "127.0.0.1") == VALUE


def test_chunks_are_joined_by_number() -> None:
    chunks = {10: "last-one", 9: "b" * 9, 0: "first-"}
    text = json.dumps([{"name": f"{NAME}.{n}", "value": value} for n, value in chunks.items()])
    assert session_cookie(text, HOST) == "first-" + "b" * 9 + "last-one"


@pytest.mark.parametrize(
    "text",
    [
        " " * 100_000 + "x",
        "a" + " " * 100_000 + "x",
        "a" + "\n" * 100_000 + "x",
        "a\t" * 100_000,
        "cookie" * 100_000,
        '"cookie":' * 50_000,
        'Cookie("a",' * 50_000,
        "curl " + "-b " * 50_000,
        "-H '" * 50_000,
        "[" * 99_999 + "]" * 99_999,
    ],
    ids=range(10),
)
@pytest.mark.timeout(20)
def test_no_text_keeps_anybody_waiting(text: str) -> None:
    assert session_cookie(text, HOST) is None


def test_a_whole_browsers_export_can_be_cut_to_its_sessions() -> None:
    others = [exported(f"c{n}", "CANARY" * 50, f".s{n}.example") for n in range(2000)]
    text = json.dumps([*others, exported(NAME, OTHER, ".x.example"), exported(f"{NAME}.0", VALUE)])
    short = keep_only_sessions(text)
    assert len(short) < 1000
    assert "CANARY" not in short.replace(OTHER, "")
    assert session_cookie(short, HOST) == session_cookie(text, HOST) == VALUE
    assert session_cookie(short, "a.x.example") == OTHER
    assert keep_only_sessions("SID=1") == ""


def test_all_cookies_of_a_site_are_there() -> None:
    text = row("a.example", "sid", "1") + row(".example", "csrf", "2", inside="TRUE")
    assert list(by_domain(cookies_in(text), "a.example")) == [{"sid": "1"}, {"csrf": "2"}]
    assert "1" not in repr(cookies_in(text))
