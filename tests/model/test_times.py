"""Times are told in RFC 3339, UTC."""

import pytest

from trayagent.model.times import stamp


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
