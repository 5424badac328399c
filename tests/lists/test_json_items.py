"""A JSON list is what the local HTTP interface takes; one bad element never blocks a good one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lists import strategies
from trayagent.lists import ListEntry, dialect_for
from trayagent.model.downloads import Cookie, Item

JSON = dialect_for("x.json")


def parse(text: str | bytes) -> list[ListEntry]:
    assert JSON
    return list(JSON.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        '[{"url": "http://h/a"}]',
        '["http://h/a"]',
        '{"url": "http://h/a"}',
        '{"items": [{"url": "http://h/a"}]}',
        ' [ "http://h/a" ] ',
    ],
)
def test_forms(text: str) -> None:
    assert [line.item for line in parse(text)] == [Item("http://h/a")]
    assert [line.item for line in parse(text.encode("utf-16"))] == [Item("http://h/a")]
    assert [line.item for line in parse(text.encode("utf-8-sig"))] == [Item("http://h/a")]


def test_everything_an_item_can_have() -> None:
    (line,) = parse(
        '[{"url":"http://h/a","filename":"x","cookies":[{"name":"a","value":"b","domain":"h"}],"again":true}]'
    )
    assert line.item == Item(
        "http://h/a", filename="x", cookies=(Cookie("a", "b", "h"),), again=True
    )


def test_a_bad_element_never_blocks_a_good_one() -> None:
    lines = parse(
        '[{"url":"http://h/a","exec":"x"}, 3, null, {"url":7}, {}, "http://h/b", {"url":""}]'
    )
    assert [line.item for line in lines if line.item] == [Item("http://h/b")]
    assert [line.number for line in lines] == [1, 2, 3, 4, 5, 6, 7]
    assert lines[0].url == "http://h/a"
    assert lines[0].error == ("bad_item", "Object contains unknown field `exec`.")


@pytest.mark.parametrize("form", ["%s", "[%s]", '{"items": [%s]}'])
def test_a_title_that_was_cut_inside_an_emoji_costs_half_a_character(form: str) -> None:
    (line,) = parse(form % r'{"url": "http://h/a", "title": "Rain \ud83c"}')
    assert line.item == Item("http://h/a", title="Rain \ufffd")


@pytest.mark.parametrize("text", ["{", "[1,", "[1] x", b"\x00", '{"items": 3}', "nonsense"])
def test_broken_json_is_one_refusal(text: str | bytes) -> None:
    (line,) = parse(text)
    assert line.error
    assert line.item is None


@pytest.mark.parametrize("text", ["", " \n", "[]", '{"items":[]}'])
def test_an_empty_list_has_no_entries(text: str) -> None:
    assert parse(text) == []


def test_a_very_deep_list_is_one_refusal() -> None:
    (line,) = parse("[" * 100_000)
    assert line.error


@given(st.lists(strategies.items()))
def test_every_item_of_the_interface_is_read(wanted: list[Item]) -> None:
    assert [line.item for line in parse(msgspec.json.encode(wanted))] == wanted


@given(st.binary())
def test_any_bytes_are_read(data: bytes) -> None:
    parse(data)
    parse(b"[" + data + b"]")


def test_an_entry_that_says_a_key_twice_is_refused_by_itself() -> None:
    refused, good = parse('[{"url": "http://h/a", "folder": "b", "folder": "c"}, "http://h/d"]')
    assert refused.error == ("bad_item", "The key 'folder' is there twice.")
    assert good.item == Item("http://h/d")
