"""A text list yields one entry for every URL line, whatever its neighbours are."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lists import strategies
from trayagent.lists import START, ListEntry, Position, dialect_for
from trayagent.model.downloads import Item

TXT = dialect_for("x.txt")


def parse(text: str | bytes) -> list[ListEntry]:
    assert TXT
    return list(TXT.parse(text))


def items(text: str | bytes) -> list[Item | None]:
    return [line.item for line in parse(text)]


def test_comments_blanks_and_edges() -> None:
    text = "# c\n\n  http://h/a  \n\u00a0\u200bhttp://h/b\u200b\n \t# c\n\thttp://h/c\n"
    lines = parse(text)
    assert [line.item for line in lines] == [
        Item("http://h/a"),
        Item("http://h/b"),
        Item("http://h/c"),
    ]
    assert [line.number for line in lines] == [3, 4, 6]


def test_headings_put_what_follows_in_a_folder() -> None:
    text = "http://h/a\n[Trip/2026]\nhttp://h/b\n[ ]\nhttp://h/c\n"
    assert items(text) == [
        Item("http://h/a"),
        Item("http://h/b", folder="Trip/2026"),
        Item("http://h/c"),
    ]


def test_a_heading_that_leads_outside_is_refused_and_its_lines_stay_inside() -> None:
    refused, inside = parse("[../x]\nhttp://h/a\n")
    assert refused.error
    assert refused.error[0] == "permission_denied"
    assert inside.item == Item("http://h/a")


def test_an_engine_above_the_links_counts_for_those_that_follow() -> None:
    """Of the whole list, or from a heading on; a link may say otherwise, and `here` is this machine."""
    text = (
        " engine=nas\nhttp://h/a\n out=x\nhttp://h/b\n engine=here\n"
        "[Films]\n engine=vault\nhttp://h/c\n[ ]\n engine=\nhttp://h/d\n"
    )
    assert items(text) == [
        Item("http://h/a", filename="x", engine="nas"),
        Item("http://h/b", engine="here"),
        Item("http://h/c", folder="Films", engine="vault"),
        Item("http://h/d"),
    ]


def test_mirrors_stand_on_the_same_line_after_tabs() -> None:
    assert items("http://h/a\thttp://i/a\t\n") == [Item("http://h/a", mirrors=("http://i/a",))]


def test_options_belong_to_the_line_above() -> None:
    text = "http://h/a\n# between\n\n out=x.mp4\n\tpause=true\nhttp://h/b\n"
    first, second = parse(text)
    assert first.item == Item("http://h/a", filename="x.mp4", paused=True)
    assert second.item == Item("http://h/b")
    assert (first.number, second.number) == (1, 6)


def test_an_option_without_a_url_is_refused_by_itself() -> None:
    refused, good = parse(" out=x\nhttp://h/a\n")
    assert refused.error == ("bad_item", "This option belongs to no address.")
    assert good.item == Item("http://h/a")


@pytest.mark.parametrize(
    "bad",
    ["not a url", "file:///etc/passwd", "a" * 300_000, "http://h/\x01", "http://h/a\n out=../x"],
)
def test_a_bad_line_never_blocks_a_good_one(bad: str) -> None:
    lines = parse(f"http://h/a\n{bad}\nhttp://h/b\n")
    assert len(lines) == 3
    assert [lines[0].item, lines[2].item] == [Item("http://h/a"), Item("http://h/b")]


def test_a_raw_space_in_a_link_is_part_of_it() -> None:
    text = 'http://h/a b.mp4?q=c d\nhttp://h/a.mp4\thttp://i/a b.mp4\nhttp://h/c.mp4  # the third\n"http://h/d e"\n'
    lines = parse(text)
    assert [line.item for line in lines] == [
        Item("http://h/a%20b.mp4?q=c%20d"),
        Item("http://h/a.mp4", mirrors=("http://i/a%20b.mp4",)),
        Item("http://h/c.mp4"),
        Item("http://h/d%20e"),
    ]
    assert lines[0].url == "http://h/a%20b.mp4?q=c%20d"


@pytest.mark.parametrize(
    "line", ["http://h/a http://h/b", "http://h/a out=b.mp4", "http://h/a -o b.mp4"]
)
def test_what_is_more_than_a_link_is_left_for_a_refusal(line: str) -> None:
    (only,) = parse(line)
    assert only.item == Item(line)


@pytest.mark.parametrize("mark", ["- ", "* ", "1. ", "23) ", "\u2022 ", "  - ", "-\u00a0"])
def test_the_mark_of_a_list_in_notes_is_no_part_of_the_link(mark: str) -> None:
    first, second = parse(f"{mark}http://h/a.mp4\n out=x.mp4\n{mark}<http://h/b c.mp4>\n")
    assert (first.item, first.number) == (Item("http://h/a.mp4", filename="x.mp4"), 1)
    assert second.item == Item("http://h/b%20c.mp4")


@pytest.mark.parametrize("line", ['["http://h/a.mp4", "http://h/b.mp4"]', "[http://h/a.mp4]"])
def test_links_in_brackets_are_no_heading(line: str) -> None:
    heading, refused, after = parse(f"[A]\nhttp://h/0\n{line}\nhttp://h/1\n")
    assert heading.item == Item("http://h/0", folder="A")
    assert (refused.number, refused.item) == (3, None)
    assert refused.error is not None
    assert refused.error[0] == "bad_url"
    assert after.item == Item("http://h/1", folder="A")


def test_a_browsers_headers_and_referers_never_cost_the_line() -> None:
    text = (
        "http://h/a\n header=Host: h\n header=User-Agent: Mozilla/5.0\n header=Accept-Encoding: gzip\n"
        " header=Referer: http://h/page\n header=Cookie: k=v\n header=:authority: h\n"
        "http://h/b\n referer=about:reader?url=x\nhttp://h/c\n referer=*\n"
    )
    first, second, third = parse(text)
    assert first.item == Item(
        "http://h/a", headers={"Cookie": "k=v"}, referer="http://h/page", user_agent="Mozilla/5.0"
    )
    assert len(first.warnings) == 3
    assert second.item == Item("http://h/b")
    assert second.warnings == ("The referer is left out: it is no web address.",)
    assert third.item == Item("http://h/c", referer="http://h/c")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "[folder]\n"])
def test_an_empty_list_has_no_entries(text: str) -> None:
    assert parse(text) == []


def test_junk_is_one_refusal() -> None:
    (line,) = parse(b"\x00\x01\x02" * 1000)
    assert line.error
    assert line.error[0] == "bad_list"


@given(strategies.text_lists(), st.data())
def test_reading_goes_on_after_any_entry(text: str, data: st.DataObject) -> None:
    """A kill after any entry loses none and repeats none, headings and options included."""
    assert TXT
    raw = text.encode()
    whole = list(TXT.read(io.BytesIO(raw), START))
    if whole:
        stop = data.draw(st.integers(0, len(whole) - 1))
        after: Position = whole[stop].after
        assert list(TXT.read(io.BytesIO(raw), after)) == whole[stop + 1 :]


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for line in parse(text.encode(errors="ignore")):
        assert (line.item is None) == (line.error is not None)


def test_a_line_says_what_it_is() -> None:
    assert repr(parse("http://h/?secret")[0]) == "<ListEntry 1: an item>"
