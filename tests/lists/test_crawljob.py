"""JDownloader's jobs are read in both forms, and stricter than there where they reach out."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.lists import ListEntry, crawljob, dialect_for
from trayagent.model.downloads import Item

JOBS = dialect_for("x.CrawlJob")


def parse(text: str | bytes) -> list[ListEntry]:
    assert JOBS
    return list(JOBS.parse(text))


def items(text: str | bytes) -> list[Item | None]:
    return [line.item for line in parse(text)]


def test_properties() -> None:
    text = (
        "# a job\ntext=http://h/a\nfilename=x.mp4\npackageName=Trip\nchunks=3\nautoStart=FALSE\n"
        "priority=HIGH\ncomment=The title\nforcedStart=TRUE\n"
    )
    (line,) = parse(text)
    assert line.item == Item(
        "http://h/a",
        filename="x.mp4",
        folder="Trip",
        segments=3,
        paused=True,
        next=True,
        title="The title",
    )
    assert line.warnings == ()


def test_a_repeated_key_or_any_other_line_begins_a_new_job() -> None:
    assert items(
        "text=http://h/a\ntext=http://h/b\n->NEW ENTRY<-\ntext=http://h/c\n\ntext=http://h/d"
    ) == [Item(f"http://h/{letter}") for letter in "abcd"]


def test_a_colon_parts_key_and_value_as_well() -> None:
    """Java's properties may have it; a link of another kind is no property."""
    assert items(
        "text: http://h/a\nfilename : b.mp4\n->NEW ENTRY<-\nTEXT:https://h/c\nchunks:"
    ) == [
        Item("http://h/a", filename="b.mp4"),
        Item("https://h/c"),
    ]
    assert items("text=http://h/a\nmagnet:?xt=urn:btih:1\ntext=http://h/b\nftp://h/c") == [
        Item("http://h/a"),
        Item("http://h/b"),
    ]


def test_several_links_of_a_job_are_entries_of_their_own_and_share_no_name() -> None:
    lines = parse("text=http://h/a\\nhttp://h/b\nfilename=x\ndownloadFolder=d\n")
    assert [line.item for line in lines] == [
        Item("http://h/a", folder="d"),
        Item("http://h/b", folder="d"),
    ]
    assert [line.number for line in lines] == [1, 2]


def test_bare_links_go_before_the_last_jobs_own() -> None:
    assert items("http://h/a\ntext=http://h/b\n") == [Item("http://h/a"), Item("http://h/b")]
    assert items("http://h/a\r\nhttp://h/b\r\n") == [Item("http://h/a"), Item("http://h/b")]


def test_the_rest_as_text() -> None:
    text = "downloadFolder=d\nrestText=http://h/a\nhttp://h/b\nhttp://h/c"
    assert items(text) == [Item(f"http://h/{letter}", folder="d") for letter in "abc"]


def test_escapes() -> None:
    assert items('text=http://h/a\nfilename=\\u00e4\\\\x\\"y') == [
        Item("http://h/a", filename='x"y', folder="ä")
    ]


def test_the_escapes_of_javas_properties() -> None:
    assert items("text=http\\://h/a?b\\=c\n") == [Item("http://h/a?b=c")]


def test_json() -> None:
    text = (
        '[{"text":"http://h/a\\r\\nhttp://h/b","enabled":"FALSE"},'
        '{"text":"http://h/c","chunks":0,"deepAnalyseEnabled":true,"extractPasswords":["x"]}]'
    )
    lines = parse(text)
    assert [line.item for line in lines] == [
        Item("http://h/a", paused=True),
        Item("http://h/b", paused=True),
        Item("http://h/c"),
    ]
    assert lines[2].warnings == ("The key extractPasswords is ignored.",)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "http://h/a http://h/b",
            "http://h/a, http://h/b",
            "http://h/a,http://h/b",
            "http://h/a;http://h/b ",
            "http://h/a | http://h/b",
        ),
        *(
            '"http://h/a" "http://h/b"',
            '"http://h/a http://h/b"',
            "'http://h/a','http://h/b'",
            "<http://h/a> <http://h/b>",
        ),
        *(
            "first http://h/a (http://h/b)",
            "http://h/a\\nhttp://h/b",
            "http://h/a\\thttp://h/b",
            "[http://h/a] [http://h/b]",
        ),
    ],
)
def test_the_links_of_a_text_stand_there_in_any_way(text: str) -> None:
    both = [Item("http://h/a", folder="d"), Item("http://h/b", folder="d")]
    assert items(f"text={text}\npackageName=d\n") == both
    as_json = text.replace('"', '\\"')
    assert items(f'[{{"text": "{as_json}", "packageName": "d"}}]') == both


@pytest.mark.parametrize(
    "link",
    [
        "http://h/a_(film)",
        "http://h/r?to=http://i/b",
        "http://h/a,b;c",
        "http://h/a%20b",
        "http://h/[1]",
    ],
)
def test_one_link_stays_one(link: str) -> None:
    assert items(f"text={link}\n") == [Item(link)]
    assert items(f'text="{link}"\n') == [Item(link)]


def test_a_raw_space_in_a_link_is_encoded() -> None:
    assert items("text=http://h/a b http://h/c\n") == [Item("http://h/a%20b"), Item("http://h/c")]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("http://h/a.mp4 und http://h/b.mp4", ["a.mp4", "b.mp4"]),
        ("first http://h/a.mp4, then http://h/b.mp4?x=1 (the better one)", ["a.mp4", "b.mp4?x=1"]),
        ("http://h/My Film.mp4 and now http://h/c", ["My%20Film.mp4", "c"]),
        ("Part 1: http://h/a Part 2: http://h/b", ["a", "b"]),
        ("A: http://h/a B: http://h/b", ["a", "b"]),
        ("http://h/v?id=1 AND http://h/v?id=2", ["v?id=1", "v?id=2"]),
        ("http://h/Season 1 http://h/Season 2", ["Season%201", "Season%202"]),
        ("http://h/a 2: http://h/b", ["a", "b"]),
    ],
)
def test_words_between_the_links_are_no_part_of_them(text: str, links: list[str]) -> None:
    """As far as anybody can tell: a link may hold raw spaces, too."""
    assert items(f"text={text}\n") == [Item(f"http://h/{link}") for link in links]


def test_one_job_as_a_json_object() -> None:
    assert items('{"text": "http://h/a", "packageName": "Trip", "autoStart": false}') == [
        Item("http://h/a", folder="Trip", paused=True)
    ]
    assert items('{"text": ["http://h/a", "http://h/b"]}') == [
        Item("http://h/a"),
        Item("http://h/b"),
    ]


def test_null_is_not_set() -> None:
    text = (
        "->NEW ENTRY<-\n   text=http://h/a\n   packageName=null\n   filename=null\n   comment=null\n   priority=null\n"
        "   downloadFolder=null\n   enabled=null\n   autoStart=NULL\n   chunks=null\n"
    )
    assert items(text) == [Item("http://h/a")]
    assert items(
        '{"text": "http://h/a", "filename": null, "enabled": null, "chunks": null, "comment": "null"}'
    ) == [Item("http://h/a")]
    (line,) = parse("text=null\n")
    assert line.error == ("bad_url", "The job has no link.")


def test_values_may_be_quoted_and_keys_in_any_case() -> None:
    assert items('TEXT="http://h/a"\nPackagename="My Show"\nautostart="false"\n') == [
        Item("http://h/a", folder="My Show", paused=True)
    ]


@pytest.mark.parametrize(
    "text", ["hello", "->NEW ENTRY<-\nsome words\n", "a: b\nc: d\n", "# jobs\nsoon\n"]
)
def test_a_file_without_any_job_is_one_refusal(text: str) -> None:
    (line,) = parse(text)
    assert line.error
    assert line.error[0] == "bad_list"


def test_a_link_of_another_kind_is_told() -> None:
    (line,) = parse("text=ftp://h/a\n")
    assert line.item == Item("ftp://h/a")  # refused by whoever lets it in


@pytest.mark.parametrize("folder", ["/etc", "../x", "C:\\\\Users", "~"])
def test_a_place_outside_is_refused(folder: str) -> None:
    bad, good = parse(f"text=http://h/a\ndownloadFolder={folder}\n\ntext=http://h/b\n")
    assert bad.error
    assert bad.error[0] == "permission_denied"
    assert good.item == Item("http://h/b")


def test_half_a_character_in_json_is_no_reason_to_refuse_it() -> None:
    (line,) = parse(r'[{"text": "http://h/a", "comment": "Rain \ud83c"}]')
    assert line.item == Item("http://h/a", title="Rain \ufffd")


def test_a_job_without_a_link_is_told() -> None:
    (line,) = parse("filename=x\n")
    assert line.error == ("bad_url", "The job has no link.")


@pytest.mark.parametrize("text", ["[{]", "[1]", '["http://h/a"]', "[[]]"])
def test_broken_json_is_one_refusal(text: str) -> None:
    (line,) = parse(text)
    assert line.error
    assert line.error[0] == "bad_list"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (lambda: _job_of_keys(crawljob.MOST_KEYS + 1), "too many keys"),
        (lambda: f'[{{"text":"http://h/{"a" * crawljob.MOST_JOB_BYTES}"}}]', "too long"),
        (lambda: "http://h/\n" * (crawljob.MOST_BARE_LINKS + 1), "too many links"),
    ],
    ids=["keys", "a job in JSON", "bare links"],
)
def test_what_a_job_may_hold_has_a_bound(data: Callable[[], str], problem: str) -> None:
    (line,) = parse(data())
    assert line.error is not None
    assert line.error[0] == "bad_list"
    assert problem in line.error[1]


def test_what_is_said_once_costs_no_link_more() -> None:
    """A title and the names of unknown keys go to each of a million links."""
    unknown = "".join(f"key{chr(97 + n)}=v\n" for n in range(12))
    lines = parse(f"comment={'c' * 5000}\n{unknown}text=http://h/a http://h/b\n")
    assert [len(line.item.title or "") for line in lines if line.item] == [1024, 1024]
    assert [line.warnings[-1] for line in lines] == ["2 more keys are ignored."] * 2
    assert len(lines[0].warnings) == 11


def _job_of_keys(count: int) -> str:
    names = ("".join(letters) for letters in itertools.product("abcdefghij", repeat=4))
    return "text=http://h/a\n" + "".join(f"{name}=v\n" for name in itertools.islice(names, count))


def test_an_empty_file_has_no_entries() -> None:
    assert parse("") == []
    assert parse("# only a comment\n") == []
    assert parse("[]") == []


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse(text.encode(errors="ignore"))
    parse(f"text=http://h/a\nfilename={text}".encode(errors="ignore"))
