"""When all is done: tell, sleep or shut down; asked each time, with a countdown that can be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.agent.status import LiveStatus
from trayagent.model import notices
from trayagent.model.errors import TrayagentError
from trayagent.model.events import Event, WhenDoneChanged
from trayagent.model.status import Plan, WhenDone
from trayagent.model.units import stamp

COUNTDOWN_SECONDS: Final = 60.0
"""For a person to stop it."""

log = logging.getLogger(__name__)


class WhenDoneControl:
    """A service; everything else is for the front loop.

    | state      | becomes    | when                                           |
    |------------|------------|------------------------------------------------|
    | nothing    | armed      | a person chooses a plan                        |
    | armed      | countdown  | something was under way, and nothing is left   |
    | countdown  | armed      | new work comes                                 |
    | countdown  | nothing    | a person stops it, or the plan is carried out  |
    """

    def __init__(
        self,
        bus: Bus,
        live_status: LiveStatus,
        countdown: float = COUNTDOWN_SECONDS,
    ) -> None:
        self._bus = bus
        self._live_status = live_status
        self._countdown = countdown
        self._bell = asyncio.Event()
        self._was_busy = False
        self.when_done = WhenDone()

    def choose(self, plan: Plan) -> WhenDone:
        """Another plan; `nothing` also stops a countdown."""
        self._was_busy = False
        self._become(WhenDone(plan))
        self._bell.set()
        return self.when_done

    async def run(self, power: Callable[[Plan], None]) -> None:
        """Watch until cancelled. `power` carries out a plan, and blocks for a moment."""
        with self._bus.subscribe(self._hear):
            while True:
                self._bell.clear()
                if self._is_busy:
                    self._was_busy = True
                elif self._was_busy and self.when_done.plan != "nothing":
                    await self._finish(self.when_done.plan, power)
                    continue
                await self._bell.wait()

    async def _finish(self, plan: Plan, power: Callable[[Plan], None]) -> None:
        self._was_busy = False
        if plan == "notify":
            self._become(WhenDone())
            self._bus.publish(notices.all_done_notice())
            return
        self._become(WhenDone(plan, stamp(time.time() + self._countdown)))
        self._bus.publish(notices.countdown_notice(plan, round(self._countdown)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._countdown):
                # Any other plan, or new work, ends the countdown.
                while self.when_done.plan == plan and not self._is_busy:
                    await self._bell.wait()
                    self._bell.clear()
        # 1. New work came: the plan stays, for the end of that.
        # 2. Time is up, and nobody has chosen otherwise. Nothing is left of the plan before it is carried
        #    out: a computer that wakes up again must not go to sleep at once.
        # 3. A person has stopped it, or chosen another plan.
        if self._is_busy and self.when_done.plan == plan:
            self._become(WhenDone(plan))
        elif self.when_done.plan == plan and self.when_done.ends_at is not None:
            self._become(WhenDone())
            try:
                await asyncio.to_thread(power, plan)
            except TrayagentError as error:
                self._bus.publish(notices.error_notice(error))
        self._bell.set()

    @property
    def _is_busy(self) -> bool:
        status = self._live_status.status
        return bool(status.active or status.queued)

    def _become(self, when_done: WhenDone) -> None:
        if when_done != self.when_done:
            self.when_done = when_done
            self._bus.publish(WhenDoneChanged(when_done))

    def _hear(self, _event: Event) -> None:
        # The status follows the same events; it is looked at in the service's own turn.
        if self.when_done.plan != "nothing":
            self._bell.set()
