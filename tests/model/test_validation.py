"""What may enter is decided once for every way in, and nothing that enters carries a secret where all can see."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given

from tests.lists import strategies
from trayagent.model.downloads import Cookie, Item
from trayagent.model.errors import TrayagentError
from trayagent.model.validation import mend, validate
from trayagent.net.cookies import Jar

URL = "http://h/a"


def refusal(**fields: Any) -> str:
    with pytest.raises(TrayagentError) as caught:
        validate(Item(**{"url": URL, **fields}))
    return caught.value.code


def test_an_item_becomes_a_new_download() -> None:
    new = validate(Item("HTTP://H:80/a?b#c", filename="x", paused=True, next=True, again=True))
    assert (new.key, new.host) == ("http://h/a?b", "h:80")
    assert new.order.filename == "x"
    assert (new.paused, new.urgent, new.again) == (True, True, True)


def test_user_and_password_become_a_secret_header() -> None:
    new = validate(Item("http://me:p%3A%C3%A4@h/a"))
    assert new.url == new.key == "http://h/a"
    basic = "Basic " + base64.b64encode("me:p:ä".encode()).decode()
    assert new.secrets.headers == {"Authorization": basic}


def test_an_own_authorization_header_is_kept() -> None:
    new = validate(Item("http://me:pw@h/a", headers={"authorization": "Bearer x"}))
    assert new.secrets.headers == {"authorization": "Bearer x"}


def test_no_secret_lies_in_what_the_database_keeps() -> None:
    new = validate(
        Item(
            "http://me:CANARY@h/a",
            headers={"X-Key": "CANARY"},
            cookies=(Cookie("a", "CANARY", "h"),),
        )
    )
    assert "CANARY" not in msgspec.json.encode(new.order).decode() + new.url + new.key
    assert "CANARY" not in repr(new.secrets)


@pytest.mark.parametrize("written", [{}, {"domain": None}, {"domain": ""}, {"domain": " "}])
def test_a_cookie_without_a_domain_is_for_the_host_of_its_link_alone(
    written: dict[str, str | None],
) -> None:
    """Fixed when it enters: a fresh link on another host, a mirror or a redirect gets nothing of it."""
    link = "https://Me:pw@Files.B\u00fccher.example:8443/a"
    cookies = [{"name": "sid", "value": "1", **written}, {"name": "b", "value": "2", "domain": "h"}]
    item = msgspec.convert({"url": link, "cookies": cookies}, Item)
    own, other = validate(item).secrets.cookies
    assert (own.domain, other.domain) == ("files.xn--bcher-kva.example", "h")
    jar = Jar([own])
    assert jar.header("https://files.xn--bcher-kva.example:8443/a") == "sid=1"
    assert jar.header("https://sub.files.xn--bcher-kva.example/a") == ""
    assert jar.header("https://b.example/a") == ""


def test_a_cookie_that_was_given_no_host_goes_nowhere() -> None:
    assert Jar([Cookie("sid", "1"), Cookie("a", "2", "")]).header("http://h/") == ""


@pytest.mark.parametrize("field", ["mirrors", "referer", "page_url"])
def test_a_password_elsewhere_is_refused(field: str) -> None:
    url = "http://me:pw@h/b"
    assert refusal(**{field: (url,) if field == "mirrors" else url}) == "bad_item"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "", "http://h/a b", "http://[", "x" * 70000])
def test_a_bad_url_is_refused_wherever_it_stands(url: str) -> None:
    assert refusal(url=url) == "bad_url"
    assert refusal(mirrors=(URL, url)) == "bad_url"
    if len(url) < 16384:
        assert refusal(referer=url) == "bad_url"
        assert refusal(page_url=url) == "bad_url"


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\x00b", "x" * 65536, "☂", "a\x7fb"])
def test_nothing_enters_that_could_break_a_header(text: str) -> None:
    assert refusal(headers={"X-A": text}) == "bad_item"
    assert refusal(user_agent=text) == "bad_item"
    if text != "☂":  # a referer is an address, and its letters are percent-encoded
        assert refusal(referer=f"http://h/{text}") in {"bad_item", "bad_url"}
    if len(text) < 100:
        assert refusal(headers={f"X{text}": "a"}) == "bad_item"
        assert refusal(cookies=(Cookie("a", text, "h"),)) == "bad_item"
        assert refusal(cookies=(Cookie(text, "a", "h"),)) == "bad_item"


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Range", "If-Range", "TE", "Expect", "", "a b", "a:"]
)
def test_headers_that_are_ours_are_refused(name: str) -> None:
    assert refusal(headers={name: "x"}) == "bad_item"


@pytest.mark.parametrize(
    "place", ["..", "../x", "a/../../b", "..\\x", "/etc/x", "\\x\\y", "C:\\x\\y"]
)
def test_places_outside_are_refused(place: str) -> None:
    assert refusal(folder=place) == "bad_item"
    assert refusal(filename=place) == "bad_item"


@pytest.mark.parametrize(
    "folder",
    ["~", "~/x", "~root", "C:", "C:x", "c: x", " /etc", "\t..", "a/.. ", "a\0b", "//srv/x"],
)
def test_a_folder_that_no_file_could_go_to_is_refused_before_it_waits(folder: str) -> None:
    assert refusal(folder=folder) == "bad_item"


@pytest.mark.parametrize("folder", ["", ".", "a/~", "Show: one", "a~b", "con", "..."])
def test_a_folder_whose_name_can_be_made_safe_enters(folder: str) -> None:
    assert validate(Item(URL, folder=folder)).order.folder == folder


@pytest.mark.parametrize(
    "checksum", ["sha-256=ab", "sha-256=" + "a" * 63, "crc=aa", "=", "md5=" + "a" * 64]
)
def test_a_checksum_that_can_never_match_is_refused(checksum: str) -> None:
    assert refusal(checksum=checksum) == "bad_item"


def test_a_speed_limit_that_is_none_is_refused() -> None:
    assert refusal(speed_limit="fast") == "bad_item"


@pytest.mark.parametrize("quality", ["best", "worst", "audio", "1080", "720p"])
def test_a_quality_is_a_word_or_a_height(quality: str) -> None:
    order = validate(Item("https://e.example/a", quality=quality, subtitles=("en", "pt-BR"))).order

    assert (order.quality, order.subtitles) == (quality, ("en", "pt-BR"))


@pytest.mark.parametrize("quality", ["", "bestvideo+bestaudio", "best/worst", "99999"])
def test_another_quality_is_refused(quality: str) -> None:
    assert refusal(quality=quality) == "bad_item"


@pytest.mark.parametrize("language", ["", ".*", "en,de", "-en", "english!"])
def test_subtitles_are_languages(language: str) -> None:
    assert refusal(subtitles=(language,)) == "bad_item"


@given(strategies.items())
def test_what_is_usual_enters(item: Item) -> None:
    sent = "".join([*item.headers.values(), item.user_agent or "", item.referer or ""])
    assume(sent.encode("latin-1", "replace").decode("latin-1") == sent)
    new = validate(item)
    assert new.order.mirrors == item.mirrors
    assert new.secrets.headers == item.headers


def test_what_other_programs_write_into_lists_and_no_request_carries_goes_with_a_warning() -> None:
    headers = {
        "Host": "h",
        "accept-encoding": "gzip",
        "Range": "bytes=0-",
        "a b": "c",
        "Cookie": "k=v",
        "X-Key": "1",
    }
    item, warnings = mend(Item(URL, headers=headers))
    assert item == Item(URL, headers={"Cookie": "k=v", "X-Key": "1"})
    assert len(warnings) == 4
    assert "Host" in warnings[0]
    validate(item)


def test_headers_that_an_item_has_a_field_for_become_it() -> None:
    item, warnings = mend(
        Item(URL, headers={"referer": "http://h/page", "User-Agent": "Mozilla/5.0"})
    )
    assert (item, warnings) == (Item(URL, referer="http://h/page", user_agent="Mozilla/5.0"), ())
    item, _ = mend(Item(URL, referer="http://h/own", headers={"Referer": "http://h/page"}))
    assert item == Item(URL, referer="http://h/own")


@pytest.mark.parametrize(
    "referer",
    [
        *(
            "about:reader?url=https%3A%2F%2Fh%2F",
            "moz-extension://0f2c/popup.html",
            "chrome://newtab",
            "null",
            "-",
        ),
        *("https://h/a b", "file:///home/me/x.html", "http://", "javascript:x"),
    ],
)
def test_a_referer_that_is_no_web_address_goes_with_a_warning(referer: str) -> None:
    for item in (
        Item(URL, referer=referer),
        Item(URL, headers={"Referer": referer}),
        Item(URL, page_url=referer),
    ):
        mended, warnings = mend(item)
        assert mended == Item(URL)
        assert len(warnings) == 1
        assert "left out" in warnings[0]
        validate(mended)


def test_a_good_referer_stays() -> None:
    order = validate(Item(URL, referer="http://h/\u4e2d?a=b")).order
    assert order.referer == "http://h/%E4%B8%AD?a=b"
    assert mend(Item(URL, referer="http://me:pw@h/a"))[0].referer == "http://h/a"


def test_a_link_with_raw_spaces_is_one() -> None:
    assert mend(Item("http://h/a b", mirrors=("http://i/a b",))) == (
        Item("http://h/a%20b", mirrors=("http://i/a%20b",)),
        (),
    )


@given(strategies.items())
def test_what_needs_no_mending_stays_as_it_is(item: Item) -> None:
    assume(
        {name.lower() for name in item.headers}.isdisjoint(
            {"referer", "user-agent", "te", "via", "host"}
        )
    )
    assert mend(item) == (item, ())
