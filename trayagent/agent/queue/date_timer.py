"""A timer for dates, on a machine whose clock is set and which sleeps.

Dates are told by the clock on the wall, waits are measured by one that nobody sets. They part company:

    what happens          the date, as the wall has it   the loop's timer          so
    --------------------  -----------------------------  ------------------------  ------------------------
    the machine sleeps    comes in its sleep             has stood still with it   another look now and then
    the clock goes ahead  comes sooner                   does not know             the same
    the clock goes back   comes hours late               rings in time             `set_back_by` says it: who
                                                                                   keeps dates moves them
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 30.0
"""Between two looks at the clock while a date is waited for."""
STEP_SECONDS: Final = 2.0
"""What a clock loses in less than that is no step: it is only brought into line."""


class DateTimer:
    """Calls `ring` when a date may have come; its owner looks, and arms it again."""

    def __init__(
        self,
        ring: Callable[[], None],
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring = ring
        self._now, self._steady = now, steady
        self._lead = now() - steady()
        """Seconds by which the one clock was ahead of the other."""
        self._handle: asyncio.TimerHandle | None = None

    def arm(self, *dates: float | None) -> None:
        """Ring when the first of these (Unix seconds) has come; none: not at all."""
        self.cancel()
        due = min((date for date in dates if date is not None), default=None)
        if due is not None:
            # The clock may have been set back after these dates were read: then they are to be moved first.
            is_right = self._seconds_lost() <= STEP_SECONDS
            seconds = min(max(0.0, due - self._now()), LOOK_SECONDS) if is_right else 0.0
            self._handle = asyncio.get_running_loop().call_later(seconds, self._ring)

    def cancel(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def set_back_by(self) -> float:
        """Seconds by which the clock was set back since this was asked last; 0: it was not."""
        lost = self._seconds_lost()
        self._lead -= lost
        return lost if lost > STEP_SECONDS else 0.0

    def _seconds_lost(self) -> float:
        return self._lead - (self._now() - self._steady())

    def __repr__(self) -> str:
        return f"<DateTimer{', armed' if self._handle else ''}>"
