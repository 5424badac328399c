"""A moment is read in every form that APIs write it in; what tells none is None."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from trayagent.model.units import local_day, parse_moment

NOON = 1_714_564_800.0  # 2024-05-01T12:00:00Z
SCANNED = -455_000_000.0  # 1955-08-01T19:06:40Z


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"], autouse=True)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What is told with its zone is the same moment everywhere."""
    monkeypatch.setenv("TZ", request.param)
    if hasattr(time, "tzset"):
        time.tzset()
    yield request.param
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("seconds", [NOON, SCANNED, -5_000_000_000.0, 4_000_000_000.0])
def test_the_size_of_a_number_tells_its_unit(seconds: float, scale: int) -> None:
    assert parse_moment(int(seconds) * scale) == seconds
    assert parse_moment(str(int(seconds) * scale)) == seconds


def test_a_number_may_have_a_fraction() -> None:
    assert parse_moment(NOON + 0.25) == NOON + 0.25
    assert parse_moment(f" {NOON + 0.25} ") == NOON + 0.25
    assert parse_moment(1_714_564_800_250) == NOON + 0.25


@pytest.mark.parametrize(
    ("value", "others", "seconds"),
    [
        (-1_000_000_000, [], -1e9),
        (-1_000_000_000, [1_714_564_800_000, -455_000_000_000], -1e6),
        (86_400_000, ["1714564800000"], 86_400.0),
        (5, [1_714_564_800_000_000, None, "soon"], 0.000005),
        # Half and half: each by its own size.
        (-455_000_000, [-455_000_000_000, "-455000000", "1955-08-01T18:00:00Z"], SCANNED),
        # What is too large for seconds is none, whatever the others are.
        (1_714_564_800_000, [1_714_564_800, 5, 6], NOON),
    ],
)
def test_a_small_number_goes_by_most_of_the_others(
    value: int, others: list[Any], seconds: float
) -> None:
    assert parse_moment(value, others) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01t12:00:00z",
        "2024-05-01 12:00:00",
        "2024-05-01T12:00:00.000000000Z",
        "2024-05-01T12:00:00+0000",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01T08:30:00-03:30",
        "20240501T120000Z",
        "20240501120000",
        "2024-05-01 12:00:00 UTC",
        "2024-05-01 14:00:00 +0200 CEST",
        "2024-05-01 12:00:00.000 +0000 UTC",
        "2024/05/01 12:00:00",
        "2024:05:01 14:00:00+02:00",
        "Wed, 01 May 2024 12:00:00 GMT",
        "Wed, 1 May 2024 14:00:00 +0200",
        "1 May 2024 08:00 EDT",
        "Wednesday, 01-May-24 12:00:00 GMT",
        "Wed May  1 12:00:00 2024",
        "Wed May  1 12:00:00 UTC 2024",
        "Wed May 01 12:00:00 +0000 2024",
        "Wed May 01 2024 14:00:00 GMT+0200 (Central European Summer Time)",
        "May 1, 2024, 12:00:00\u202fPM UTC",
        "May 1st, 2024 at 12:00 p.m.",
        "01.05.2024 12:00",
        "/Date(1714564800000)/",
        "/Date(1714564800000+0200)/",
        "\\/Date(1714564800000)\\/",
        "2024-05-01T14:00:00+02:00[Europe/Berlin]",
        "2024-05-01T12:00:00Z[UTC]",
        [2024, 5, 1, 12, 0],
        [2024, 5, 1, 12, 0, 0, 250_000_000],
        {"$date": "2024-05-01T12:00:00Z"},
        {"$date": {"$numberLong": "1714564800000"}},
        {"_seconds": 1714564800, "_nanoseconds": 0},
        {"seconds": "1714564800", "nanos": 7},
    ],
)
def test_one_moment_in_many_forms(text: object) -> None:
    assert parse_moment(text) == NOON


def test_24_o_clock_is_the_midnight_at_the_end_of_the_day() -> None:
    assert parse_moment("2024-05-01T24:00:00Z") == parse_moment("2024-05-02T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01",
        "20240501",
        "2024-W18-3",
        "2024/5/1",
        "2024.05.01",
        "2024:05:01",
        "2024:05:01 12:00:00",
        "2024:05:01 23:59:59.99",
        "2024:05:01 00:00:00",
        "1 May 2024",
        "May 1, 2024",
        "01.05.2024",
        "2024-05",
    ],
)
def test_a_day_without_a_zone_is_the_day_here(text: str) -> None:
    moment = parse_moment(text)
    assert moment is not None
    assert local_day(moment) == "2024-05-01"


@pytest.mark.parametrize(
    ("text", "others", "day"),
    [
        ("31/05/2024", [], "2024-05-31"),
        ("05/31/2024 12:00", [], "2024-05-31"),
        ("05/04/2024 12:00", ["05/31/2023", None, 7], "2024-05-04"),
        ("05/04/2024 12:00", ["31/12/2023"], "2024-04-05"),
        ("05/04/2024", [], None),
        ("05/04/2024", ["31/12/2023", "12/31/2023"], None),
        ("05-04-2024", ["31/12/2023"], None),
    ],
)
def test_whether_day_or_month_comes_first_is_never_guessed(
    text: str, others: list[Any], day: str | None
) -> None:
    moment = parse_moment(text, others)
    assert (None if moment is None else local_day(moment)) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1955-08-01T18:00:00Z", "1955-08-"),
        ("0987-06-05T12:00:00Z", "0987-06-05"),
        ("1826:05:01 12:00:00", "1826-05-01"),
        ("1955", "1955-01-01"),
    ],
)
def test_long_ago(text: str, day: str) -> None:
    moment = parse_moment(text)
    assert moment is not None
    assert local_day(moment).startswith(day)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, [], {}, b"2024-05-01", "", " ", "soon", "2024-13-01", "2024-02-30",
        "0001-01-01T00:00:00Z", "0001-01-01", "0001-01-01T00:00:00+14:00", "0000-00-00 00:00:00", "0000:00:00 00:00:00",
        "    :  :     :  :  ", "9999-12-31T23:59:59Z", float("nan"), float("inf"), 10**400, -10**30, "1" * 200,
        "May", "May 2024 2025 1", "Smarch 1, 2024", "may June 1 2024", "2024:05:01 12:00:00 or so", "25:00", "/Date()/",
        "2024-05-01 25:00:00", "2024-05-01T24:00:01Z", [2024, 5], [2024, 13, 1], [2024, "5", 1], [2024, 5, 1, True],
        [1, 1, 1], {"date": "2024-05-01"}, {"$date": {"$date": {"$date": 1}}}, [[2024, 5, 1]],
        "1, 2024", "99 May 2024", "infinity", "1e9",
    ],
)  # fmt: skip
def test_what_tells_no_date(value: object) -> None:
    assert parse_moment(value) is None


def test_a_long_text_costs_nothing() -> None:
    before = time.perf_counter()
    for worst in ("1" * 99, "May " * 24, "12:00:00." * 11, "(" * 99, "+00" * 33, "2024:" * 19):
        for length in (99, 100, 64_000):
            parse_moment((worst * length)[:length])
    assert time.perf_counter() - before < 0.5


def test_days_here_are_written_with_all_their_digits(zone: str) -> None:
    if hasattr(time, "tzset"):  # a process on Windows has the zone of the machine
        assert local_day(NOON) == "2024-05-01"
        late = "2024-05-02" if zone == "Asia/Tokyo" else "2024-05-01"
        assert local_day(NOON + 10 * 3600) == late
    assert len(local_day(-60_000_000_000.0)) == 10
    with pytest.raises(OverflowError):
        local_day(1e15)
    assert os.environ["TZ"] == zone


@pytest.mark.parametrize("unit", [1, 10**3, 10**6])
def test_year_one_in_numbers_is_no_date_either(unit: int) -> None:
    """How Go and .NET count the moment that stands for none."""
    assert parse_moment(-62_135_596_800 * unit) is None
    assert parse_moment(str(-62_135_596_800 * unit)) is None
