"""The event stream: a bounded ring of events that any number of listeners follow at their own pace."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable
from itertools import takewhile
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from trayagent.model.events import DownloadEvent, DownloadProgress, Event, Tally

MOST_EVENTS: Final = 1000
"""So many events are kept for listeners that come back."""
HEARTBEAT_SECONDS: Final = 15.0
"""A listener that got nothing for so long gets a comment: it shows both sides that the other lives."""


class _NumberedEvent(Struct, frozen=True):
    number: int
    event: Event


class _StreamListener(Struct, frozen=True, eq=False):
    may_listen: Callable[[], bool]
    has_news: asyncio.Event = field(default_factory=asyncio.Event)


class EventRing:
    """Takes events from the bus and gives each listener what came after its own position.

    The events of the bus are kept in two ways:

    1. Progress: only the newest of each download, under numbers of its own. It is not repeated after
       a break, since the next one says it all.
    2. Everything else: in order, in a ring. A listener names its position as `RUN-NUMBER`; the run
       is random for each start, so that a number of an earlier run is not taken for one of this run.

    A listener whose position the ring no longer holds gets `reset`: it must read the state again.
    """

    def __init__(
        self, size: int = MOST_EVENTS, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._run = secrets.token_hex(4)
        self._events: deque[_NumberedEvent] = deque(maxlen=size)
        self._last = 0
        self._progress: dict[str, _NumberedEvent] = {}
        self._last_progress = 0
        self._heartbeat_seconds = heartbeat_seconds
        self._listeners: set[_StreamListener] = set()
        self._is_closed = False

    def add(self, event: Event) -> None:
        """Take an event from the bus."""
        if isinstance(event, Tally):
            return  # for the status only
        if isinstance(event, DownloadProgress):
            self._last_progress += 1
            self._progress[event.id] = _NumberedEvent(self._last_progress, event)
        else:
            if isinstance(event, DownloadEvent):
                # Progress from before this event must not reach a listener after it.
                self._progress.pop(event.download.id, None)
            self._last += 1
            self._events.append(_NumberedEvent(self._last, event))
        self._wake_listeners()

    def close(self) -> None:
        """End all streams at once."""
        self._is_closed = True
        self._wake_listeners()

    def recheck_listeners(self) -> None:
        """End the streams of those whose token has become worth nothing."""
        self._wake_listeners()

    async def follow(
        self, last_id: str | None = None, may_listen: Callable[[], bool] = lambda: True
    ) -> AsyncGenerator[bytes, None]:
        """The stream from after `last_id`, or from now; pieces of `text/event-stream`.

        Ends at `close`, and as soon as `may_listen` says no.
        """
        listener = _StreamListener(may_listen)
        self._listeners.add(listener)
        try:
            position, progress = self._last, self._last_progress
            if last_id is not None:
                run, _, number = last_id.partition("-")
                # Not of this run, or no number of ours: -1 is older than all we have, and leads to a reset.
                is_ours = run == self._run and number.isascii() and number.isdigit()
                is_past = is_ours and len(number) < 16 and int(number) <= self._last
                position = int(number) if is_past else -1
            # A listener that lost us comes back after a second; the line says where it stands, for
            # that.
            yield b"retry: 1000\n" + self._id_line(self._last if position < 0 else position) + b"\n"
            while may_listen() and not self._is_closed:
                # Cleared before looking: what comes while a piece is sent wakes us again.
                listener.has_news.clear()
                events, position = self._events_after(position)
                moves = b"".join(
                    _lines(one.event) for one in self._progress.values() if one.number > progress
                )
                progress = self._last_progress
                if events or moves:
                    yield events + moves
                    continue
                try:
                    async with asyncio.timeout(self._heartbeat_seconds):
                        await listener.has_news.wait()
                except TimeoutError:
                    yield b":\n\n"
        finally:
            self._listeners.discard(listener)

    def _events_after(self, position: int) -> tuple[bytes, int]:
        """The pieces of the stream after `position`, and the new position."""
        if position == self._last:
            return b"", position
        if position < self._last - len(self._events):
            return self._id_line(self._last) + b"event: reset\ndata: {}\n\n", self._last
        # From the end: a listener that keeps up misses one event of a thousand.
        newest_first = takewhile(lambda one: one.number > position, reversed(self._events))
        pieces = [self._id_line(one.number) + _lines(one.event) for one in newest_first]
        return b"".join(reversed(pieces)), self._last

    def _id_line(self, number: int) -> bytes:
        return f"id: {self._run}-{number}\n".encode()

    def _wake_listeners(self) -> None:
        for listener in self._listeners:
            listener.has_news.set()

    def __repr__(self) -> str:
        return f"<EventRing: {len(self._events)} events, {len(self._listeners)} listeners>"


def _lines(event: Event) -> bytes:
    data: Any = event.data()
    return f"event: {event.name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
