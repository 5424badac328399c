"""Full, slow, or by the clock."""

from datetime import UTC, datetime

import pytest

from trayagent.agent.speed import speed_at
from trayagent.model.settings import Config, DownloadSettings, ScheduleSettings
from trayagent.model.status import SpeedMode

NOON, NIGHT = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 23, 23, tzinfo=UTC)
BY_DAY = ScheduleSettings("200kB", "08:00-18:00", "mon-fri")


@pytest.mark.parametrize(
    ("general", "schedule", "mode", "moment", "limit"),
    [
        ("0", BY_DAY, "clock", NOON, 200_000),
        ("0", BY_DAY, "clock", NIGHT, 0),
        ("0", BY_DAY, "full", NOON, 0),
        ("0", BY_DAY, "slow", NIGHT, 200_000),
        ("2MB", BY_DAY, "clock", NIGHT, 2_000_000),
        ("100kB", BY_DAY, "clock", NOON, 100_000),
        ("0", ScheduleSettings(), "slow", NOON, 500_000),
        ("0", ScheduleSettings(), "clock", NOON, 0),
    ],
)
def test_limit(
    general: str, schedule: ScheduleSettings, mode: SpeedMode, moment: datetime, limit: int
) -> None:
    config = Config(downloads=DownloadSettings(speed_limit=general), schedule=schedule)
    assert speed_at(config, mode, moment).limit == limit
