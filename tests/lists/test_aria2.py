"""aria2's input files mean here what they mean there, confined to the downloads folder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lists import strategies
from trayagent.lists import ListEntry, aria2, dialect_for
from trayagent.model.downloads import Cookie, Item

TXT = dialect_for("x.txt")


def parse(text: str) -> list[ListEntry]:
    assert TXT
    return list(TXT.parse(text))


def one(*options: str) -> ListEntry:
    """The entry for a URL with these options."""
    (line,) = parse("http://h/a\n" + "".join(f" {option}\n" for option in options))
    return line


@pytest.mark.parametrize(
    ("option", "item"),
    [
        ("out=x.mp4", Item("http://h/a", filename="x.mp4")),
        ("out=sub/x.mp4", Item("http://h/a", filename="x.mp4", folder="sub")),
        ("dir=sub", Item("http://h/a", folder="sub")),
        ("dir=.", Item("http://h/a")),
        ("referer=http://r/", Item("http://h/a", referer="http://r/")),
        ("referer=*", Item("http://h/a", referer="http://h/a")),
        ("user-agent=Me / 1", Item("http://h/a", user_agent="Me / 1")),
        ("header=X-A: b:c", Item("http://h/a", headers={"X-A": "b:c"})),
        ("checksum=SHA-256=AB", Item("http://h/a", checksum="sha-256=ab")),
        ("pause=true", Item("http://h/a", paused=True)),
        ("pause=false", Item("http://h/a")),
        ("split=5", Item("http://h/a", segments=5)),
        ("split=64", Item("http://h/a", segments=16)),
        ("max-download-limit=0", Item("http://h/a")),
        ("max-download-limit=2M", Item("http://h/a", speed_limit="2MiB")),
        ("max-download-limit=2000", Item("http://h/a", speed_limit="2000")),
        ("kind=video", Item("http://h/a", kind="video")),
        ("subtitles=de, en", Item("http://h/a", subtitles=("de", "en"))),
        (
            "cookie=a=b=c; Path=/x",
            Item("http://h/a", cookies=(Cookie("a", "b=c", path="/x"),)),
        ),
        (
            "cookie=a=b=c; Domain=h; Secure",
            Item("http://h/a", cookies=(Cookie("a", "b=c", "h", "/", True),)),
        ),
        ("OUT = x", Item("http://h/a", filename="x")),
        ("gid=2089b05ecca3d829", Item("http://h/a")),
    ],
)
def test_options_we_honour(option: str, item: Item) -> None:
    line = one(option)
    assert line.item == item
    assert line.warnings == ()


def test_several_options_and_repeated_headers() -> None:
    line = one("header=A: 1", "header=B: 2", "dir=d", "out=e/f")
    assert line.item == Item("http://h/a", headers={"A": "1", "B": "2"}, folder="d/e", filename="f")


@pytest.mark.parametrize("option", ["max-tries=3", "bt-tracker=x", "nonsense=1", "header=no colon"])
def test_other_options_are_told_and_ignored(option: str) -> None:
    line = one(option)
    assert line.item == Item("http://h/a")
    assert len(line.warnings) == 1


@pytest.mark.parametrize(
    "option",
    [
        *("dir=/etc", "dir=..", "dir=a/../../b", "dir=~", "dir=C:\\x", "dir=\\\\srv\\x"),
        *("out=../x", "out=/etc/x", "out=..\\x", "out=a/..", "out=C:\\x", "out=~/x"),
        *("on-download-complete=rm", "on-bt-download-complete=x", "conf-path=/x", "input-file=x"),
        *("save-session=/x", "log=/x", "load-cookies=/etc/passwd", "save-cookies=x"),
        *("split=many", "max-download-limit=fast", "kind=film", "cookie=;Domain=h"),
    ],
)
def test_options_that_reach_out_or_make_no_sense_refuse_their_line(option: str) -> None:
    first, second = parse(f"http://h/a\n {option}\nhttp://h/b\n")
    assert first.error
    assert first.item is None
    assert second.item == Item("http://h/b")


def test_a_saved_session_is_read() -> None:
    text = "http://h/a\thttp://i/a\t\n gid=1111111111111111\n pause=true\n header=A: b\n out=x\n"
    (line,) = parse(text)
    assert line.item == Item(
        "http://h/a", mirrors=("http://i/a",), paused=True, headers={"A": "b"}, filename="x"
    )


@given(st.lists(strategies.items()))
def test_what_is_written_is_read_back(wanted: list[Item]) -> None:
    lines = parse(aria2.format_list(wanted))
    assert [line.item for line in lines] == wanted
    assert all(line.warnings == () for line in lines)


def test_our_own_limit_is_written_so_that_aria2_reads_the_same() -> None:
    assert "max-download-limit=2000000\n" in aria2.format_list(
        [Item("http://h/a", speed_limit="2M")]
    )


def test_a_line_break_in_a_value_cannot_become_an_option() -> None:
    text = aria2.format_list([Item("http://h/a", title="x\n out=evil\u2028\rhttp://evil/")])
    (line,) = parse(text)
    assert line.item
    assert line.item.filename is None


def test_a_line_break_in_an_address_cannot_become_another_one() -> None:
    """Of a JSON list, where it is refused: dropped again, it is refused again, and nothing else is fetched."""
    lines = parse(
        aria2.format_list([Item("http://h/a\nhttp://evil/", mirrors=("http://h/b\r\n out=x",))])
    )
    assert len(lines) == 1
    assert "http://evil/" in lines[0].url
