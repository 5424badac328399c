"""Only usable http(s) URLs enter, two spellings of one URL are one, and what is shown holds no secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model import urls
from trayagent.model.errors import DownloadError

REFUSED = [
    "file:///etc/passwd",
    "ftp://h/x",
    "data:text/plain,x",
    "javascript:alert(1)",
    "blob:https://h/x",
    "chrome://settings",
    "\\\\srv\\x",
    "http:/x",
    "http:///x",
    "//h/x",
    "/x",
    "http://h:0/",
    "http://h:99999/",
    "http://h:x/",
    "http://h/" + "a" * 65536,
    "http://h/a b",
    "http://h/a\tb",
    "http://h/\r\nX: y",
    "http://h/\x00",
    "http://h/a\x7fb",
    "http://h/a\x9bb",
    "http://h/a\u2028b",
    "http://h/a\u00a0b",
    "http://h\\@evil/",
    "http://\u0430pple.com/",
    "http://\u0430\u0440\u0440\u04cf\u0435.com/",
    "http://h\u2044x/",
    "http://[::1",
    "http://[::1%25lo]/",
    "http://1.2.3.4.5/",
    "http://256.256.256.256/",
    "http://a..b/",
    "http://user@/",
    "",
    "not a url",
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        urls.check(url)
    assert caught.value.code == "bad_url"


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("  http://h/x\r\n", "http://h/x"),
        ("\ufeff\u200bhttp://h/x\u200b\u00a0", "http://h/x"),
        ("HTTPS://Example.COM:443/Path?Q=1#F", "https://example.com/Path?Q=1#F"),
        ("http://münchen.de/ä", "http://xn--mnchen-3ya.de/ä"),
        ("http://straße.de/", "http://xn--strae-oqa.de/"),
        ("http://пример.рф/", "http://xn--e1afmkfd.xn--p1ai/"),
        ("http://例え。jp/", "http://xn--r8jz45g.jp/"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://user:pw@H/x", "http://user:pw@h/x"),
    ],
)
def test_a_good_url_is_cleaned(url: str, cleaned: str) -> None:
    assert urls.check(url) == cleaned


def test_a_long_signed_url_is_taken() -> None:
    assert urls.check("https://h/v.mp4?sig=" + "a" * 8000)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://H/x", "http://h/x"),
        ("http://h:80/x", "http://h/x"),
        ("https://h:443/x", "https://h/x"),
        ("http://h/x#a", "http://h/x#b"),
        ("http://h", "http://h/"),
        ("http://a:b@h/x", "http://h/x"),
        ("http://h./x", "http://h/x"),
    ],
)
def test_spellings_of_one_url_are_one(one: str, other: str) -> None:
    assert urls.normalise(one) == urls.normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/x", "https://h/x"),
        ("http://h/x", "http://h/X"),
        ("http://h/x?a=1&b=2", "http://h/x?b=2&a=1"),
        ("http://h/%41", "http://h/A"),
        ("http://h/x/", "http://h/x"),
        ("http://h:81/x", "http://h/x"),
    ],
)
def test_everything_else_of_a_url_counts(one: str, other: str) -> None:
    assert urls.normalise(one) != urls.normalise(other)


def test_the_origin_and_authority_of_a_url() -> None:
    assert urls.origin("HTTPS://H/x") == ("https", "h", 443)
    assert urls.authority("http://u:p@h/x") == "h:80"
    assert urls.authority("https://[::1]/x") == "[::1]:443"


def test_user_and_password_are_set_apart() -> None:
    assert urls.split_userinfo("http://a%40b:c%3Ad@h/x") == ("http://h/x", "a@b", "c:d")
    assert urls.split_userinfo("http://a@h/x") == ("http://h/x", "a", None)
    assert urls.split_userinfo("http://h/x") == ("http://h/x", None, None)


@given(st.text())
def test_what_is_shown_never_fails_and_holds_no_query(text: str) -> None:
    shown = urls.redact(f"https://user:secret@h/{text}?token=secret#secret")
    assert "secret" not in shown.replace(text, "")
    assert "?" not in shown
    assert "#" not in shown
    urls.redact(text)


def test_what_is_shown_of_a_synced_item_is_its_name() -> None:
    assert urls.redact("flow:some/name") == "flow:some/name"
    assert urls.redact("https://u:p@h:8080/a/b.mp4?sig=x") == "https://h:8080/a/b.mp4"
    assert urls.redact("https://h/a#token=x") == "https://h/a"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/y", "http://h/y"),
        ("y?q#f", "http://h/d/y?q"),
        ("//other/y", "http://other/y"),
        ("https://other/y", "https://other/y"),
        ("?q", "http://h/d/x?q"),
        ("/a b", "http://h/a%20b"),
        ("/\udcc3\udca9", "http://h/%C3%A9"),
        ("/é", "http://h/%C3%A9"),
        ("/a%20b?x=%2F&y=[1]", "http://h/a%20b?x=%2F&y=[1]"),
        ("http://münchen.de/x", "http://xn--mnchen-3ya.de/x"),
        ("../../../etc", "http://h/etc"),
        # As curl and browsers take them.
        ("http:/other.example/y", "http://other.example/y"),
        ("http:///other.example/y", "http://other.example/y"),
        ("HTTPS:////other.example/y?a=/b", "https://other.example/y?a=/b"),
        ("http:/127.0.0.1:81/y", "http://127.0.0.1:81/y"),
        ("http:/nas:81/y", "http://nas:81/y"),
        ("http:///localhost", "http://localhost"),
        ("https:/[::1]:8080/y", "https://[::1]:8080/y"),
        ("/r?to=http:/other.example/", "http://h/r?to=http:/other.example/"),
        ("\\y", "http://h/y"),
        ("\\y\\z", "http://h/y\\z"),
    ],
)
def test_a_redirect_is_resolved(location: str, target: str) -> None:
    assert urls.resolve("http://h/d/x", location) == target


@pytest.mark.parametrize(
    "location",
    [
        *("", " ", "file:///etc/passwd", "ftp://h/", "data:x", "javascript:x", "\\\\host\\share"),
        *("/\\host/x", "http:///x", "http:x", "https:/x", "//", "//[", "http://h\r\nX: y/"),
        *(
            "\\/host/x",
            "///host.example/x",
            "http:/",
            "http:///",
            "http:/user@host.example/x",
            "http:\\\\h.example/x",
        ),
    ],
)
def test_a_redirect_to_nowhere_is_refused(location: str) -> None:
    with pytest.raises(DownloadError):
        urls.resolve("http://h/d/x", location)


@given(st.text(), st.text(alphabet="/\\:?#[]@.%htp0123456789 \r\n\u3002"))
def test_odd_input_is_refused_or_stays_as_cleaned(text: str, punctuation: str) -> None:
    for url in (text, f"http://{punctuation}", f"http://{text}", f"http://h/{text}"):
        try:
            cleaned = urls.check(url)
        except DownloadError:
            continue
        assert urls.check(cleaned) == cleaned
        assert urls.normalise(urls.normalise(url)) == urls.normalise(url)


@given(st.text(), st.text(alphabet="/\\:?#[]@.%htp0123456789 \r\n"))
def test_odd_redirects_are_refused_or_lead_to_the_web(text: str, punctuation: str) -> None:
    for location in (text, punctuation, "http://" + punctuation):
        try:
            target = urls.resolve("https://h/x", location)
        except DownloadError:
            continue
        assert target.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    "url",
    [
        "http://Example.com",
        "https://h:443/a?b#c",
        "http://h:8080/%41?x=1",
        "http://[::1]:80/x",
        "http://[::1]/",
    ],
)
def test_the_identity_of_a_checked_url_is_that_of_any(url: str) -> None:
    """The quick way for checked URLs gives what `normalise` and `authority` give."""
    assert urls.identity(urls.check(url)) == (urls.normalise(url), urls.authority(url))


SIGNED = [
    "oh=00_Af&oe=6576D61D",
    "x-expires=1&x-signature=a",
    "auth_key=1-2-3-4",
    "ex=65&is=64&hm=ab",
    "se=2020&sig=a",
    "X-Amz-Expires=60&X-Amz-Signature=a",
    "Expires=1&Signature=a&Key-Pair-Id=b",
    "X-Goog-Expires=60",
    "q-sign-algorithm=sha1&q-sign-time=1;2",
    "txSecret=a&txTime=5F",
    "wsSecret=a&wsTime=5F",
    "upsig=a&deadline=1",
    "expire=1&sparams=x&sig=a",
    "st=abc&e=1700000000",
    "e=1700000000&ri=1024&rs=85&h=abc",
    "nvb=20240101&nva=20240102&hash=abc",
    "temp_url_sig=a&temp_url_expires=1",
    "hdnts=exp=1~acl=*~hmac=a",
]


@pytest.mark.parametrize("query", SIGNED)
def test_a_signed_link_that_is_refused_has_expired(query: str) -> None:
    for status in (401, 403, 410):
        assert urls.looks_expired(f"https://h/a.mp4?w=1&{query}", status)
    for status in (200, 206, 302, 404, 429, 500, 503):
        expected = status == 404 and query.startswith("ex=")
        assert urls.looks_expired(f"https://h/a.mp4?w=1&{query}", status) is expected


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://h/a.mp4",
            "https://h/a.mp4?page=2",
            "https://h/a.mp4?oe=1",
            "https://h/a?e=1",
            "https://h/a?is=1&hm=2",
        ),
        *("https://h/a#sig=1", "https://h/sig=1/a", "https://h/export=1/a", "https://h/a?q=sig"),
    ],
)
def test_a_plain_link_that_is_refused_has_not_expired(url: str) -> None:
    assert not any(urls.looks_expired(url, status) for status in range(200, 600))


def test_a_token_in_the_path_and_an_ended_session_count() -> None:
    assert urls.looks_expired("https://h/exp=1700000000~acl=%2F*~hmac=ab/v/a.mp4", 403)
    assert urls.looks_expired("https://h/a?X-Amz-Security-Token=x&X-Amz-Signature=y", 400)
    assert not urls.looks_expired("https://h/a?signature=y", 400)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("http://h/a b  c.mp4?q=d e", "http://h/a%20b%20%20c.mp4?q=d%20e"),
        ("http://h/Artist - Song.mp3", "http://h/Artist%20-%20Song.mp3"),
        ("http://h/a%20b", "http://h/a%20b"),
        (' "http://h/a b" ', "http://h/a%20b"),
        ("<http://h/a>", "http://h/a"),
        ("http://h/a.mp4   # the first", "http://h/a.mp4"),
        ("http://h/a b #1", "http://h/a%20b"),
        ("http://h/a.mp4#t=1", "http://h/a.mp4#t=1"),
        # What follows is no part of the link.
        *(
            (text, text)
            for text in (
                *("http://h/a http://h/b", 'http://h/a "http://h/b"', "http://h/a.mp4 out=b.mp4"),
                *("http://h/a --out=b", "http://h/a -o b", "not a link", "ftp://h/a b"),
            )
        ),
    ],
)
def test_a_pasted_link_is_made_one(text: str, link: str) -> None:
    assert urls.unpaste(text) == link


def test_several_addresses_in_one_are_told() -> None:
    with pytest.raises(DownloadError, match="several addresses"):
        urls.check("http://h/a http://h/b")
    with pytest.raises(DownloadError, match="behind other words"):
        urls.check("My film: http://h/b")
