"""Notices for people, made from events: what finished, what failed, what waits for them.

Events are gathered for two seconds and become at most a few notices (`model/notices` words them),
each of which is published as an event and shown once. Notices that others publish are shown as well.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, Protocol

from trayagent.agent.bus import Bus
from trayagent.model.events import DownloadEvent, Event, Notice
from trayagent.model.notices import blocked_by, concerns, notices

log = logging.getLogger(__name__)

GATHERING_SECONDS: Final = 2.0
"""How long events are gathered into one notice."""


class NoticeDisplay(Protocol):
    """Who puts a notice on the screen."""

    async def show(self, notice: Notice) -> None:
        """Show it, or quietly do nothing; never raises."""


class Announcer:
    """A service; everything else is for the front loop."""

    def __init__(self, bus: Bus, display: NoticeDisplay, level: str) -> None:
        self.level = level
        """`all`, `errors` or `none`."""
        self._bus = bus
        self._display = display
        self._gathered: list[Event] = []
        self._to_show: list[Notice] = []
        """Notices that others published."""
        self._own: Notice | None = None
        """The notice that is being published here: it comes back as an event."""
        self._bell = asyncio.Event()
        self._quiet_until = 0.0
        self._blocked = ""
        """The code with which the folder last refused a file, until it takes one."""
        self._subscription = bus.subscribe(self._hear)

    def snooze(self, minutes: float) -> None:
        """Show nothing for so many minutes; 0 ends it. The menu still remembers."""
        self._quiet_until = time.monotonic() + minutes * 60

    async def run(self) -> None:
        """Announce until cancelled."""
        with self._subscription:
            while True:
                await self._bell.wait()
                await asyncio.sleep(GATHERING_SECONDS)
                # After the wait, not before it: what came meanwhile is gathered by this round.
                self._bell.clear()
                gathered, self._gathered = self._gathered, []
                to_show, self._to_show = self._to_show, []
                for notice in notices(gathered):
                    await self.tell(notice)
                for notice in to_show:
                    await self._show(notice)

    async def tell(self, notice: Notice) -> None:
        """Publish and show one notice now, if its level is wanted."""
        if self._is_wanted(notice):
            # Listeners are called while we publish: `_hear` must know by then that this one is
            # ours.
            self._own = notice
            self._bus.publish(notice)
            await self._show(notice)

    async def _show(self, notice: Notice) -> None:
        if self._is_wanted(notice) and time.monotonic() >= self._quiet_until:
            await self._display.show(notice)

    def _is_wanted(self, notice: Notice) -> bool:
        return self.level == "all" or (self.level == "errors" and notice.level == "error")

    def _hear(self, event: Event) -> None:
        # 1. A notice of somebody else's: to be shown, too.
        if isinstance(event, Notice):
            if event is self._own:
                return
            self._to_show.append(event)
        # 2. The folder takes no files: that blocks every download after the other. People hear of it
        #    once, until a file arrives again.
        elif code := blocked_by(event):
            before, self._blocked = self._blocked, code
            if code == before:
                return
            log.warning("Downloads wait until their folder takes files again: %s", code)
            self._gathered.append(event)
        # 3. Something that a notice may be made of.
        else:
            if isinstance(event, DownloadEvent) and event.what == "completed":
                self._blocked = ""
            if not concerns(event):
                return
            self._gathered.append(event)
        self._bell.set()
