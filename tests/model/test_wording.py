"""What people read: sizes, durations, times and names, and never what is secret or hidden."""

from __future__ import annotations

import json
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model import units, wording
from trayagent.model.downloads import State

EXAMPLES: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "examples" / "wording.json").read_text("utf-8")
)
"""The same for the copy that the dashboard has."""


@pytest.mark.parametrize(("count", "shown"), [*EXAMPLES["sizes"], (10**19, "10000 PB")])
def test_sizes(count: int, shown: str) -> None:
    assert wording.show_size(count) == shown


@given(st.integers(0, 10**16))
def test_a_shown_size_is_the_size_but_for_rounding(count: int) -> None:
    text = wording.show_size(count).replace(" bytes", "").replace(" byte", "")
    shown = units.parse_size(text) if "PB" not in text else count
    assert abs(shown - count) <= 0.05 * count


@pytest.mark.parametrize(("seconds", "shown"), [*EXAMPLES["durations"], (-3, "0 s")])
def test_durations(seconds: float, shown: str) -> None:
    assert wording.show_duration(seconds) == shown


@pytest.mark.parametrize(("number", "noun", "shown"), EXAMPLES["counts"])
def test_counts(number: int, noun: str, shown: str) -> None:
    assert wording.show_count(number, noun) == shown


def test_counts_of_several_sorts_leave_out_what_there_is_none_of() -> None:
    assert wording.show_counts({"completed": 40, "failed": 0, "queued": 1200}) == (
        "40 completed, 1,200 queued"
    )
    assert wording.show_counts({}) == "nothing"


@pytest.mark.parametrize(("filename", "url", "shown"), EXAMPLES["names"])
def test_names_hold_no_query(filename: str | None, url: str, shown: str) -> None:
    assert wording.name_of(filename, url) == shown


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ([], "0 downloads"),
        ([(None, "not an address"), (None, "https://a.example/x.mp4")], "2 downloads"),
        ([(None, "https://a.example/b%20c.mp4?token=1")], "b c.mp4"),
        (
            [("film.mp4", "https://a.example/1"), *[(None, "https://b.example/2")] * 1200],
            "film.mp4 and 1,200 more",
        ),
        (
            [(None, "https://a.example/watch?v=1"), (None, "https://a.example/watch?v=2")],
            "2 from a.example",
        ),
        (
            [(None, "https://a.example/watch"), (None, "https://b.example/2.mp4")],
            "a.example and 1 more",
        ),
        ([(None, "https://a.example/"), (None, "https://a.example/2")], "2 from a.example"),
        (
            [("long " * 40 + "end.mp4", "https://a.example/1")] * 2,
            "long long long long long long …g long long long long end.mp4 and 1 more",
        ),
    ],
)
def test_a_batch_is_called_after_what_is_in_it(
    asked: list[tuple[str | None, str]], called: str
) -> None:
    assert wording.name_of_batch(asked) == called


def test_a_name_cannot_disguise_itself() -> None:
    assert wording.name_of("holiday\u202egpj.exe", "") == "holiday gpj.exe"
    assert wording.printable("a\nb\x1b[31m", "�") == "a�b�[31m"


def test_a_long_name_keeps_both_its_ends() -> None:
    assert wording.shorten("a-very-long-name-of-a-film.mp4", 15) == "a-very-l…lm.mp4"
    assert wording.shorten("short", 15) == "short"


def test_percent_and_speed_say_nothing_where_nothing_is_known() -> None:
    assert wording.percent(45, 100) == 45
    assert wording.percent(200, 100, most=99) == 99
    assert wording.percent(200, None) is None
    assert (wording.show_speed(0), wording.show_speed(2_400_000)) == ("", "2.4 MB/s")


def test_a_time_of_another_day_says_the_day() -> None:
    stamp, day = "2026-11-21T14:05:00Z", date(2026, 11, 21)
    assert wording.show_clock(stamp, zone=UTC) == "14:05"
    assert wording.show_clock(stamp, day, UTC) == "14:05"
    assert wording.show_clock(stamp, date(2026, 11, 22), UTC) == "2026-11-21 14:05"
    assert wording.show_local_time(None) == ""


def test_every_state_has_a_sentence() -> None:
    assert wording.STATE_SENTENCES.keys() == set(State)


def test_every_state_has_one_word() -> None:
    assert wording.STATE_WORDS.keys() == set(State)
    assert EXAMPLES["states"] == wording.STATE_WORDS
    assert EXAMPLES["needs_you"] == wording.NEEDS_YOU


@given(st.text(max_size=80), st.integers(8, 60))
def test_the_ends_of_a_long_text_stay(text: str, width: int) -> None:
    short = wording.shorten(text, width)
    assert len(short) <= width
    assert short == text or (text.startswith(short.partition("…")[0]) and text.endswith(short[-2:]))
