"""Several connections for one file: each fills a gap, the largest is split for the next.

A connection goes through these states; all of them are looked after by whoever drives the file:

    state     what it waits for                        becomes
    --------  ---------------------------------------  ----------------------------------------------
    resting   a breath, because another was refused    asking
    asking    the head of its answer                   filling, if that is the part asked for of the
                                                       very same file; else refused
    filling   bytes; the engine puts them in its lane  free, when its lane is full; cut
    free      -                                        asking, for the next lane: what nobody works
                                                       on, half of the longest lane, the rest of a
                                                       silent one; over, if nothing is worth it
    refused,  -                                        over: the others go on, and none is added, for
    cut                                                whoever refuses is not asked again and again

Once none is left and something is missing, the refusal is tried again alone: the server may only
not have seen yet that an earlier connection is over.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from threading import Lock
from typing import Final, Literal

from trayagent.model import retry
from trayagent.model.errors import DownloadError
from trayagent.net.exchange import EnoughError
from trayagent.net.refusals import CLOSED_EARLY, refuse_status
from trayagent.net.request import Answer
from trayagent.net.response import Head
from trayagent.transfer import ranges
from trayagent.transfer.destination import Destination
from trayagent.transfer.lane import PATIENCE, Lane
from trayagent.transfer.width import MOST, FlowSample, Width

SMALLEST: Final = 256 * 1024
"""Bytes; no share is shorter than this."""
WORTH_SPLITTING: Final = 0.2
"""Seconds; what a lane ends sooner by itself is left to it."""
EARLY: Final = 0.3
EARLY_LOOK: Final = 0.01
LOOK: Final = 0.1
"""Seconds between looks: more often at first and while a connection is idle."""
BREATHER: Final = 0.25
"""Seconds between two connections where one was refused: the server first has to see that the old one is over."""
ALONE_AFTER: Final = (0.5, 1.0, 2.0)
"""Seconds to wait before a refusal is tried again alone, once no connection is left."""


class NoPartsError(DownloadError):
    """The same file came, but all of it: what one connection does not bring, the next begins anew."""

    def __init__(self) -> None:
        super().__init__("changed_on_server", "it served no parts")


class SegmentConnection:
    """One connection of a file, and the lane it is there for."""

    def __init__(self, lane: Lane, starts_at: float, answer: Answer | None = None) -> None:
        self.lane = lane
        self.starts_at = starts_at
        self.answer = answer
        self.ask: ranges.Ask | None = None
        self.is_filling = False

    def __repr__(self) -> str:
        return f"<SegmentConnection for {self.lane!r}>"


class Connections:
    """Runs the connections of one file until nothing is missing; used once.

    `ask` sends a request for a range or all, `new_lane` makes the lane for a stretch, `spare` says how
    many more connections the host may get now (below 0: others wait for one), `wait` waits for news,
    at most so many seconds, and raises what ends the file; `end` ends an answer.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        ask: Callable[[ranges.Ask | None], Answer],
        new_lane: Callable[[int, int], Lane],
        spare: Callable[[], int],
        wait: Callable[[float], Awaitable[object]],
        end: Callable[[Answer], Awaitable[None]],
        lock: Lock,
    ) -> None:
        self._destination = destination
        self._ask = ask
        self._new_lane = new_lane
        self._spare = spare
        self._wait = wait
        self._end = end
        self._lock = lock
        """Held while ends of lanes move: the engine fills them at the same time."""
        self._active: list[SegmentConnection] = []
        self._closing: list[Answer] = []
        self._todo: list[tuple[int, int]] = []
        self._coding: str | None = None
        self._allowed = 1
        self._most = MOST
        self._patience = PATIENCE
        self._failure: DownloadError | None = None
        self._refusal: DownloadError | None = None

    async def run(self, answer: Answer, first: Lane, wanted: int | Literal["auto"]) -> None:
        """Receive an answer into its lane and everything else that is missing.

        Raises DownloadError: `changed_on_server` when two answers are not of the same file.
        """
        record, head = self._destination.record, answer.head
        assert record is not None
        assert head is not None
        self._coding = ranges.coding(head.headers)
        self._patience = first.patience = max(PATIENCE, 4 * answer.waited)
        self._todo = [gap for gap in ranges.gaps(record) if gap[0] >= first.end]
        width = (
            Width(time.monotonic(), answer.waited, self._destination.received)
            if wanted == "auto"
            else None
        )
        self._allowed = 1 if width else int(wanted)
        connection, reach = SegmentConnection(first, 0.0, answer), first.end
        if not width:
            self._share_out(first, int(wanted))
        try:
            self._fill(connection, reach)
            self._active.append(connection)
            await self._tend(width)
            await self._insist()
        finally:
            await self._close_all()
        if self._failure is not None and self._is_missing():
            raise (
                await self._last_word(self._failure) if self._is_turned_away() else self._failure
            )

    # -- looking after them

    async def _tend(self, width: Width | None) -> None:
        """Until all connections are over: as many of them as are wanted and of use."""
        began = time.monotonic()
        while self._active:
            for connection in list(self._active):
                self._step(connection)
            if not self._active:
                return
            if width is not None:
                self._follow(width)
            self._renew()
            self._make_room()
            self._widen()
            await self._wait(EARLY_LOOK if time.monotonic() - began < EARLY else LOOK)

    def _step(self, connection: SegmentConnection) -> None:
        """Go on with one connection as far as it goes now. Raises DownloadError for what ends the file."""
        try:
            while connection in self._active and self._advance(connection):
                pass
        except DownloadError as error:
            if error.traits.ends_file and not isinstance(error, NoPartsError):
                raise
            self._drop(connection)
            self._failure = error
            # Whoever was refused once would be refused again: no more than those that work now.
            self._most = self._allowed = max(1, len(self._active))

    def _advance(self, connection: SegmentConnection) -> bool:
        """One step of the table above; whether there may be another at once."""
        answer, lane = connection.answer, connection.lane
        if answer is None:
            if time.monotonic() < connection.starts_at:
                return False
            self._begin(connection)
            return True
        if not connection.is_filling and lane.left:
            return self._look_at_head(connection, answer)
        if connection.is_filling:
            if not answer.exchange.ended:
                return False
            self._take_rest(lane, answer)
            if lane.left:
                raise answer.exchange.error or DownloadError("truncated", CLOSED_EARLY)
        self._drop(connection)
        if (following := self._next()) is not None:
            self._start(following)
        return False

    def _begin(self, connection: SegmentConnection) -> None:
        record = self._destination.record
        assert record is not None
        lane = connection.lane
        connection.ask = ranges.Ask(lane.start, lane.end, record, self._coding)
        try:
            connection.answer = self._ask(connection.ask)
        except DownloadError as error:
            self._refusal = error
            raise

    def _look_at_head(self, connection: SegmentConnection, answer: Answer) -> bool:
        """Let the answer fill its lane if it is the part asked for. Raises DownloadError."""
        try:
            head = answer.poll()
            if head is None:
                return False
            assert connection.ask is not None
            check_part(connection.ask, head)
        except DownloadError as error:
            self._refusal = error
            raise
        self._fill(connection, connection.ask.end)
        return True

    def _fill(self, connection: SegmentConnection, reach: int) -> None:
        assert connection.answer is not None
        connection.is_filling = True
        connection.lane.reach, connection.lane.extend = reach, self._extend
        connection.answer.attach(connection.lane)

    def _take_rest(self, lane: Lane, answer: Answer) -> None:
        """What had gathered when the exchange ended before it knew its lane."""
        pieces = answer.exchange.pieces
        try:
            while pieces:
                piece = pieces.popleft()
                lane.take_all((piece,), len(piece))
        except EnoughError:
            pieces.clear()

    def _start(self, lane: Lane) -> None:
        rest = BREATHER if self._refusal is not None else 0.0
        connection = SegmentConnection(lane, time.monotonic() + rest)
        self._active.append(connection)
        self._step(connection)

    def _drop(self, connection: SegmentConnection) -> None:
        """End one; what it has not brought is to be done by others."""
        self._active.remove(connection)
        lane = connection.lane
        with self._lock:
            if lane.left:
                self._todo.append((lane.at, lane.end))
                lane.end = lane.at
            lane.extend = None  # from here on the engine writes nothing of it
        if connection.answer is not None and not connection.answer.exchange.ended:
            connection.answer.cancel()
            self._closing.append(connection.answer)

    async def _close_all(self) -> None:
        """Return once the engine has let go of every connection: the file may be closed then."""
        for connection in list(self._active):
            self._drop(connection)
        for answer in self._closing:
            await self._end(answer)

    # -- lanes

    def _next(self) -> Lane | None:
        """A lane for what nobody works on, else a share of what somebody does; None: nothing is worth it."""
        if (share := self._share()) is not None:
            return self._new(*share)
        now = time.monotonic()
        widest = max((each.lane for each in self._active), key=lambda lane: lane.left, default=None)
        if widest is None:
            return None
        with self._lock:
            if widest.left >= 2 * SMALLEST and widest.seconds_left(now) > WORTH_SPLITTING:
                middle = widest.at + widest.left // 2
                new = self._new(middle, widest.end)
                widest.end = middle
                return new
        for connection in self._active:
            lane = connection.lane
            if lane.left and lane.is_quiet(now):
                self._drop(connection)
                share = self._share()
                if share is None:
                    return None  # another has just gone on over it
                heir = self._new(*share)
                # Its heir waits longer, so that a slow server is not asked ever more often.
                heir.patience = 2 * lane.patience
                return heir
        return None

    def _extend(self, lane: Lane) -> int:
        """Where a lane may end that has its share, from the answer it has: over what nobody else gets yet.

        So what another connection should have brought, but was refused or waits for its answer, costs
        no new connection, and one that works is not given up for one that may not. Called by the
        engine's thread, which holds the lock.
        """
        end = lane.end
        for other in [connection.lane for connection in self._active]:
            if other.start == end < lane.reach and other.left and not other.reach:
                self._todo.append((other.start, other.end))
                other.end = other.start
        for start, stop in sorted(self._todo):
            if start == end < lane.reach:
                self._todo.remove((start, stop))
                end = min(stop, lane.reach)
                if end < stop:
                    self._todo.append((end, stop))
        return end

    def _share(self) -> tuple[int, int] | None:
        """The first of what is to do, with what follows it where there are more shares than lanes."""
        with self._lock:
            if not self._todo:
                return None
            self._todo.sort()
            start, end = self._todo.pop(0)
            for _ in range(len(self._todo) // self._allowed):
                if self._todo and self._todo[0][0] == end:
                    end = self._todo.pop(0)[1]
        return start, end

    def _new(self, start: int, end: int) -> Lane:
        lane = self._new_lane(start, end)
        lane.patience = self._patience
        return lane

    def _share_out(self, lane: Lane, lanes: int) -> None:
        """Before anything else arrives: equal shares, the first for the connection that is open."""
        with self._lock:
            if self._todo or lane.left < lanes * SMALLEST:
                return
            size = (lane.end - lane.start) // lanes
            cuts = [lane.start + size * n for n in range(1, lanes)] + [lane.end]
            self._todo = [cut for cut in pairwise(cuts) if cut[0] > lane.at]
            lane.end = self._todo[0][0] if self._todo else lane.end

    def _is_missing(self) -> bool:
        record = self._destination.record
        return record is None or bool(ranges.gaps(record))

    # -- how many

    async def _insist(self) -> None:
        """The last connection was refused while its forerunner may not be over for the server: ask again alone."""
        tries = 0
        while tries < len(ALONE_AFTER) and self._is_turned_away():
            here, self._allowed = self._destination.received, 1
            until = time.monotonic() + ALONE_AFTER[tries]
            while (left := until - time.monotonic()) > 0:
                await self._wait(left)
            self._refusal = self._failure = None
            if (share := self._share()) is None:
                return
            self._start(self._new(*share))
            await self._tend(None)
            tries = 0 if self._destination.received > here else tries + 1

    def _is_turned_away(self) -> bool:
        failure = self._failure
        lasting = failure is None or isinstance(failure, NoPartsError)
        return not lasting and failure is self._refusal and self._is_missing()

    async def _last_word(self, failure: DownloadError) -> DownloadError:
        """Why a part is refused for good; where the whole file is not, it is not the file that is refused."""
        if failure.code in ("server_busy", "network"):
            return failure
        answer = None
        try:
            answer = self._ask(None)
            while (head := answer.poll()) is None:
                await self._wait(LOOK)
            record = self._destination.record
            same = record is not None and ranges.validator(head.headers) == record.validator
            return NoPartsError() if head.status == 200 and same else failure
        except DownloadError:
            return failure
        finally:
            if answer is not None:
                await self._end(answer)

    def _follow(self, width: Width) -> None:
        most = max(1, min(self._most, len(self._active) + self._spare()))
        hushed = width.hushed
        self._allowed = min(width.look(self._seen(), most), self._most)
        if width.hushed and not hushed and len(self._active) == 1:
            self._share_out(self._active[0].lane, min(most, MOST))
        for connection in self._active[::-1][: max(0, len(self._active) - self._allowed)]:
            self._drop(connection)

    def _widen(self) -> None:
        room = self._spare()
        while len(self._active) < self._allowed and room > 0 and (lane := self._next()):
            self._start(lane)
            room -= 1

    def _make_room(self) -> None:
        """Others wait for a connection to this host: give them one, as long as one is left."""
        is_closing = not all(answer.exchange.ended for answer in self._closing)
        # Not while one is still closing: its place is free in a moment.
        if self._spare() < 0 and len(self._active) > 1 and not is_closing:
            self._drop(self._active[-1])

    def _renew(self) -> None:
        """Every connection is silent: make one anew. If it gets bytes, idle ones take over the others'."""
        now = time.monotonic()
        full = 1 < self._allowed <= len(self._active) and self._refusal is None
        lanes = [connection.lane for connection in self._active]
        # One that still waits for its answer is new enough, and may yet be refused.
        if full and all(lane.reach and lane.left and lane.is_quiet(now) for lane in lanes):
            self._patience *= 2
            self._drop(self._active[0])

    def _seen(self) -> FlowSample:
        lanes = [connection.lane for connection in self._active]
        received, size = self._destination.received, self._destination.size or 0
        return FlowSample(
            now=time.monotonic(),
            received=received,
            left=size - received,
            last=max((lane.last for lane in lanes[:-1] or lanes), default=0.0),
            newest=lanes[-1].at - lanes[-1].start if lanes else 0,
        )


def check_part(ask: ranges.Ask, head: Head) -> None:
    """Raise DownloadError unless this is the part asked for, of the very same file."""
    match ranges.judge(ask, head.status, head.headers):
        case "continue":
            return
        case "whole" if ranges.validator(head.headers) == ask.record.validator:
            raise NoPartsError
        case "refused":
            raise refuse_part(head)
        case _:
            raise DownloadError("changed_on_server")


def refuse_part(head: Head) -> DownloadError:
    """Why no file, or no part of it, came; a busy host's wish counts for this file alone here."""
    wish = retry.parse_retry_after(head.headers.get("Retry-After"), time.time())
    if head.status in (429, 503):
        return DownloadError("server_busy", f"HTTP {head.status}", retry_after=wish)
    return refuse_status(head.status, head.url, wish)
