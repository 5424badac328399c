"""Waiting for downloads by the agent's events, until all have settled."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from trayagent.cli.client import Agent, Event, segment
from trayagent.cli.exits import NotRunningError
from trayagent.cli.progress import Bars
from trayagent.model.errors import NotFoundError

SETTLED: Final = frozenset({"completed", "failed", "cancelled", "removed"})
PAUSE: Final = 0.2
"""Seconds between the end of one stream of events and the next."""


def follow(agent: Agent, ids: Iterable[str], bars: Bars) -> dict[str, dict[str, Any]]:
    """Return when every download has settled: id -> how it ended.

    Raises NotRunningError when the agent goes away; it keeps the downloads.
    """
    watch = _Watch(agent, list(ids), bars)
    try:
        while watch.pending:
            with agent.events() as events:
                # Read the states after the stream is open: what changes from here on is an event.
                watch.look()
                watch.listen(events)
            if watch.pending:
                time.sleep(PAUSE)
    except NotRunningError as error:
        raise NotRunningError(
            "The agent went away; it keeps the downloads and goes on when it runs again."
        ) from error
    return watch.ended


class _Watch:
    def __init__(self, agent: Agent, ids: list[str], bars: Bars) -> None:
        self._agent = agent
        self._bars = bars
        self.pending = dict.fromkeys(ids)
        self.ended: dict[str, dict[str, Any]] = {}

    def look(self) -> None:
        """Ask how each stands."""
        for id in list(self.pending):
            try:
                self._see(self._agent.get(f"downloads/{segment(id)}"))
            except NotFoundError:
                self._settle({"id": id, "state": "removed", "url": ""})

    def listen(self, events: Iterator[Event]) -> None:
        """Follow the events until all have settled, the stream ends or falls silent."""
        while self.pending:
            try:
                event = next(events, None)
            except TimeoutError:
                return
            if event is None or event.name == "reset" or _undone(event):
                return
            if event.name == "download.progress":
                self._bars.moved(event.data["id"], event.data["received"], event.data["size"])
            elif event.name == "download.removed" and event.data["id"] in self.pending:
                self._settle({**event.data, "state": "removed"})
            elif event.name.startswith("download.") and event.data["id"] in self.pending:
                self._see(event.data)

    def _see(self, download: dict[str, Any]) -> None:
        self._bars.show(download)
        if download["state"] in SETTLED:
            self._settle(download)

    def _settle(self, download: dict[str, Any]) -> None:
        self.pending.pop(download["id"], None)
        self.ended[download["id"]] = download


def _undone(event: Event) -> bool:
    """Whether a batch was taken back: of a large one its downloads say nothing themselves."""
    return event.name == "batch.finished" and event.data["undone_at"] is not None
