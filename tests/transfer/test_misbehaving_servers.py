"""Whatever a server does, the final name exists exactly when the bytes are complete; else there is a reason."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.patience import patience
from tests.servers.lying import (
    Behaviour,
    Exchange,
    Lying,
    Served,
    in_turn,
    redirecting,
    replying,
    saying,
)
from tests.servers.own_process import unused_port
from tests.transfer.rig import QUICK, mp4, noise, transferring, until
from trayagent.model.errors import DownloadError
from trayagent.net.refusals import refuse_status
from trayagent.transfer.attempt import Attempt

OK = b"HTTP/1.1 200 OK\r\n"

FAILURES: dict[str, tuple[Behaviour, set[str]]] = {
    "two lengths": (
        saying(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        {"server_error"},
    ),
    "negative length": (saying(OK + b"Content-Length: -5\r\n\r\nhello"), {"server_error"}),
    "length in words": (saying(OK + b"Content-Length: abc\r\n\r\nhello"), {"server_error"}),
    "a length of 5001 digits": (
        saying(OK + b"Content-Length: " + b"0" * 5000 + b"5\r\n\r\nhello"),
        {"server_error"},
    ),
    "cut in the headers": (saying(OK + b"Content-Le"), {"network"}),
    "nothing at all": (saying(b""), {"network"}),
    "another protocol": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), {"server_error"}),
    "broken chunks": (
        saying(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
        {"server_error", "truncated"},
    ),
    "chunks without an end": (
        saying(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        {"truncated"},
    ),
    "empty, its end not told": (saying(OK + b"\r\n"), {"truncated"}),
    "no content": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), {"not_found"}),
    "reset content": (replying("205 Reset Content"), {"not_found"}),
    "not modified": (saying(b"HTTP/1.1 304 Not Modified\r\n\r\n"), {"server_error"}),
    "another protocol offered": (
        saying(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbody"
        ),
        {"server_error", "network"},
    ),
    "a part nobody asked for": (
        replying("206 Partial Content", b"hello", Content_Range="bytes 0-4/10"),
        {"server_error"},
    ),
    "a part that does not say which": (replying("206 Partial Content", b"hello"), {"server_error"}),
    "a whole of parts": (
        replying("206 Partial Content", b"hello", Content_Type="multipart/byteranges; boundary=x"),
        {"server_error"},
    ),
    "a part that calls itself the whole": (
        replying("200 OK", b"hello", Content_Range="bytes 0-4/5000"),
        {"truncated"},
    ),
    "not yet": (replying("202 Accepted", b"soon"), {"server_error"}),
    "a report on several": (replying("207 Multi-Status", b"<multistatus/>"), {"server_error"}),
    "a difference nobody asked for": (replying("226 IM Used", b"hello"), {"server_error"}),
    "a megabyte of one header": (
        saying(OK + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n"),
        {"server_error", "network"},
    ),
    "a hundred thousand headers": (
        saying(OK + b"".join(b"X-%d: x\r\n" % n for n in range(100_000)) + b"\r\n"),
        {"server_error", "network"},
    ),
    "unauthorised": (replying("401 Unauthorized", b"no"), {"needs_login"}),
    "forbidden": (replying("403 Forbidden", b"no"), {"forbidden"}),
    "not found": (replying("404 Not Found", b"no"), {"not_found"}),
    "gone": (replying("410 Gone", b"no"), {"not_found"}),
    "too early": (replying("408 Request Timeout", b"no"), {"timeout"}),
    "teapot": (replying("418 Teapot", b"no"), {"forbidden"}),
    "internal error": (replying("500 Oops", b"no"), {"server_error"}),
    "bad gateway": (replying("502 Bad Gateway", b"no"), {"server_error"}),
    "busy": (replying("503 Busy", b"no"), {"server_busy"}),
    "too many requests": (replying("429 Slow down", b"no", Retry_After="5"), {"server_busy"}),
    "redirect without a place": (replying("302 Found", b"moved"), {"server_error"}),
    "choices without a place": (replying("300 Multiple Choices", b"choose"), {"server_error"}),
    "to itself": (redirecting("/x.bin"), {"too_many_redirects"}),
    "to a file": (redirecting("file:///etc/passwd"), {"bad_url"}),
    "to ftp": (redirecting("ftp://127.0.0.1/x"), {"bad_url"}),
    "to data": (redirecting("data:text/plain,hello"), {"bad_url"}),
    "to a script": (redirecting("javascript:alert(1)"), {"bad_url"}),
    "to a share": (redirecting("\\\\host\\share"), {"bad_url"}),
    "to no host": (redirecting("http:///x"), {"bad_url"}),
    "to nothing": (redirecting(""), {"bad_url"}),
    "to the metadata service": (redirecting("http://169.254.169.254/latest"), {"blocked_address"}),
    "to the local network": (redirecting("http://10.0.0.1/"), {"blocked_address"}),
    "to a number": (redirecting("http://0x7f000001/"), {"blocked_address"}),
    "to another port here": (redirecting("http://127.0.0.1:9/"), {"blocked_address"}),
    "to a private name": (redirecting("http://nas.local/"), {"blocked_address"}),
}


@pytest.mark.parametrize("what", FAILURES)
async def test_a_misbehaving_server_leaves_no_file(tmp_path: Path, what: str) -> None:
    behaviour, codes = FAILURES[what]
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/x.bin", behaviour))
        assert failed.value.code in codes
        assert rig.files() == {}
        assert len(server.requests) <= 11
        if not failed.value.traits.is_retryable:
            assert len(server.asked("/x.bin")) <= 11


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (204, r"\(HTTP 204: an answer without content\)\.$"),
        (206, r"\(HTTP 206: a part of the file instead of all of it\)\.$"),
        (226, r"\(HTTP 226: a changed form"),
        (202, r"\(HTTP 202: the file is not there yet\)\.$"),
        (207, r"\(HTTP 207: a report on several files\)\.$"),
        (304, r"\(HTTP 304: not modified, though"),
    ],
)
def test_an_answer_without_the_file_is_told_in_words(status: int, words: str) -> None:
    """And nobody is advised to keep it as a plain file: there is none."""
    failure = refuse_status(status, "http://h/a.mp4")
    assert re.search(words, failure.message)
    assert "--kind" not in failure.action


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("200 OK", {}),
        ("201 Created", {}),
        ("203 Non-Authoritative Information", {}),
        ("206 Partial Content", {"Content_Range": "bytes 0-1999999/2000000"}),
        ("209 Whatever", {}),
        ("299 Deprecated", {}),
    ],
)
async def test_the_body_of_a_success_is_the_file(
    tmp_path: Path, status: str, told: dict[str, str]
) -> None:
    """As curl, wget and aria2 have it."""
    body = noise(2_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/x.bin", replying(status, body, **told)))
        assert rig.files() == {"x.bin": body}
        assert len(server.requests) == 1


async def test_what_a_proxy_has_changed_is_not_spliced(tmp_path: Path) -> None:
    """It leaves the server's validators as they were, and the next time it may change the file otherwise."""
    first, second = noise(300_000, 1), noise(300_000, 2)
    changed = Served(first, status="203 Changed", cut=[100_000])
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/x.bin", in_turn(changed, Served(second)))
        with pytest.raises(DownloadError):
            await rig.get(url)
        await rig.get(url, path=tmp_path / "x.bin")
        assert rig.files() == {"x.bin": second}
        assert all(request.header("Range") is None for request in server.requests)


async def test_a_file_that_is_being_made_is_asked_for_when_the_server_says(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/x.zip", replying("202 Accepted", b"{}", Retry_After="7"))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.traits.is_retryable
        assert failed.value.retry_after == 7


async def test_the_neighbours_of_a_failing_download_go_on(tmp_path: Path) -> None:
    body = noise(2_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        good = server.at("/good.bin", Served(body))

        async def failing(path: str, behaviour: Behaviour) -> None:
            with pytest.raises(DownloadError):
                await rig.get(server.at(path, behaviour))

        async with asyncio.TaskGroup() as group:
            for n, (behaviour, codes) in enumerate(FAILURES.values()):
                if "server_busy" not in codes:
                    group.create_task(failing(f"/bad{n}", behaviour), name=f"bad {n}")
            for n in range(3):
                group.create_task(rig.get(good), name=f"good {n}")
        assert sorted(rig.files()) == ["good (1).bin", "good (2).bin", "good.bin"]
        assert set(rig.files().values()) == {body}


async def hops(exchange: Exchange) -> None:
    """/hop?n=3 redirects three times, then serves."""
    left = int(exchange.path.partition("=")[2])
    if left:
        await exchange.reply("302 Found", Location=f"/hop?n={left - 1}")
    else:
        await exchange.reply("200 OK", b"here")


async def test_ten_redirects_are_followed_and_eleven_are_not(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/hop", hops)
        await rig.get(url + "?n=10")
        with pytest.raises(DownloadError) as failed:
            await rig.get(url + "?n=11")
        assert failed.value.code == "too_many_redirects"


async def dripping_headers(exchange: Exchange) -> None:
    await exchange.raw(OK)
    while True:
        await exchange.raw(b"X: 1\r\n")
        await asyncio.sleep(0.1)


async def dripping_body(exchange: Exchange) -> None:
    await exchange.head("200 OK", Content_Length=10_000_000)
    await exchange.raw(bytes(exchange.path.count("x") * 1_500_000))
    while True:
        await exchange.raw(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("behaviour", "path", "code"),
    [
        (dripping_headers, "/d", "timeout"),
        (dripping_body, "/d", "stalled"),
        (dripping_body, "/x", "stalled"),
    ],
)
async def test_a_drip_frees_the_worker(
    tmp_path: Path, behaviour: Behaviour, path: str, code: str
) -> None:
    limits = replace(QUICK, first_byte=0.8)
    async with Lying() as server, transferring(tmp_path, server.authority, limits=limits) as rig:
        began = time.monotonic()
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at(path, behaviour))
        assert failed.value.code == code
        assert time.monotonic() - began < patience(3)


async def test_a_slow_but_steady_server_is_waited_for(tmp_path: Path) -> None:
    body = noise(8_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", Served(body, rate=4_000)))
        assert rig.files() == {"f.bin": body}


async def test_interim_answers_are_tolerated(tmp_path: Path) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50
        + b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3
    )
    answer = saying(interim + OK + b"Content-Length: 5\r\n\r\nhello")
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", answer))
        assert rig.files() == {"f.bin": b"hello"}


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><input type=password></body></html>"
ERROR_PAGE = b"<html><body><h1>Oops</h1></body></html>"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (HTML, "text/html", "needs_login"),
        (HTML, "video/mp4", "needs_login"),
        (b"\xef\xbb\xbf \n<!-- x --><!doctype HTML><p>x", "video/mp4", "not_media"),
        (ERROR_PAGE, "text/html", "not_media"),
        (ERROR_PAGE.decode().encode("utf-16"), "text/html", "not_media"),
        (b'{"error": "no such file"}', "application/json", "not_media"),
        (b'{"error": "unauthorized"}', "video/mp4", "needs_login"),
        (
            b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
            "application/xml",
            "not_media",
        ),
        (b"Access denied", "text/plain", "not_media"),
        (HTML.decode().encode("utf-16-le"), "text/html; charset=utf-16le", "needs_login"),
        (HTML.decode().encode("utf-32"), "text/html", "needs_login"),
        (HTML[:60] + b"\0" + HTML[60:], "text/html", "needs_login"),
        ("Datei gel\xf6scht.".encode("latin-1"), "text/plain; charset=iso-8859-1", "not_media"),
        (b"\x7fELF" + bytes(500), "video/mp4", "not_media"),
    ],
)
async def test_an_error_page_is_no_film(tmp_path: Path, body: bytes, kind: str, code: str) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Served(body, kind=kind)
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/film.mp4", served))
        assert failed.value.code == code
        with pytest.raises(DownloadError):
            await rig.get(server.at("/stream", served), kind="video")
        assert rig.files() == {}
        assert rig.told.names == []
        await rig.get(server.at("/page", served))
        assert list(rig.files().values()) == [body]


@pytest.mark.parametrize("before", [b"\n" * 600, b"\xef\xbb\xbf" + b" " * 700, b"\0" * 60_000])
async def test_a_page_behind_white_space_is_waited_for(tmp_path: Path, before: bytes) -> None:
    """Row S29: white space tells nothing, so the look goes on until something comes."""

    async def late(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=len(before) + len(HTML))
        await exchange.raw(before)
        await asyncio.sleep(0.1)
        await exchange.raw(HTML)

    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/film.mp4", late))
        assert failed.value.code == "needs_login"
        assert rig.files() == {}


async def test_a_film_that_begins_with_zeros_comes_whole(tmp_path: Path) -> None:
    """What was looked through is part of it; also where it breaks off within that."""
    body = bytes(100_000) + noise(1000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/film.mp4", Served(body)))
        await rig.get(server.at("/cut.mp4", Served(body, cut=[5000])))
        assert rig.files() == {"film.mp4": body, "cut.mp4": body}


def attached(body: bytes, name: str) -> Served:
    return Served(body, extra={"Content-Disposition": f'attachment; filename="{name}"'})


@pytest.mark.parametrize("body", [HTML, b'{"error": "unauthorized"}'])
async def test_a_name_that_the_server_gives_promises_a_film_too(
    tmp_path: Path, body: bytes
) -> None:
    """Content-Disposition, or where a redirect leads: neither saves a login page as a film."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        named = attached(body, "film.mp4")
        server.at("/real.mp4", Served(body))
        for url in (server.at("/get", named), server.at("/go.php", redirecting("/real.mp4"))):
            with pytest.raises(DownloadError) as failed:
                await rig.get(url)
            assert failed.value.code == "needs_login"
        assert rig.files() == {}
        await rig.get(server.url("/get"), kind="file")
        assert rig.files() == {"film.mp4": body}


async def test_a_name_of_no_medium_promises_none(tmp_path: Path) -> None:
    """A plain file is a plain file, as is one that the user gives such a name."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        server.at("/real", Served(HTML))
        await rig.get(server.at("/get", attached(HTML, "notes.txt")))
        await rig.get(server.at("/go", redirecting("/real")))
        await rig.get(server.at("/saved", attached(HTML, "film.mp4")), filename="saved.txt")
        assert rig.files().keys() == {"notes.txt", "go.html.download", "saved.txt"}


async def test_a_version_at_the_end_of_a_link_is_no_ending(tmp_path: Path) -> None:
    """The link led to one that has an ending, so that one names the file."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        server.at("/tool-1.2.tar.gz", Served(b"\x1f\x8b\x08" + noise(600)))
        await rig.get(server.at("/release/tool-1.2", redirecting("/tool-1.2.tar.gz")))
        assert rig.files().keys() == {"tool-1.2.tar.gz"}


async def test_the_extension_of_an_image_is_the_one_of_its_bytes(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + noise(600)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        assert (await rig.get(server.at("/a.jpg", Served(png)))).path.name == "a.png"
        assert (await rig.get(server.at("/b", Served(mp4(900))), kind="video")).path.name == "b.mp4"


async def test_a_film_under_the_name_of_a_picture_gets_its_own_ending(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/a.gif", Served(mp4(900), kind="video/mp4"))
        assert (await rig.get(url)).path.name == "a.mp4"
        assert (await rig.get(url, kind="image")).path.name == "a (1).mp4"
        assert (await rig.get(url, kind="image", stem="b")).path.name == "b.mp4"


@pytest.mark.parametrize("said", ["5", "-1", "1e9", "garbage", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_a_busy_server_cools_down_for_every_download_from_it(
    tmp_path: Path, said: str
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/a.bin", in_turn(replying("429 Slow", Retry_After=said), Served(b"x" * 9)))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        wait = failed.value.retry_after
        assert wait is not None
        assert (5 <= wait <= 6) if said == "5" else (0 < wait <= 3600)
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/b.bin", Served(b"x" * 9)))
        assert failed.value.code == "server_busy"
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504, 507])
async def test_a_server_that_says_when_to_come_again_is_heard_and_only_for_that_file(
    tmp_path: Path, status: int
) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/a.bin", replying(f"{status} No", Retry_After="70")))
        assert failed.value.traits.is_retryable
        assert failed.value.retry_after == 70
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/b.bin", replying(f"{status} No")))
        assert failed.value.retry_after is None
        await rig.get(server.at("/c.bin", Served(b"x" * 9)))


@pytest.mark.parametrize("status", ["403 Forbidden", "410 Gone"])
async def test_a_signed_link_that_is_refused_has_expired(tmp_path: Path, status: str) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/a.bin", replying(status))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url + "?X-Amz-Signature=CANARY&X-Amz-Expires=60")
        assert failed.value.code == "link_expired"
        assert "CANARY" not in str(failed.value)


@pytest.mark.parametrize(
    "address", [lambda: f"http://127.0.0.1:{unused_port()}/x", lambda: "http://nowhere.invalid/x"]
)
async def test_no_server_is_a_network_failure(tmp_path: Path, address: Callable[[], str]) -> None:
    url = address()
    async with transferring(tmp_path, url.split("/")[2]) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.code == "network"
        assert rig.files() == {}


async def test_a_page_is_told_of_when_somebody_can_make_use_of_it(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/watch", Served(ERROR_PAGE))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, pages=True)
        assert failed.value.found == "html"
        assert rig.files() == {}


LATE_LIES: dict[str, bytes] = {
    "no size": b"zz\r\nhello\r\n",
    "a size without end": b"f" * 40 + b"\r\n",
    "no line in the trailer": b"0\r\nbad trailer line\r\n\r\n",
    "a huge trailer": b"0\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("lie", LATE_LIES)
async def test_a_lie_late_in_the_chunks_ends_the_download_at_once(
    tmp_path: Path, lie: str, closes: bool
) -> None:
    """Nobody waits out the patience for silence: nothing can come any more."""
    patient = replace(QUICK, stall=3600)
    async with (
        Lying() as server,
        transferring(tmp_path, server.authority, limits=patient) as rig,
        asyncio.timeout(10),
    ):

        async def lying(exchange: Exchange) -> None:
            await exchange.head("200 OK", Transfer_Encoding="chunked")
            await exchange.raw(b"%x\r\n%b\r\n" % (5000, noise(5000)))
            await until(lambda: bool(rig.told.names))  # it is being received
            await exchange.raw(LATE_LIES[lie])
            exchange.close = closes

        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", lying))
        assert failed.value.code == "server_error"
        assert rig.files() == {}


async def test_a_short_body_that_trickles_is_waited_for_without_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too few bytes to name it, and no more for a while: nobody looks again and again."""
    looks, wait = 0, Attempt._wait

    async def counted(attempt: Attempt, seconds: float | None) -> None:
        nonlocal looks
        looks += 1
        await wait(attempt, seconds)

    async def trickle(exchange: Exchange) -> None:
        await exchange.head("200 OK", Content_Length=5000)
        await exchange.raw(b"x" * 100)
        await asyncio.sleep(0.6)
        await exchange.raw(b"x" * 4900)

    monkeypatch.setattr(Attempt, "_wait", counted)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        await rig.get(server.at("/f.bin", trickle))
        assert rig.files() == {"f.bin": b"x" * 5000}
    assert looks < 20


async def test_a_page_behind_white_space_is_seen_under_a_slow_limit_too(tmp_path: Path) -> None:
    """Few bytes are taken at a time then, and more are needed to see what it is."""
    page = b" " * 3000 + b"<!doctype html><html><body>no</body></html>" + b" " * 200_000
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        async with asyncio.timeout(10):
            with pytest.raises(DownloadError) as failed:
                await rig.get(server.at("/f.mp4", Served(page)), speed_limit=8_000)
        assert failed.value.code == "not_media"
        assert rig.files() == {}
