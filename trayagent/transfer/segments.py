"""Several connections for one file: each fills a gap, the largest is split for the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Final, Literal

from trayagent.model.errors import DownloadError
from trayagent.net.response import Response
from trayagent.transfer import ranges
from trayagent.transfer.answers import NoPartsError, check, last_word
from trayagent.transfer.lane import PATIENCE, Lane
from trayagent.transfer.place import Place
from trayagent.transfer.width import MOST, Seen, Width

SMALLEST: Final = 256 * 1024
"""Bytes; no share is shorter than this."""
WORTH_SPLITTING: Final = 0.2
"""Seconds; what a lane ends sooner by itself is left to it."""
EARLY: Final = 0.3
EARLY_LOOK: Final = 0.01
LOOK: Final = 0.1
"""Seconds between looks: more often at first and while a connection is idle."""

_FATAL: Final = frozenset(
    {"disk_full", "permission_denied", "too_large", "internal", "changed_on_server"}
)
"""Codes that end the file; after any other the rest of the lanes goes on."""
BREATHER: Final = 0.25
"""Seconds between two connections where one was refused: the server first has to see that the old one is over."""
ALONE_AFTER: Final = (0.5, 1.0, 2.0)
"""Seconds to wait before a refusal is tried again alone, once no connection is left."""


class Segments:
    """Runs the lanes of one file until nothing is missing; used once.

    `ask` opens a response for a range or all, `lane` makes the lane for a stretch, `spare` says how many
    more connections the host may get now.
    """

    def __init__(
        self,
        place: Place,
        ask: Callable[[ranges.Ask | None], Awaitable[Response]],
        lane: Callable[[int, int], Lane],
        spare: Callable[[], int],
    ) -> None:
        self._place = place
        self._ask = ask
        self._lane = lane
        self._spare = spare
        self._active: dict[asyncio.Task[None], Lane] = {}
        self._todo: list[tuple[int, int]] = []
        self._coding: str | None = None
        self._allowed = 1
        self._most = MOST
        self._patience = PATIENCE
        self._over = asyncio.Event()
        self._failure: DownloadError | None = None
        self._refusal: DownloadError | None = None

    async def run(self, response: Response, first: Lane, wanted: int | Literal["auto"]) -> None:
        """Receive `response` into its lane and everything else that is missing.

        Raises DownloadError: `changed_on_server` when two answers are not of the same file.
        """
        record = self._place.record
        assert record is not None
        self._coding = ranges.coding(response.headers)
        first.reach, first.further = first.end, self._further
        self._todo = [gap for gap in ranges.gaps(record) if gap[0] >= first.end]
        self._patience = first.patience = max(PATIENCE, 4 * response.waited)
        began, here = time.monotonic(), self._place.received
        width = Width(began, response.waited, here) if wanted == "auto" else None
        self._allowed = 1 if width else int(wanted)
        try:
            async with asyncio.TaskGroup() as group:
                self._start(group, first, response)
                if not width:
                    self._share_out(first, int(wanted))
                await self._tend(group, width)
                await self._insist(group)
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        if (failure := self._failure) is not None and self._missing():
            turned_away = self._turned_away()
            raise await last_word(failure, record, self._ask) if turned_away else failure

    # -- lanes

    def _start(
        self, group: asyncio.TaskGroup, lane: Lane, response: Response | None = None
    ) -> None:
        task = group.create_task(self._fill(lane, response), name=f"segment from {lane.start}")
        self._active[task] = lane
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        lane = self._active.pop(task, None)
        if lane is None:
            return
        if lane.left:
            self._todo.append((lane.at, lane.end))
            lane.end = lane.at
        if not self._active:
            self._over.set()

    async def _fill(self, lane: Lane | None, came: Response | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while lane is not None:
                self._active[task] = lane
                if came is None and self._refusal is not None:
                    await asyncio.sleep(BREATHER)
                if lane.left:
                    with came or await self._admitted(lane) as response:
                        await response.receive(lane)
                if lane.left:
                    raise DownloadError("truncated", "the connection was closed early")
                came, lane = None, self._next()
        except DownloadError as error:
            if error.code in _FATAL and not isinstance(error, NoPartsError):
                raise
            self._failure = error
            self._ended(task)
            # Those that are left go on, and no more are added: whoever refuses is not asked again and again.
            self._most = self._allowed = max(1, len(self._active))

    async def _admitted(self, lane: Lane) -> Response:
        """As `_open`; a refusal is remembered: a host may allow fewer connections than we wanted."""
        try:
            return await self._open(lane)
        except DownloadError as error:
            self._refusal = error
            raise

    async def _open(self, lane: Lane) -> Response:
        record = self._place.record
        assert record is not None
        ask = ranges.Ask(lane.start, lane.end, record, self._coding)
        response = await self._ask(ask)
        try:
            check(ask, response)
        except DownloadError:
            response.close()
            raise
        lane.reach, lane.further = ask.end, self._further
        return response

    def _next(self) -> Lane | None:
        """A lane for what nobody works on, else a share of what somebody does; None: nothing is worth it."""
        if self._todo:
            return self._new(*self._share())
        now = time.monotonic()
        widest = max(self._active.values(), key=lambda lane: lane.left, default=None)
        if widest is None:
            return None
        if widest.left >= 2 * SMALLEST and widest.seconds_left(now) > WORTH_SPLITTING:
            return self._split(widest, widest.at + widest.left // 2)
        for task, lane in self._active.items():
            if lane.left and lane.quiet(now):
                task.cancel()
                heir = self._split(lane, lane.at)
                heir.patience = 2 * lane.patience
                return heir
        return None

    def _further(self, lane: Lane) -> int:
        """Where a lane may end that has its share, from the answer it has: over what nobody else gets yet.

        So what another connection should have brought, but was refused or waits for its answer, costs
        no new connection, and one that works is not given up for one that may not.
        """
        end = lane.end
        for other in self._active.values():
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

    def _share(self) -> tuple[int, int]:
        """The first of what is to do, with what follows it where there are more shares than lanes."""
        self._todo.sort()
        start, end = self._todo.pop(0)
        for _ in range(len(self._todo) // self._allowed):
            if self._todo and self._todo[0][0] == end:
                end = self._todo.pop(0)[1]
        return start, end

    def _split(self, lane: Lane, middle: int) -> Lane:
        new = self._new(middle, lane.end)
        lane.end = middle
        return new

    def _new(self, start: int, end: int) -> Lane:
        lane = self._lane(start, end)
        lane.patience = self._patience
        return lane

    def _share_out(self, lane: Lane, lanes: int) -> None:
        """Before anything else arrives: equal shares, the first for the connection that is open."""
        if self._todo or lane.left < lanes * SMALLEST:
            return
        size = (lane.end - lane.start) // lanes
        cuts = [lane.start + size * n for n in range(1, lanes)] + [lane.end]
        self._todo = [cut for cut in pairwise(cuts) if cut[0] > lane.at]
        lane.end = self._todo[0][0] if self._todo else lane.end

    def _missing(self) -> bool:
        record = self._place.record
        return record is None or bool(ranges.gaps(record))

    # -- how many

    async def _tend(self, group: asyncio.TaskGroup, width: Width | None) -> None:
        """Until all lanes are over: as many of them as are wanted and of use."""
        began = time.monotonic()
        while not self._over.is_set():
            if width is not None:
                self._follow(width)
            self._renew()
            self._widen(group)
            try:
                async with asyncio.timeout(
                    EARLY_LOOK if time.monotonic() - began < EARLY else LOOK
                ):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def _insist(self, group: asyncio.TaskGroup) -> None:
        """The last connection was refused while its forerunner may not be over for the server: ask again alone."""
        tries = 0
        while tries < len(ALONE_AFTER) and self._turned_away():
            here, self._allowed = self._place.received, 1
            await asyncio.sleep(ALONE_AFTER[tries])
            self._over.clear()
            self._start(group, self._new(*self._share()))
            await self._over.wait()
            tries = 0 if self._place.received > here else tries + 1

    def _turned_away(self) -> bool:
        failure = self._failure
        lasting = failure is None or isinstance(failure, NoPartsError)
        return not lasting and failure is self._refusal and self._missing()

    def _follow(self, width: Width) -> None:
        most = min(self._most, len(self._active) + self._spare())
        hushed = width.hushed
        self._allowed = min(width.look(self._seen(), most), self._most)
        if width.hushed and not hushed and len(self._active) == 1:
            self._share_out(next(iter(self._active.values())), min(most, MOST))
        self._retire(len(self._active) - self._allowed)

    def _widen(self, group: asyncio.TaskGroup) -> None:
        room = self._spare()
        while len(self._active) < self._allowed and room > 0 and (lane := self._next()):
            self._start(group, lane)
            room -= 1

    def _renew(self) -> None:
        """Every connection is silent: make one anew. If it gets bytes, idle ones take over the others'."""
        now, lanes = time.monotonic(), self._active.values()
        full = 1 < self._allowed <= len(lanes) and self._refusal is None
        # One that still waits for its answer is new enough, and may yet be refused.
        if full and all(lane.reach and lane.left and lane.quiet(now) for lane in lanes):
            self._patience *= 2
            next(iter(self._active)).cancel()

    def _retire(self, surplus: int) -> None:
        for task in list(self._active)[::-1][: max(0, surplus)]:
            task.cancel()

    def _seen(self) -> Seen:
        *elders, newest = self._active.values() or [None]
        received, size = self._place.received, self._place.size or 0
        return Seen(
            now=time.monotonic(),
            received=received,
            left=size - received,
            last=max((lane.last for lane in elders or [newest] if lane), default=0.0),
            newest=newest.at - newest.start if newest else 0,
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
