"""A range is believed only with proof, and whatever a server says, bytes of two files never meet."""

from __future__ import annotations

from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model.units import seconds_of
from trayagent.net.refusals import brings_file
from trayagent.transfer.ranges import (
    Ask,
    Record,
    coding,
    first_ask,
    gaps,
    judge,
    merge,
    sane,
    to_confirm,
    validator,
)

SIZE = 1000
RECORD = Record(SIZE, '"v1"', ((0, 400),))
ASK = Ask(400, SIZE, RECORD, "")
HONEST = {"Content-Range": "bytes 400-999/1000", "ETag": '"v1"', "Content-Length": "600"}

OLD, NOW = formatdate(1_700_000_000, usegmt=True), formatdate(1_700_009_000, usegmt=True)

spans = st.lists(
    st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: (min(pair), max(pair)))
)


@given(spans)
def test_merging_keeps_every_byte_once(done: list[tuple[int, int]]) -> None:
    joined = merge(tuple(done))
    covered = {n for start, end in done for n in range(start, end)}
    assert [n for start, end in joined for n in range(start, end)] == sorted(covered)
    assert all(a[1] < b[0] for a, b in pairwise(joined))
    assert merge(joined) == joined


@given(spans)
def test_gaps_are_what_is_not_done(done: list[tuple[int, int]]) -> None:
    record = Record(SIZE, '"v"', merge(tuple(done)))
    assert sane(record)
    missing = {n for start, end in gaps(record) for n in range(start, end)}
    here = {n for start, end in record.done for n in range(start, end)}
    assert missing | here == set(range(SIZE))
    assert not missing & here
    assert len(missing) == SIZE - record.received


@given(spans.map(lambda done: Record(SIZE, '"v"', merge(tuple(done)))))
def test_what_is_asked_for_first_is_missing(record: Record) -> None:
    ask = first_ask(to_confirm(record))
    if record.received == 0:
        assert ask is None
    else:
        assert ask is not None
        assert ask.headers["If-Range"] == '"v"'
        assert ask.end - ask.start > 0


def test_the_last_byte_of_a_finished_part_is_confirmed() -> None:
    ask = first_ask(to_confirm(Record(SIZE, '"v"', ((0, SIZE),))))
    assert ask is not None
    assert ask.headers["Range"] == "bytes=999-"


def test_an_honest_part_is_believed() -> None:
    assert judge(ASK, 206, HONEST) == "continue"
    assert ASK.headers == {"Range": "bytes=400-", "If-Range": '"v1"'}
    assert Ask(0, 10, RECORD).headers["Range"] == "bytes=0-9"


@pytest.mark.parametrize(
    "lie",
    [
        {"Content-Range": "bytes 401-999/1000"},
        {"Content-Range": "bytes 400-998/1000"},
        {"Content-Range": "bytes 400-999/2000"},
        {"Content-Range": "bytes 400-999/*"},
        {"Content-Range": "bytes */1000"},
        {"Content-Range": "items 400-999/1000"},
        {"Content-Range": ""},
        {"Content-Range": "bytes 400-999/1000, bytes 0-1/2"},
        {"ETag": '"v2"'},
        {"ETag": 'W/"v1"'},
        {"Content-Length": "599"},
        {"Content-Type": "multipart/byteranges", "Content-Range": ""},
        {"Content-Type": "Multipart/ByteRanges; boundary=x"},
        {"Content-Encoding": "gzip"},
        {"ETag": '"v1", "v2"'},
    ],
)
def test_a_lie_is_not(lie: dict[str, str]) -> None:
    assert judge(ASK, 206, {**HONEST, **lie}) == "unproven"


@pytest.mark.parametrize("first", [{"ETag": '"v1"'}, {"Content-Encoding": "Identity"}])
def test_a_part_is_coded_as_the_beginning_was(first: dict[str, str]) -> None:
    plain, packed = Ask(400, SIZE, RECORD, coding(first)), Ask(400, SIZE, RECORD, "gzip")
    assert judge(plain, 206, {**HONEST, "Content-Encoding": "identity"}) == "continue"
    assert judge(plain, 206, {**HONEST, "Content-Encoding": "gzip"}) == "unproven"
    assert judge(packed, 206, {**HONEST, "Content-Encoding": "GZIP"}) == "continue"
    assert judge(packed, 206, HONEST) == "unproven"


def test_the_coding_of_a_part_from_an_earlier_attempt_is_not_known() -> None:
    """A `.tar.gz` that its server calls coded can be resumed all the same."""
    ask = Ask(400, SIZE, RECORD, coding({}))
    assert judge(ask, 206, {**HONEST, "Content-Encoding": "gzip"}) == "continue"


@pytest.mark.parametrize("ask", [ASK, None])
@pytest.mark.parametrize(
    "said",
    [
        {"Content-Range": "bytes 400-999/1000", "Content-Length": "600"},
        {"Content-Range": "bytes 400-999/1000"},
        {"Content-Range": "bytes=0-499/1000", "Content-Length": "500"},
        {"Content-Range": "Bytes 0-499/1000"},
        {"Content-Range": "bytes 1-999/*"},
        {"Content-Range": "bytes 0-999/1000", "Content-Length": "500"},
    ],
)
def test_a_part_that_calls_itself_the_whole_is_not_believed(
    ask: Ask | None, said: dict[str, str]
) -> None:
    assert judge(ask, 200, {**said, "ETag": '"v2"'}) == "unproven"


@pytest.mark.parametrize("ask", [ASK, None])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Content-Range": "bytes 0-999/1000", "Content-Length": "1000"},
        {"Content-Range": "bytes 0-999/*", "Content-Length": "1000"},
        {"Content-Range": "bytes 0-999/1000"},
        {"Content-Range": "nonsense", "Content-Length": "1000"},
        {"Content-Length": "2000"},
        {"Content-Length": "1000", "ETag": '"v1"'},
        {"ETag": '"v1"'},
    ],
)
def test_a_whole_file_may_say_so(ask: Ask | None, said: dict[str, str]) -> None:
    """A range that a 200 has no business to name is harmless while it names all of it."""
    assert judge(ask, 200, {"ETag": '"v2"', **said}) == "whole"


def test_the_same_file_has_the_same_length() -> None:
    said = {"Content-Length": "600", "ETag": '"v1"', "Last-Modified": OLD}
    assert judge(ASK, 200, said) == "unproven"
    assert judge(Ask(400, SIZE, Record(SIZE, OLD, ((0, 400),))), 200, said) == "unproven"
    assert judge(Ask(400, SIZE, Record(SIZE, '"v0"', ((0, 400),))), 200, said) == "whole"


@pytest.mark.parametrize(
    ("validator", "named"), [('"v1"', "ETag"), (formatdate(1), "Last-Modified")]
)
def test_a_part_that_does_not_say_of_which_file_is_not_believed(validator: str, named: str) -> None:
    ask = Ask(400, SIZE, Record(SIZE, validator, ((0, 400),)))
    whole = {**HONEST, named: validator}
    assert judge(ask, 206, whole) == "continue"
    del whole[named]
    assert judge(ask, 206, whole) == "unproven"


def test_a_date_that_proved_the_file_has_to_be_the_same() -> None:
    """A server without ETags that says another date serves another file."""
    dated = Ask(400, SIZE, Record(SIZE, OLD, ((0, 400),)))
    answer = {"Content-Range": "bytes 400-999/1000", "Last-Modified": OLD}
    assert judge(dated, 206, answer) == "continue"
    answer["Last-Modified"] = "Thu, 16 Nov 2023 22:13:20 GMT"
    assert judge(dated, 206, answer) == "unproven"


def test_a_range_that_cannot_be_served_proves_that_the_file_is_another() -> None:
    """It became shorter than what is here."""
    assert judge(ASK, 416, {"Content-Range": "bytes */100"}) == "unproven"


@pytest.mark.parametrize(
    ("size", "done"),
    [
        (0, ()),
        (-1, ()),
        (2**62, ()),
        (SIZE, ((0, SIZE + 1),)),
        (SIZE, ((-1, 10),)),
        (SIZE, ((10, 10),)),
        (SIZE, ((10, 5),)),
        (SIZE, ((0, 10), (10, 20))),
        (SIZE, ((0, 10), (5, 20))),
        (SIZE, ((30, 40), (10, 20))),
    ],
)
def test_a_record_that_cannot_be_true_is_not_believed(
    size: int, done: tuple[tuple[int, int], ...]
) -> None:
    """Whoever wrote it: the bytes it speaks of would end up in the file."""
    assert not sane(Record(size, '"v"', done))


@given(st.integers(100, 599), st.booleans())
def test_every_status_has_a_meaning(status: int, asked: bool) -> None:
    verdict = judge(ASK if asked else None, status, HONEST)
    if brings_file(status):
        assert verdict == "unproven"
    elif not asked or status not in (206, 416):
        assert verdict == "refused"


@pytest.mark.parametrize(
    ("headers", "proof"),
    [
        ({"ETag": '"a"'}, '"a"'),
        ({"ETag": '""'}, '""'),
        ({"ETag": 'W/"a"'}, None),
        ({"ETag": 'W/"a"', "Last-Modified": OLD, "Date": NOW}, None),
        ({"ETag": "a"}, None),
        ({"ETag": '"a" "b"'}, None),
        ({"Last-Modified": OLD, "Date": NOW}, OLD),
        ({"Last-Modified": OLD, "Date": formatdate(1_700_000_060, usegmt=True)}, OLD),
        ({"Last-Modified": OLD, "Date": formatdate(1_700_000_059, usegmt=True)}, None),
        ({"Last-Modified": OLD}, None),
        ({"Last-Modified": NOW, "Date": NOW}, None),
        ({"Last-Modified": NOW, "Date": OLD}, None),
        ({"Last-Modified": "yesterday", "Date": NOW}, None),
        ({}, None),
    ],
)
def test_what_proves_that_a_file_is_the_same(headers: dict[str, str], proof: str | None) -> None:
    assert validator(headers) == proof


@given(st.integers(0, 4_000_000_000))
def test_dates_are_read_the_quick_way_as_the_slow_one(seconds: int) -> None:
    assert seconds_of(formatdate(seconds, usegmt=True)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sun, 99 Xyz 1994 08:49:37 GMT", None),
        ("never", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_every_form(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text) == seconds
