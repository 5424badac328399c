"""Tells people what finished and what failed: events in, at most a few notices out."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, Protocol

from trayagent.agent.bus import Bus
from trayagent.model.events import DownloadEvent, Event, Notice
from trayagent.model.notices import blocked_by, concerns, notices

log = logging.getLogger(__name__)

BREATH: Final = 2.0
"""Seconds in which events are gathered into one notice."""


class NoticeDisplay(Protocol):
    """Who puts a notice on the screen."""

    async def show(self, notice: Notice) -> None:
        """Show it, or quietly do nothing; never raises."""


class Announcer:
    """Gathers for two seconds, then publishes `Notice` events and shows them."""

    def __init__(self, bus: Bus, shows: NoticeDisplay, level: str) -> None:
        self.level = level
        """`all`, `errors` or `none`."""
        self._bus = bus
        self._shows = shows
        self._gathered: list[Event] = []
        self._said: list[Notice] = []
        """What others published themselves, and is still to be shown."""
        self._own: Notice | None = None
        self._bell = asyncio.Event()
        self._quiet_until = 0.0
        self._blocked = ""
        self._place = bus.subscribe(self._hear)

    def snooze(self, minutes: float) -> None:
        """Show nothing for so many minutes; 0 ends it. The menu still remembers."""
        self._quiet_until = time.monotonic() + minutes * 60

    async def run(self) -> None:
        """Announce until cancelled."""
        with self._place:
            while True:
                await self._bell.wait()
                await asyncio.sleep(BREATH)
                self._bell.clear()
                gathered, self._gathered = self._gathered, []
                said, self._said = self._said, []
                for notice in notices(gathered):
                    await self.tell(notice)
                for notice in said:
                    await self._show(notice)

    async def tell(self, notice: Notice) -> None:
        """Say one thing now, if people want to hear such things."""
        if self._wanted(notice):
            self._own = notice
            self._bus.publish(notice)
            await self._show(notice)

    async def _show(self, notice: Notice) -> None:
        if self._wanted(notice) and time.monotonic() >= self._quiet_until:
            await self._shows.show(notice)

    def _wanted(self, notice: Notice) -> bool:
        return self.level == "all" or (self.level == "errors" and notice.level == "error")

    def _hear(self, event: Event) -> None:
        if isinstance(event, Notice):
            if event is self._own:
                return
            self._said.append(event)
            self._bell.set()
        elif self._is_news(event):
            self._gathered.append(event)
            self._bell.set()

    def _is_news(self, event: Event) -> bool:
        """Whether it is worth telling; that a folder takes no files is told once, until one arrives."""
        if code := blocked_by(event):
            known, self._blocked = self._blocked, code
            if code != known:
                log.warning("Downloads wait until their folder takes files again: %s", code)
            return code != known
        if isinstance(event, DownloadEvent) and event.what == "completed":
            self._blocked = ""
        return concerns(event)
