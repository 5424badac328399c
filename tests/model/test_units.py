"""Sizes and durations are read as people write them, and written as people read them."""

from __future__ import annotations

import pytest

from trayagent.model import units
from trayagent.model.units import stamp


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("500", 500),
        ("1K", 1000),
        ("2MB", 2_000_000),
        (" 2 mb ", 2_000_000),
        ("2MB/s", 2_000_000),
        ("1.5GiB", 1_610_612_736),
        ("50GB", 50_000_000_000),
        ("1KiB", 1024),
        ("3TB", 3_000_000_000_000),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert units.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "x", "-1", "1XB", "MB", "1,5MB", "1e9", "٣MB", "1 2", "inf"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("0005", 5),
        ("9" * 19, 10**19 - 1),
        ("9" * 20, None),
        pytest.param("0" * 5000 + "5", None, id="zeros without end"),
        ("-1", None),
        ("1_0", None),
        ("²", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_counts_in_headers(text: str | None, count: int | None) -> None:
    assert units.parse_count(text) == count


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6h", 21600), ("30m", 1800), ("1.5s", 1.5), ("250ms", 0.25), ("0", 0), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("1-2s", 1, 2), ("0", 0, 0), ("500ms-1s", 0.5, 1), ("1 - 2 m", 60, 120), ("3s", 3, 3)],
)
def test_ranges(text: str, low: float, high: float) -> None:
    assert units.parse_range(text) == (low, high)


@pytest.mark.parametrize("text", ["", "soon", "-", "1-", "2-1s", "1-2-3s", "6 weeks"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        units.parse_range(text)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_795_267_207.25, "2026-11-21T13:20:07.250Z"),
        (4_102_444_800, "2100-01-01T00:00:00.000Z"),
        (-455_000_000.5, "1955-08-01T19:06:39.500Z"),
        (-31_006_800_000, "0987-06-08T00:00:00.000Z"),
        (None, None),
    ],
)
def test_stamps(seconds: float | None, told: str | None) -> None:
    assert stamp(seconds) == told
