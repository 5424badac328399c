"""Hours and days by the clock, as people write them."""

from datetime import UTC, datetime

import pytest

from trayagent.model.schedule import parse_days, parse_hours

MONDAY = 23  # of November 2026


@pytest.mark.parametrize(
    ("hours", "days", "day", "clock", "inside"),
    [
        ("08:00-18:00", "", MONDAY, "08:00", True),
        ("08:00-18:00", "", MONDAY, "17:59", True),
        ("08:00-18:00", "", MONDAY, "18:00", False),
        ("8:00 - 18:00", "sat, sun", MONDAY, "12:00", False),
        ("08:00-18:00", "Mon-Fri", MONDAY + 4, "12:00", True),
        ("08:00-18:00", "mon-fri", MONDAY + 5, "12:00", False),
        # Over midnight: the morning belongs to the day before.
        ("22:00-06:00", "sun", MONDAY, "05:59", True),
        ("22:00-06:00", "sun", MONDAY, "22:00", False),
        ("22:00-06:00", "mon", MONDAY, "05:59", False),
        ("22:00-06:00", "", MONDAY, "12:00", False),
        ("00:00-24:00", "", MONDAY, "23:59", True),
    ],
)
def test_hours(hours: str, days: str, day: int, clock: str, inside: bool) -> None:
    hour, minute = map(int, clock.split(":"))
    assert (datetime(2026, 11, day, hour, minute, tzinfo=UTC) in parse_hours(hours, days)) is inside


def test_days_go_over_the_end_of_the_week() -> None:
    assert parse_days("fri-mon") == {4, 5, 6, 0}


@pytest.mark.parametrize(
    ("hours", "days"), [("8-18", ""), ("08:00-25:00", ""), ("08:00-18:60", "")]
)
def test_bad_hours_say_how_to_write_them(hours: str, days: str) -> None:
    with pytest.raises(ValueError, match="write them like 08:00-18:00"):
        parse_hours(hours, days)


def test_bad_days_say_how_to_write_them() -> None:
    with pytest.raises(ValueError, match="mon-fri"):
        parse_days("weekdays")
