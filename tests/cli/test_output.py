"""People get aligned, plain text, coloured only on a terminal; nobody's text can drive the terminal."""

import io
import json
import sys

import pytest

from trayagent.cli import streams
from trayagent.cli.output import Screen, shorten
from trayagent.model.errors import TrayagentError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_columns_line_up_and_end_without_blanks() -> None:
    out = io.StringIO()
    screen = Screen(out, io.StringIO(), {})
    screen.table([["d1", "active", "a"], ["d10", "ok", ""]], head=["ID", "STATE", "NAME"])
    assert out.getvalue().splitlines() == [
        "ID   STATE   NAME",
        "d1   active  a",
        "d10  ok",
    ]


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [(Terminal, {}, True), (Terminal, {"NO_COLOR": "1"}, False), (io.StringIO, {}, False)],
)
def test_colour_is_for_terminals_only(
    stream: type[io.StringIO],
    environ: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "obeys_escapes", lambda stream: stream.isatty())
    out = stream()
    Screen(out, io.StringIO(), environ).say("It failed.", "failed")
    assert ("\x1b[" in out.getvalue()) is coloured


def test_foreign_text_cannot_drive_the_terminal() -> None:
    out, err = Terminal(), Terminal()
    screen = Screen(out, err, {"NO_COLOR": "1"})
    screen.say("film\x1b[2J\x07.mp4\r\u202e")
    screen.table([["\x1b]0;owned\x07", "x\ny"]])
    screen.error(TrayagentError("bad", "no\x1b[2Jway", "do\x9bthis"))
    assert not set("\x1b\x07\r\x9b\u202e") & set(out.getvalue() + err.getvalue())


def test_an_error_says_what_and_what_next() -> None:
    err = io.StringIO()
    screen = Screen(io.StringIO(), err, {})
    screen.error(TrayagentError("bad", "It is broken.", "Mend it."))
    assert err.getvalue() == "It is broken.\n  Mend it.\n"
    screen.json = True
    screen.error(TrayagentError("bad", "It is broken.", "Mend it."))
    line = err.getvalue().splitlines()[-1]
    assert json.loads(line) == {
        "error": {"code": "bad", "message": "It is broken.", "action": "Mend it."}
    }


def test_a_name_that_no_console_can_show_does_not_break_it() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = Screen(out, io.StringIO(), {})
    screen.say("naïve–\udcff.mp4")
    out.flush()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_whatever_the_stream_can_write(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    screen = Screen(out, io.StringIO(), {})
    value = {"name": "é 中文 \U0001f600"}
    screen.data(value)
    screen.line(value)
    first, _, second = raw.getvalue().decode("utf-8").partition("}")
    assert json.loads(first + "}") == json.loads(second) == value


def test_pipes_of_windows_carry_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="cp1252"), io.StringIO(), {})
    screen.say("中文.bin")
    screen.data({"name": "中文"})
    assert raw.getvalue().decode("utf-8").splitlines()[0] == "中文.bin"
    assert raw.getvalue().splitlines()[2:3] == [b'  "name": "\\u4e2d\\u6587"']


def test_a_console_that_obeys_no_escapes_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "obeys_escapes", lambda _stream: False)
    out, err = Terminal(), Terminal()
    screen = Screen(out, err, {})
    screen.say("It failed.", "failed")
    screen.live_line("42 %")
    screen.error(TrayagentError("bad", "It is broken."))
    assert "\x1b" not in out.getvalue() + err.getvalue()


def test_an_error_that_nobody_can_read_has_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes: list[tuple[str, str]] = []
    monkeypatch.setattr(
        streams, "show_message_box", lambda title, text: boxes.append((title, text))
    )
    screen = Screen(io.StringIO(), io.StringIO(), {}, unseen=True)
    screen.error(TrayagentError("bad_config", "It is broken.", "Mend it."))
    assert boxes == [("trayagent", "It is broken.\n\nMend it.")]


LONG = "/home/me/" + "a long folder/" * 12 + "film.mp4"


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> tuple[Screen, Terminal]:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Terminal()
    return Screen(out, io.StringIO(), {"NO_COLOR": "1"}), out


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The longest columns give way; the short ones and the state stay whole."""
    screen, out = terminal(monkeypatch, columns)
    rows = [["1", "download", LONG, f"http://{'h' * 90}/a"], ["2", "rejected", "no", "http://h/b"]]
    screen.table(rows, head=["LINE", "WOULD BE", "WHERE OR WHY", "URL"], state=1)
    lines = out.getvalue().splitlines()
    assert all(len(line) <= columns for line in lines)
    assert [line.split()[:2] for line in lines[1:]] == [["1", "download"], ["2", "rejected"]]
    assert "http" in lines[1]


def test_facts_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody copies the path from there."""
    screen, out = terminal(monkeypatch)
    screen.facts([["id", "d1"], ["path", LONG]])
    assert out.getvalue().splitlines() == ["id    d1", f"path  {LONG}"]


def test_long_names_are_cut_in_the_middle() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 10) == "abcde…hijk"


def test_it_says_what_it_is() -> None:
    assert repr(Screen(Terminal(), io.StringIO(), {})) == "<Screen for a person, live>"
