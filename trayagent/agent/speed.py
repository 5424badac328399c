"""Full, slow, or by the clock: how fast everything together may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.model import units
from trayagent.model.events import SpeedChanged
from trayagent.model.schedule import parse_hours
from trayagent.model.settings import Config
from trayagent.model.status import Speed, SpeedMode
from trayagent.store import facts
from trayagent.store.database import Database

SLOW_BYTES: Final = 500_000
"""A second, where the settings say nothing of "slow"."""
LOOK_SECONDS: Final = 20.0
"""Between two looks at the clock, which may be set, and stands still while the machine sleeps."""


class SpeedControl:
    """A service. `apply` gets the limit in bytes a second (0: none) whenever it may have changed."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        apply: Callable[[int], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
    ) -> None:
        self._db = db
        self._bus = bus
        self._apply = apply
        self._now = now
        self._mode: SpeedMode = "clock"
        self._config = Config()
        self.speed = Speed()
        """As it is now."""

    def configure(self, config: Config) -> None:
        """Take over settings, at start and after every change."""
        self._config = config
        self._look()

    async def choose(self, mode: SpeedMode) -> Speed:
        """Another mode, remembered for the next start. Raises StoreUnavailableError."""
        await self._db.run(facts.set_fact, facts.SPEED, None if mode == "clock" else mode)
        self._mode = mode
        self._look()
        return self.speed

    async def run(self) -> None:
        """Follow the clock until cancelled."""
        kept = await self._db.read(facts.fact, facts.SPEED)
        self._mode = "full" if kept == "full" else "slow" if kept == "slow" else "clock"
        while True:
            self._look()
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        speed = speed_at(self._config, self._mode, self._now())
        self._apply(speed.limit)
        if speed != self.speed:
            self.speed = speed
            self._bus.publish(SpeedChanged(speed))


def speed_at(config: Config, mode: SpeedMode, moment: datetime) -> Speed:
    """The speed in a mode at a moment of local time."""
    # | mode  | inside the hours           | outside                    |
    # |-------|----------------------------|----------------------------|
    # | full  | downloads.speed_limit      | downloads.speed_limit      |
    # | slow  | schedule.limit, or 500 KB  | schedule.limit, or 500 KB  |
    # | clock | the lower of the two       | downloads.speed_limit      |
    schedule = config.schedule
    general = units.parse_size(config.downloads.speed_limit)
    slow = units.parse_size(schedule.limit) if schedule.limit else SLOW_BYTES
    is_inside = bool(schedule.hours) and moment in parse_hours(schedule.hours, schedule.days)
    is_slow = mode == "slow" or (mode == "clock" and is_inside)
    limit = min(slow, general or slow) if is_slow else general
    return Speed(mode, limit, slow, schedule.hours, schedule.days, is_inside)
