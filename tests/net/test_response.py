"""A body is as long as was said, decoded where that was said, and what contradicts itself is refused."""

from __future__ import annotations

import pytest

from tests.net.asking import asking
from tests.servers.lying import Lying, saying
from tests.transfer.rig import noise
from trayagent.model.errors import DownloadError
from trayagent.net.response import Head

TEXT = b"what servers really send " * 400


def head_of(*lines: bytes, status: int = 200) -> Head:
    """A head of these header lines."""
    said = (b"HTTP/1.1 %d x" % status, *lines, b"")
    return Head(b"\r\n".join(said), "http://h.example/f", "h.example:80")


# --- the length ---


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([], None),
        ([b"Content-Length: 5"], 5),
        ([b"Content-Length: 0"], 0),
        ([b"content-length:5"], 5),
        ([b"Content-Length: 005"], 5),
        ([b"Content-Length: 5", b"Content-Length: 5"], 5),
        ([b"Content-Length: 5, 5"], 5),
        ([b"Content-Length: 5", b"Content-Encoding: identity"], 5),
        ([b"Content-Length: 5", b"Content-Encoding: none"], 5),
        ([b"Content-Length: 5", b"Content-Encoding: "], 5),
        ([b"Content-Length: 5", b"Content-Encoding: aws-chunked"], 5),
        ([b"Content-Length: 5", b"Content-Encoding: gzip"], 5),
        ([b"Content-Length: 5", b"Content-Encoding: BR"], 5),
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], None),
        ([b"Transfer-Encoding: gzip, Chunked"], None),
        ([b"Content-Range: bytes 0-4/5", b"Content-Range: bytes 0-4/5", b"Content-Length: 5"], 5),
    ],
)
def test_a_head_says_how_long_the_body_is(lines: list[bytes], length: int | None) -> None:
    assert head_of(*lines).length == length


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 4", b"Content-Length: 5"],
        [b"Content-Length: 4, 5"],
        [b"Content-Length: -4"],
        [b"Content-Length: +4"],
        [b"Content-Length: 4_0"],
        [b"Content-Length: 0x4"],
        [b"Content-Length: 4.0"],
        [b"Content-Length: "],
        [b"Content-Length: \xd9\xa4"],
        [b"Content-Length: " + b"9" * 30],
        pytest.param([b"Content-Length: " + b"0" * 5000 + b"5"], id="zeros without end"),
        [b"Content-Range: bytes 0-4/5", b"Content-Range: bytes 0-4/6", b"Content-Length: 5"],
    ],
)
def test_what_contradicts_itself_is_refused(lines: list[bytes]) -> None:
    """RFC 9112 §6.3: whoever contradicts himself there may be two who speak."""
    found = head_of(*lines).fault
    assert found is not None
    assert found.code == "server_error"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 4",
        b"Content-Length: 4, 5",
        b"Content-Length: -4",
        b"Content-Length: +4",
        b"Content-Length: 4_0",
        pytest.param(b"Content-Length: " + b"0" * 5000 + b"5", id="zeros without end"),
    ],
)
async def test_a_body_of_two_lengths_is_none(framing: bytes) -> None:
    """Refused by libcurl or by the head; no byte of it is taken for a file."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            url = server.at("/", saying(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\nabcde"))
            try:
                failed = (await asker.answer(url)).head.fault
            except DownloadError as error:
                failed = error
    assert failed is not None
    assert failed.code == "server_error"


CHUNKS = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 5\r\n\r\nabcde",
        b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: 5, 5\r\n\r\nabcde",
        b"Content-Encoding: identity\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Encoding: none\r\nContent-Length: 5\r\n\r\nabcde",
        b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        b"Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n" + CHUNKS,
        b"Connection: close\r\n\r\nabcde",
    ],
)
async def test_what_servers_really_send_is_taken(framed: bytes) -> None:
    async with Lying() as server:
        with asking(server.authority) as asker:
            came = await asker.answer(server.at("/", saying(b"HTTP/1.1 200 OK\r\n" + framed)))
    assert came.body == b"abcde"
    assert came.head.length in (5, None)
    assert came.head.is_framed == (b"close" not in framed)


@pytest.mark.parametrize("framing", [b"Content-Length: 0", b"Transfer-Encoding: chunked"])
async def test_an_empty_file_is_a_file(framing: bytes) -> None:
    body = b"0\r\n\r\n" if b"chunked" in framing else b""
    async with Lying() as server:
        with asking(server.authority) as asker:
            url = server.at("/", saying(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body))
            came = await asker.answer(url)
    assert (came.head.status, came.body, came.head.is_framed) == (200, b"", True)


@pytest.mark.parametrize(
    "cut",
    [
        b"Content-Length: 50\r\n\r\nabcde",
        b"Content-Length: 50\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n",
    ],
)
async def test_a_body_that_ends_early_is_truncated(cut: bytes) -> None:
    """Whoever receives need not count for himself."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            failed = await asker.fail(server.at("/", saying(b"HTTP/1.1 200 OK\r\n" + cut)))
    assert failed.code == "truncated"


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nabc\r\n", b"-1\r\nabc\r\n", b"3\r\nabcdef\r\n", b"f" * 40]
)
async def test_chunks_that_are_none_are_no_file(chunk: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n"
    async with Lying() as server:
        with asking(server.authority) as asker:
            failed = await asker.fail(server.at("/", saying(said)))
    assert failed.code in ("network", "server_error", "truncated")


async def test_what_a_server_says_behind_a_body_is_not_part_of_it() -> None:
    """The length that was said is the end, however much the sink would take."""
    body = noise(2_000_000)
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body + b"EVIL" * 100_000
    async with Lying() as server:
        with asking(server.authority) as asker:
            assert await asker.get(server.at("/f", saying(said))) == body


# --- the headers ---


def test_no_second_line_of_a_header_goes_unseen() -> None:
    """RFC 9110 §5.3: several lines of one header are one, so two validators are none that anybody knows."""
    head = head_of(
        b'ETag: "a"', b"X: 1", b'etag: "b"', b'ETag: "a"', b"Set-Cookie: a=1", b"Set-Cookie: b=2"
    )
    assert head.headers.getall("ETag") == ['"a", "b"']
    assert head.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    assert head.headers["X"] == "1"


def test_a_line_that_is_no_header_is_passed_over() -> None:
    head = head_of(b"nonsense", b": nothing", b"A: 1", b" 2", b"\t3", b"B : 4")
    assert dict(head.headers) == {"A": "1 2 3", "B": "4"}


def test_a_line_that_continues_another_leaves_the_others_of_its_name_alone() -> None:
    head = head_of(b"Set-Cookie: a=1", b"Set-Cookie: b=2", b" ; Secure")
    assert head.headers.getall("Set-Cookie") == ["a=1", "b=2 ; Secure"]


def test_a_head_says_whether_it_tells_the_end_of_the_body() -> None:
    assert head_of(b"transfer-encoding: chunked").is_framed
    assert not head_of(b"X-Content-Length: 7").is_framed
    assert not head_of(b"Transfer-Encoding: identity").is_framed


@pytest.mark.parametrize(
    ("version", "is_told"), [(b"HTTP/2 200", True), (b"HTTP/1.1 200 OK", False)]
)
def test_a_stream_tells_its_own_end(version: bytes, is_told: bool) -> None:
    """In HTTP/2 a cut cannot pass for the end of a body without a length (RFC 9113 §8.1)."""
    head = version + b"\r\nContent-Type: text/csv\r\n"
    assert Head(head, "https://h.example/", "h.example:443").is_framed == is_told
