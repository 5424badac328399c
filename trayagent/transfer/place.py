"""The place of one file: its final name, the bytes so far and what of them is certain."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Target
from trayagent.transfer import ranges
from trayagent.transfer.disk import check_room, explained
from trayagent.transfer.executor import Stop, in_executor
from trayagent.transfer.lane import Lane
from trayagent.transfer.marks import mark
from trayagent.transfer.names import Naming
from trayagent.transfer.part import Part, part_of
from trayagent.transfer.publish import publish
from trayagent.transfer.sidecar import Sidecar
from trayagent.transfer.terms import Equipment

SMALL: Final = 1024 * 1024
"""Bytes; what is shorter is finished on the loop where the disk is quick."""
IN_MEMORY: Final = 64 * 1024
"""Bytes; shorter bodies gather in memory and visit the disk once. Longer ones gain by not being copied."""


class Place:
    """Keeps name, part and record in step; used by one attempt, left with `leave`."""

    def __init__(self, equipment: Equipment, target: Target, progress: Any) -> None:
        self._naming = Naming(equipment.names, equipment.folders, target)
        self._folders = equipment.folders
        self._target = target
        self._progress = progress
        self._keep_free = equipment.terms.keep_free
        self._done: tuple[tuple[int, int], ...] = ()
        self._lanes: list[Lane] = []
        self.part: Part | None = None
        self.size: int | None = None
        self.validator: str | None = None
        self.lasting = True
        """Whether the validator still proves anything to a later attempt."""

    async def recall(self) -> None:
        """Take up the name, the bytes and the record of an earlier attempt, unless they are another's now."""
        final = self._target.path
        if final is None or not self._naming.hold(final):
            return

        def reopen() -> None:
            with explained():
                self.part = Part.reopen(final, self._target.owner)

        try:
            await self._folders.do(final.parent, reopen)
        except FileExistsError:
            self._naming.release()
        else:
            await self._take_up()

    async def find(self, name: str, proof: str | None) -> bool:
        """Hold a name, unless there is one. True: with bytes that an interrupted run left of this very file."""
        if self._naming.final is not None:
            return False
        self.part = await self._naming.next(name, fresh=False)
        if not self.part.on_disk or not await self._take_up() or self.validator != proof:
            return False
        await self._progress.reserved(self.part.final, self.size)
        return True

    async def _take_up(self) -> bool:
        """Go on from what the part's record vouches for; whether that is anything."""
        if self.part is None:
            return False
        record = await self._folders.do(self.part.final.parent, self.part.record)
        if record is None:
            return False
        record = ranges.to_confirm(record)
        self.size, self.validator, self._done = record.size, record.validator, record.done
        return record.received > 0

    async def reserve(self, name: str, size: int | None, validator: str | None) -> None:
        """Make a final name and its `.part` ours and start from zero, for a file of this size."""
        if self._naming.final is None:
            self.part = await self._naming.next(name)
        await self.forget()
        assert self.part is not None
        self.size, self.validator = size, validator
        await self._progress.reserved(self.part.final, size)
        if size is None or size >= IN_MEMORY:
            await self._create(signed=size is None or size >= SMALL)

    async def _create(self, *, signed: bool) -> None:
        """Make the part, under the next name if somebody was quicker."""
        while True:
            assert self.part is not None
            try:
                with explained():
                    if not self.part.on_disk:
                        create = partial(self.part.create, signed=signed)
                        await self._folders.do(self._target.folder, create)
            except FileExistsError:
                self.part = await self._naming.next()
                await self._progress.reserved(self.part.final, self.size)
            else:
                return

    def lane(self, lane: Lane) -> Lane:
        """Count what this lane receives."""
        self._lanes.append(lane)
        return lane

    @property
    def received(self) -> int:
        """Bytes here."""
        return sum(end - start for start, end in self._done) + sum(
            lane.at - lane.start for lane in self._lanes
        )

    @property
    def complete(self) -> bool:
        """Whether every byte is here."""
        self.settle_lanes()
        return self.size is not None and self._done == ((0, self.size),)

    @property
    def record(self) -> ranges.Record | None:
        """What can be proven later, None if nothing."""
        if self.size is None or self.validator is None:
            return None
        done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
        return ranges.Record(self.size, self.validator, ranges.merged(done))

    def settle_lanes(self) -> None:
        """The lanes are over: what they brought is done."""
        if not self._lanes:
            return
        done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
        self._done, self._lanes = ranges.merged(done), []

    async def forget(self) -> None:
        """Nothing of the bytes proves anything now."""
        self._done, self._lanes = (), []
        part, final = self.part, self._naming.final
        if part is not None and part.on_disk:
            with explained():
                await self._folders.do(part.final.parent, part.doubt, small=False)
                part.resize(0)
        elif final is not None and (part is None or part.size()):
            self.part = Part(final, self._target.owner)

    def save(self) -> Callable[[], None] | None:
        """What the executor does once a second: bytes to the disk, then the record; is there room?"""
        part, record = self.part, self.record if self.lasting else None
        if part is None:
            return None
        if not part.on_disk:
            try:
                part.create()
            except OSError:
                return None  # the end will tell
        folder, keep_free = self._target.folder, self._keep_free

        def act() -> None:
            try:
                with explained():
                    if record is not None or not part.signed:
                        part.vouch(record)
                check_room(folder, 0, keep_free)
            except DownloadError as error:
                part.trouble = error

        return act

    async def publish(
        self,
        verify: Callable[[Part, Stop], str | None],
        url: str,
        mtime: float | None,
        *,
        small: bool = False,
    ) -> tuple[Path, str | None]:
        """Verify, make durable, give the name; returns it with its SHA-256, where that is known.

        A cancellation tells `verify` to stop: a long file is read for long.
        `small` work may be done on the loop where the disk is quick. A name taken meanwhile is left
        alone for the next one. Raises DownloadError.
        """
        stop = Stop()
        act = partial(self._finish, verify, stop, url, mtime)
        while True:
            assert self.part is not None
            try:
                await self._folders.do(self._target.folder, act, small=small, stop=stop)
            except FileExistsError:
                again = self.part.final == self._target.path
                if again and await in_executor(self.part.discard_published):
                    return self.part.final, self.part.sha256
                await self._move_on()
            else:
                return self.part.final, self.part.sha256

    def _finish(
        self,
        verify: Callable[[Part, Stop], str | None],
        stop: Stop,
        url: str,
        mtime: float | None,
    ) -> None:
        """What of publishing blocks. Raises FileExistsError for a name that is taken, DownloadError."""
        part = self.part
        assert part is not None
        with explained():
            if not part.settled:
                digest = part.digest()
                if part.on_disk:
                    part.confirm(self.size)
                else:
                    part.create()
                part.sha256 = verify(part, stop) or digest
                mark(part.path, url)
                part.settle(mtime)
            publish(part.path, part.final)
            part.forget()

    async def _move_on(self) -> None:
        """Somebody took the name: take the next, with the bytes."""
        assert self.part is not None
        final = (await self._naming.next()).final
        await self._progress.reserved(final, self.size)
        with explained():
            self.part.move(final)

    async def keep(self, *, failed: bool, spoilt: bool = False) -> None:
        """Leave behind what the next attempt can use, and no more."""
        part = self.part
        if part is None:
            return
        self.settle_lanes()
        record = self.record if self.received and self.lasting else None

        def act() -> None:
            with suppress(OSError):
                if spoilt or (failed and record is None):
                    part.discard()
                elif not part.settled and (record is not None or part.on_disk):
                    part.vouch(record)

        await in_executor(act)

    async def adopt(self, name: str, take: Callable[[Path], None]) -> None:
        """Make a finished file ours: `take(path)` moves it to the `.part`, in the executor."""
        if self._naming.final is None:
            self.part = await self._naming.next(name)
        elif self.part is not None:
            self.part.discard()
        final = self._naming.final
        assert final is not None
        await self._progress.reserved(final, self.size)

        def act() -> None:
            with explained():
                final.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                Sidecar(final).clear()
                take(Path(part_of(final)))
                self.part = Part.reopen(final, self._target.owner)

        await in_executor(act)

    def leave(self) -> None:
        """Close the files and give the name back to the file system's care."""
        if self.part is not None:
            self.part.close()
        self._naming.release()
