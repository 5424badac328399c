"""A list's lines are read in any usual encoding, in bounded memory, and from any line on."""

import io
import random
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.lists.entry import ListError
from trayagent.lists.text import MOST_LINE_CHARACTERS, RawLine, decode, read_lines

TEXT = "http://h/ä\nhttp://h/b\n\nhttp://h/☂ c"
WANTED = ["http://h/ä", "http://h/b", "", "http://h/☂ c"]


def read(data: bytes, offset: int = 0, number: int = 0) -> list[RawLine]:
    return list(read_lines(io.BytesIO(data), offset, number))


def texts(data: bytes) -> list[str | None]:
    return [line.text for line in read(data)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\u2029"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_and_line_ends(encoding: str, end: str) -> None:
    assert texts(TEXT.replace("\n", end).encode(encoding)) == WANTED
    assert texts((TEXT + "\n").replace("\n", end).encode(encoding)) == WANTED


def test_two_and_four_bytes_of_the_other_order() -> None:
    assert texts(b"\xfe\xff" + TEXT.encode("utf-16-be")) == WANTED
    assert texts(b"\0\0\xfe\xff" + TEXT.encode("utf-32-be")) == WANTED


def test_a_line_that_is_no_utf8_is_latin1_and_the_others_are_not() -> None:
    assert texts(b"h/\xe4\n" + "h/ä☂".encode() + b"\nh/\xff\xfe\n") == ["h/ä", "h/ä☂", "h/ÿþ"]


def test_line_ends_of_different_kinds_in_one_file() -> None:
    assert texts(b"a\r\nb\rc\nd\r\r\ne") == ["a", "b", "c", "d", "", "e"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_mark_with_which_dos_ends_a_text_is_no_line(encoding: str) -> None:
    assert texts("http://h/a\r\n\x1a".encode(encoding)) == ["http://h/a"]
    assert texts("http://h/a\x1a".encode(encoding)) == ["http://h/a"]
    assert texts("http://h/a\n\x1a\nhttp://h/b".encode(encoding)) == [
        "http://h/a",
        "\x1a",
        "http://h/b",
    ]


@pytest.mark.parametrize("length", [65535, 65536, 65537])
def test_a_line_end_across_two_chunks_is_one_line_end(length: int) -> None:
    assert texts(b"a" * length + b"\r\nb") == ["a" * length, "b"]
    assert texts(b"a" * (length - 1) + "é\r\nb".encode()) == ["a" * (length - 1) + "é", "b"]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_has_no_lines(data: bytes) -> None:
    assert read(data) == []


@given(st.lists(st.text()), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.data())
def test_reading_goes_on_after_any_line(
    rows: list[str], encoding: str, data: st.DataObject
) -> None:
    raw = "\n".join(rows).encode(encoding, "ignore")
    try:
        whole = read(raw)
    except ListError:
        assert b"\0" in raw
        return
    if whole:
        stop = data.draw(st.integers(0, len(whole) - 1))
        assert read(raw, whole[stop].end, whole[stop].number) == whole[stop + 1 :]
        assert [line.number for line in whole] == list(range(1, len(whole) + 1))


@given(st.lists(st.binary(max_size=20)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_offsets_are_exact_for_any_bytes(rows: list[bytes], end: bytes) -> None:
    raw = b"text" + end.join(row.replace(b"\0", b"") for row in rows)
    whole = read(raw)
    assert whole[-1].end == len(raw)
    for line, following in pairwise(whole):
        assert read(raw, line.end, line.number)[0] == following


def test_a_line_too_long_is_told_and_the_next_one_read() -> None:
    raw = (
        b"a\n" + b"b" * (3 * MOST_LINE_CHARACTERS) + b"\r\nc\n" + b"d" * (MOST_LINE_CHARACTERS + 1)
    )
    assert texts(raw) == ["a", None, "c", None]
    assert [line.end for line in read(raw)][-1] == len(raw)


def test_memory_stays_bounded_whatever_the_file_holds() -> None:
    file = io.BytesIO(b"x" * 30_000_000 + b"\n" + b"http://h/0123456789\n" * 200_000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_lines(file))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 200_001
    assert peak < 4_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x00\x00\x01",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"plain words\n" * 300,
        b"\x00\x00\x00\x18ftypmp42" + b"x" * 4000,
        random.Random(7).randbytes(4096),
        TEXT.replace("☂", "a").encode("utf-16-le"),  # without its mark
        b"\0" * 4096,
    ],
)
def test_a_file_that_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(ListError, match="not a text file"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"http://h/a\n\0\nhttp://h/b\n",
        b"http://h/\0a\nhttp://h/\0b\nhttp://h/c\n",
        b"http://h/a\nhttp://h/b\n" + b"\0" * 3000,  # the end a power cut leaves
        b"http://h/\0x",
    ],
)
def test_damaged_lines_do_not_make_a_list_binary(data: bytes) -> None:
    assert texts(data) == [row.decode() for row in data.splitlines()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_whole_text_is_decoded_by_the_same_rules(encoding: str) -> None:
    assert decode(TEXT.encode(encoding)) == TEXT
    assert decode(b"\xe4\n" + "ä".encode()) == "ä\nä"


@given(st.binary())
def test_any_bytes_decode(data: bytes) -> None:
    assert isinstance(decode(data), str)
