"""What the tray shows, kept up to date: the agent's state at the start, its events from then on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from trayagent.agent import Agent
from trayagent.desktop.tray.snapshot import KEPT, Snapshot, SourceView, after, undo_of
from trayagent.model.events import Event, Notice, SourceChanged, SyncEvent
from trayagent.model.library import SourceInfo
from trayagent.model.settings import Config
from trayagent.model.units import stamp

UNDO_OFFERED_SECONDS: Final = 24 * 3600.0
"""Seconds after its end in which the last batch is still offered for undoing at a start."""

Show = Callable[[Snapshot], None]

log = logging.getLogger(__name__)


class Feed:
    """Loop-only. `run` shows a snapshot after every event that changes it."""

    def __init__(self, agent: Agent, show: Show) -> None:
        self._agent = agent
        self._show = show
        self._snapshot = Snapshot(offline="Starting…")
        self._stale = asyncio.Event()

    async def run(self) -> None:
        """Show the agent until cancelled."""
        # Listening begins before the store is read. The other way round, what happened in between
        # would be missing for good.
        events: list[Event] = []
        board = self._agent.live_status.board
        with self._agent.bus.subscribe(events.append):
            queries = self._agent.queries
            recent, _ = await queries.downloads(states=("completed",), limit=KEPT)
            failed, _ = await queries.downloads(states=("failed",), limit=KEPT)
            last = await queries.last_saved(time.time() - UNDO_OFFERED_SECONDS)
            snapshot = Snapshot(
                recent=tuple(recent),
                failed=tuple(failed),
                sources=await self._sources(),
                undo=undo_of(last) if last else None,
                speed=self._agent.speed_control.speed,
                when_done=self._agent.when_done.when_done,
            )
            snapshot = _with_config(snapshot, self._agent.live_settings.config)
            snapshot = replace(snapshot, board=board)
        # What happened while the store was read comes on top; nothing is missed between the two.
        for event in events:
            snapshot = after(snapshot, event)
        with self._agent.bus.subscribe(self._hear):
            self._agent.live_settings.follow(self._follow)
            self.become(snapshot)
            while True:
                await self._stale.wait()
                self._stale.clear()
                self.become(replace(self._snapshot, sources=await self._sources()))

    def become(self, snapshot: Snapshot) -> None:
        """Show it, if it differs."""
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            self._show(snapshot)

    def set_snooze(self, minutes: int) -> None:
        """No popups for so many minutes; 0 ends it."""
        until = stamp(time.time() + minutes * 60) if minutes else None
        self.become(replace(self._snapshot, snoozed_until=until))
        if until:
            # The announcer ends its own silence by itself; this only takes the words out of the
            # menu.
            asyncio.get_running_loop().call_later(minutes * 60, self._wake, until)

    def clear_undo(self) -> None:
        """There is nothing to take back any more."""
        self.become(replace(self._snapshot, undo=None))

    def _wake(self, until: str) -> None:
        # A newer snooze has a timer of its own.
        if self._snapshot.snoozed_until == until:
            self.become(replace(self._snapshot, snoozed_until=None))

    def _hear(self, event: Event) -> None:
        self.become(after(self._snapshot, event))
        # A notice may say that a sign-in was lost.
        if isinstance(event, (Notice, SourceChanged)) or (
            isinstance(event, SyncEvent) and event.what == "finished"
        ):
            self._stale.set()

    def _follow(self, config: Config) -> None:
        self.become(_with_config(self._snapshot, config))
        self._stale.set()  # a source may have been added or removed

    async def _sources(self) -> tuple[SourceView, ...]:
        """The boundary of the picture: a library that cannot be asked leaves the rows as they were."""
        try:
            return tuple(_view(source) for source in await self._agent.library.sources())
        except Exception:
            log.exception("the sources cannot be shown")
            return self._snapshot.sources


def _view(source: SourceInfo) -> SourceView:
    run = source.last_run
    return SourceView(
        source.name,
        source.signed_in,
        syncing=run is not None and run.state == "running",
        seen=run.seen if run else 0,
        missing=source.missing,
        error=run.error.message if run and run.error else None,
    )


def _with_config(snapshot: Snapshot, config: Config) -> Snapshot:
    return replace(
        snapshot,
        level=config.notifications.level,
        downloads_folder=config.downloads.folder,
        drop_folder=config.drop.folder,
        library_folder=config.library.folder,
    )
