"""The event stream: a bounded ring of facts that any number of listeners follow at their own pace."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final

import msgspec

from trayagent.model.events import DownloadEvent, DownloadProgress, Event, Tally

SIZE: Final = 1000
"""So many facts are kept for listeners that come back."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a connected listener gets a comment."""


@dataclass(frozen=True, slots=True)
class _Fact:
    number: int
    event: Event


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    welcome: Callable[[], bool]
    bell: asyncio.Event = field(default_factory=asyncio.Event)


def _always() -> bool:
    return True


class Ring:
    """Hears the bus. Progress is kept apart, only the newest of each download: it needs no replay."""

    def __init__(self, size: int = SIZE, heartbeat: float = HEARTBEAT) -> None:
        self._run = secrets.token_hex(4)
        self._facts: deque[_Fact] = deque(maxlen=size)
        self._last = 0
        self._progress: dict[str, _Fact] = {}
        self._tick = 0
        self._heartbeat = heartbeat
        self._listeners: set[_Listener] = set()
        self._closed = False

    def hear(self, event: Event) -> None:
        """Take an event from the bus."""
        if isinstance(event, Tally):
            return
        if isinstance(event, DownloadProgress):
            self._tick += 1
            self._progress[event.id] = _Fact(self._tick, event)
        else:
            if isinstance(event, DownloadEvent):
                self._progress.pop(event.download.id, None)
                if event.quiet:
                    return  # one `batch.queued` stands for all of them
            self._last += 1
            self._facts.append(_Fact(self._last, event))
        self._ring()

    def close(self) -> None:
        """End all streams at once."""
        self._closed = True
        self._ring()

    def look(self) -> None:
        """Somebody's token is worth nothing any more: the streams it opened end at once."""
        self._ring()

    async def follow(
        self, last_id: str | None = None, welcome: Callable[[], bool] = _always
    ) -> AsyncGenerator[bytes, None]:
        """The stream from after `last_id`, or from now; pieces of `text/event-stream`.

        Ends at `close`, and as soon as whoever listens is not `welcome` any more.
        """
        listener = _Listener(welcome)
        self._listeners.add(listener)
        try:
            position, tick = self._last, self._tick
            if last_id is not None:
                position = self._position(last_id)
            yield b"retry: 1000\n" + self._mark(self._last if position < 0 else position) + b"\n"
            while welcome() and not self._closed:
                listener.bell.clear()
                piece, position = self._after(position)
                moves, tick = self._moves(tick)
                if piece or moves:
                    yield piece + moves
                elif not await self._wait(listener.bell):
                    yield b":\n\n"
        finally:
            self._listeners.discard(listener)

    def _after(self, position: int) -> tuple[bytes, int]:
        """What happened after `position`; a reset where the ring no longer holds all of it."""
        if position == self._last:
            return b"", position
        if position < self._last - len(self._facts):
            return self._mark(self._last) + b"event: reset\ndata: {}\n\n", self._last
        newest_first = takewhile(lambda fact: fact.number > position, reversed(self._facts))
        pieces = [self._mark(fact.number) + _lines(fact.event) for fact in newest_first]
        return b"".join(reversed(pieces)), self._last

    def _moves(self, tick: int) -> tuple[bytes, int]:
        moves = [_lines(fact.event) for fact in self._progress.values() if fact.number > tick]
        return b"".join(moves), self._tick

    def _position(self, last_id: str) -> int:
        run, _, number = last_id.partition("-")
        if run != self._run or not (number.isascii() and number.isdigit() and len(number) < 16):
            return -1
        return int(number) if int(number) <= self._last else -1

    def _mark(self, number: int) -> bytes:
        return f"id: {self._run}-{number}\n".encode()

    async def _wait(self, bell: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(self._heartbeat):
                await bell.wait()
        except TimeoutError:
            return False
        return True

    def _ring(self) -> None:
        for listener in self._listeners:
            listener.bell.set()

    def __repr__(self) -> str:
        return f"<Ring of {len(self._facts)} facts, {len(self._listeners)} listeners>"


def _lines(event: Event) -> bytes:
    data: Any = event.data()
    return f"event: {event.name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"
