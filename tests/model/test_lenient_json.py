"""Half a character costs a character; anything else that is no JSON stays none."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model import lenient_json

PIECES = st.sampled_from(
    [r"\ud83c", r"\uDF27", r"\ud83c\udf27", "\\\\", r"\n", "u", "d83c", "\\u00e4", "é", r"\""]
)


@given(st.lists(PIECES).map("".join))
def test_a_text_is_what_python_reads_with_lone_halves_replaced(text: str) -> None:
    wanted = json.loads(f'"{text}"').encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert lenient_json.read(f'"{text}"'.encode()) == wanted


@pytest.mark.parametrize("text", [r'"\ud83c', r'"\ud83"', r'["\ud83c" x]', r"\ud83c", ""])
def test_what_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        lenient_json.read(text.encode())


def test_another_type_is_told_apart_from_bad_text() -> None:
    with pytest.raises(msgspec.ValidationError):
        lenient_json.read(rb'["\ud83c"]', dict)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"url": "a", "url": "b"}', "url"),
        ('[{"a": {"b": 1, "c": [{"d": 1, "d": 1}]}}]', "d"),
        ('{"a\\u0062": 1, "ab": 2}', "ab"),
        ('{"a": {"a": 1}, "b": {"a": 1}}', None),
        ('{"a": "a", "b": "\\"a\\": 1, \\"a\\": 2"}', None),
        ("[" * 100_000, None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_key_said_twice_is_found_at_any_depth(text: str, key: str | None) -> None:
    assert lenient_json.repeated_key(text.encode()) == key


@pytest.mark.parametrize(
    ("data", "charset", "wanted"),
    [
        (
            b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}',
            "",
            {"a": None, "b": None, "c": None, "d": 1.5},
        ),
        (b'["caf\xe9"]', "iso-8859-1", ["café"]),
        (b'["caf\xe9", "caf\xc3\xa9"]', "utf-8", ["caf\ufffd", "café"]),
        (b'["caf\xe9"]', "base64", ["caf\ufffd"]),
        ('["\u2602"]'.encode("utf-16"), "", ["\u2602"]),
        (b'["two\nlines\t"]', "", ["two\nlines\t"]),
        (rb'[NaN, "\ud83c", "\ud83c\udf27"]', "", [None, "\ufffd", "\U0001f327"]),
    ],
)
def test_what_is_nearly_json_is_read_as_it_is_meant(
    data: bytes, charset: str, wanted: object
) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        lenient_json.read(data)
    assert lenient_json.read_loosely(data, charset) == wanted


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"['a']", b"<html>", b"[1,]"])
def test_what_is_not_even_nearly_json_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|Illegal|line"):
        lenient_json.read_loosely(data)
