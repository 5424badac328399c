"""The destination of one file: its final name, the bytes so far and what of them is certain.

    state      what is held                              goes on with
    ---------  ----------------------------------------  ----------------------------------------------
    unnamed    nothing                                   `save_whole`, which is all that most small files
                                                         need; `recall` an earlier attempt's; `reserve`
    named      a name in memory, nobody else's here      `create`, where the bytes do not come at once
    receiving  the name, `.part`, its sidecar            `save` about once a second
    complete   every byte                                `publish`: verified, settled, renamed
    left       -                                         `keep` what the next attempt can use, `leave`

A name is decided in memory and costs no transaction: it becomes durable with the first bytes.
Everything here blocks, and belongs to whoever drives the attempt; only `Lane` is the engine's to call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from trayagent.files import make_folder, remove_shared
from trayagent.model import filenames
from trayagent.model.errors import DownloadError
from trayagent.model.folder_rules import folder_for_name
from trayagent.model.transfer import Fetched, Progress, Target
from trayagent.transfer import ranges
from trayagent.transfer.disk_calls import stamp, sync, write_all
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.folders import check_room, explained
from trayagent.transfer.lane import Lane
from trayagent.transfer.marks import mark
from trayagent.transfer.names import Names
from trayagent.transfer.part_file import Part, part_of, remove
from trayagent.transfer.publish import publish
from trayagent.transfer.settled import Settled, SettledFiles
from trayagent.transfer.sidecar import is_blank, read_mark, sidecar_of
from trayagent.transfer.unnamed_file import open_unnamed, publish_unnamed

Verified = tuple[str | None, str | None]
"""The SHA-256 in hex and a warning, where there are any."""

_MOST_NUMBERS: Final = 9999


class Destination:
    """Keeps name, part and record in step; used by one attempt, left with `leave`."""

    def __init__(
        self,
        names: Names,
        settled: SettledFiles,
        target: Target,
        progress: Progress,
        keep_free: int,
    ) -> None:
        self._names = names
        self._settled = settled
        self._target = target
        self._progress = progress
        self._keep_free = keep_free
        self._base = ""
        self._number = -1
        self._done: tuple[tuple[int, int], ...] = ()
        self._lanes: list[Lane] = []
        self.final: Path | None = None
        """The name that is held."""
        self.part: Part | None = None
        self.size: int | None = None
        self.validator: str | None = None
        self.is_lasting = True
        """Whether the validator still proves anything to a later attempt."""

    # -- the name

    def recall(self) -> None:
        """Take up the name, the bytes and the record of an earlier attempt, unless they are another's now."""
        final = self._target.path
        if final is None or not self._names.hold(final):
            return
        self._become(final, final.name)
        try:
            with explained():
                self.part = Part.reopen(final, self._target.owner)
        except FileExistsError:
            self._release()
        else:
            self._take_up()

    def choose_folder(self, name: str) -> Target:
        """Go where files of this name go, while none is held yet; the target with that folder."""
        if self.final is None and self._target.by_type:
            folder = folder_for_name(name, self._target.by_type, self._target.folder)
            if folder is not self._target.folder:
                self._target = replace(self._target, folder=folder)
        return self._target

    def find(self, name: str, proof: str | None) -> bool:
        """Hold a name, unless there is one. True: with bytes that an interrupted run left of this very file."""
        if self.final is not None:
            return False
        self._hold_next(name, fresh=False)
        assert self.part is not None
        return self.part.on_disk and self._take_up() and self.validator == proof

    def reserve(self, name: str, size: int | None, validator: str | None) -> None:
        """Make a final name ours and start from zero, for a file of this size."""
        if self.final is None:
            self._hold_next(name)
        self.forget()
        self.size, self.validator = size, validator
        self._progress.size = size

    def create(self) -> None:
        """Make the part, under the next name if somebody was quicker, and say whose it is."""
        while True:
            assert self.part is not None
            try:
                with explained():
                    if not self.part.on_disk:
                        self._intend(self.part)
                        self.part.create(signed=True)
            except FileExistsError:
                self._hold_next()
            else:
                return

    def _hold_next(self, name: str = "", *, fresh: bool = True) -> None:
        """Hold the next of NAME, NAME (1), … that neither a file nor another download has.

        No `name`: of the one held. Unless it must be `fresh`, the part may be there already: this
        owner's, from a run that was interrupted. Raises DownloadError `permission_denied` when
        thousands are taken.
        """
        base, owner, folder = name or self._base, self._target.owner, self._target.folder
        waiting = self.part  # bytes in memory go along to the next name
        for number in range(self._number + 1, _MOST_NUMBERS + 1):
            final = folder / (filenames.with_number(base, number) if number else base)
            if os.path.lexists(final) or not self._names.hold(final):
                continue
            part: Part | None = None
            if not os.path.lexists(part_of(final)):
                part = Part(final, owner)
            elif not fresh:
                with suppress(OSError):  # another's, or no file at all
                    part = Part.reopen(final, owner, signed=True)
            if part is None:
                self._names.release(final)
                continue
            self._release()
            self._number = number
            if waiting is not None and not waiting.on_disk and name == "":
                waiting.move(final)
                part = waiting
            self.part = part
            self._become(final, base)
            return
        raise DownloadError("permission_denied", "too many files have this name")

    def _become(self, final: Path, base: str) -> None:
        self.final, self._base = final, base
        self._progress.path = final

    def _release(self) -> None:
        """Give the name back; the file system guards it from here on."""
        if self.final is not None:
            self._names.release(self.final)
            self.final = None

    # -- the bytes

    def _take_up(self) -> bool:
        """Go on from what the part's record vouches for; whether that is anything."""
        if self.part is None:
            return False
        with explained():
            record = self.part.record()
        if record is None:
            return False
        record = ranges.to_confirm(record)
        self.size, self.validator, self._done = record.size, record.validator, record.done
        self._progress.size, self._progress.received = record.size, record.received
        return record.received > 0

    def take_whole(self, data: bytes) -> None:
        """All of the file came at once: it stays in memory until it is published."""
        assert self.part is not None
        self.part.write((data,), 0)
        count = self.size = self._progress.received = len(data)
        self._done = ((0, count),) if count else ()

    def add(self, lane: Lane) -> Lane:
        """Count what this lane receives."""
        self._lanes.append(lane)
        return lane

    @property
    def received(self) -> int:
        """Bytes here."""
        count = 0
        for start, end in self._done:
            count += end - start
        for lane in self._lanes:
            count += lane.at - lane.start
        return count

    @property
    def is_complete(self) -> bool:
        """Whether every byte is here."""
        if self._lanes:
            self.settle_lanes()
        whole = ((0, self.size),) if self.size else ()
        return self.size is not None and self._done == whole

    @property
    def record(self) -> ranges.Record | None:
        """What can be proven later, None if nothing."""
        if not self.size or self.validator is None:
            return None
        done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
        return ranges.Record(self.size, self.validator, ranges.merge(done))

    def start(self, count: int) -> bytes:
        """Up to so many of the first bytes, as far as they are here for certain; raises DownloadError."""
        if self.part is None or not self._done or self._done[0][0]:
            return b""
        with explained():
            return self.part.read(min(count, self._done[0][1]), 0)

    def settle_lanes(self) -> None:
        """The lanes are over: what they brought is done."""
        if self._lanes:
            done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
            self._done, self._lanes = ranges.merge(done), []
            self._progress.received = self.received

    def take_back(self, lost: Sequence[tuple[int, int]]) -> None:
        """These stretches, if there are any, have not reached the disk, and will not: they are missing."""
        self.settle_lanes()
        if lost:
            self._done = ranges.without(self._done, lost)
            self._progress.received = self.received

    def forget(self) -> None:
        """Nothing of the bytes proves anything now."""
        self._done, self._lanes = (), []
        self._progress.received = 0
        part, final = self.part, self.final
        if part is not None and part.on_disk:
            with explained():
                part.doubt()
                part.resize(0)
        elif final is not None and (part is None or part.size()):
            self.part = Part(final, self._target.owner)

    def save(self, drain: Callable[[], None]) -> None:
        """Bring what is here to the disk, then the record of it; see whether there is room.

        The record is made first, then `drain` writes what still waits: so it never vouches for more
        than was written.
        """
        assert self.part is not None
        record = self.record if self.is_lasting else None
        drain()
        with explained():
            if record is not None or not self.part.signed:
                self.part.vouch(record)
        check_room(self._target.folder, 0, self._keep_free)

    # -- the end

    def save_whole(
        self, name: str, data: bytes, verified: Verified, url: str, mtime: float | None
    ) -> Fetched | None:
        """Bring a verified file that is all in memory to the disk, and give it its name: in one visit.

        None, and nothing has come of it, where that is not possible. Raises DownloadError.
        """
        path = self._target.folder / name
        final, folder = str(path), str(self._target.folder)
        owner, progress = self._target.owner, self._progress
        # 1. A name is held already: there are bytes of an earlier attempt.
        # 2. Another transfer has the name, or there is a `.part`, perhaps our own of an interrupted run.
        # 3. The system knows no files without a name.
        # 4. It cannot have its name, mostly since something else has that. Only the link tells for certain.
        if self.final is not None or self._names.is_held(final) or os.path.lexists(part_of(final)):
            return None
        self.size = len(data) or None  # what a full disk is asked for
        with explained():
            fd = open_unnamed(folder)
            if fd < 0:
                return None
            try:
                write_all(fd, data, 0)
                mark(fd, url)
                if mtime is not None:
                    stamp(fd, mtime)
                sync(fd)
                failpoint("part-settled")
                inode, (sha256, warning) = os.fstat(fd).st_ino, verified
                self._settled.note(
                    Settled(owner, final, len(data), inode, time.time(), sha256, warning)
                )
                failpoint("settled-noted")
                progress.path = path  # where the next attempt looks, if this one is cut off
                if not publish_unnamed(fd, folder, final):
                    self._settled.forget([owner])
                    return None
            finally:
                os.close(fd)
        progress.received = progress.size = len(data)
        return Fetched(path, len(data), sha256, warning)

    def publish(self, verify: Callable[[Part], Verified], url: str, mtime: float | None) -> Fetched:
        """Verify, settle, give the name. A name taken meanwhile is left alone for the next one.

        Raises DownloadError, and what `verify` raises.
        """
        settled: Settled | None = None
        while True:
            assert self.part is not None
            part = self.part
            try:
                with explained():
                    if settled is None:
                        settled = self._settle(part, verify, url, mtime)
                    self._settled.note(settled)
                    failpoint("settled-noted")
                    publish(part.path, part.final)
                    part.forget()
            except FileExistsError:
                self._move_on()
                if settled is not None:
                    settled = replace(settled, final=str(self.final))
            else:
                self._progress.received = self._progress.size = settled.size
                return Fetched(part.final, settled.size, settled.sha256, settled.warning)

    def _settle(
        self, part: Part, verify: Callable[[Part], Verified], url: str, mtime: float | None
    ) -> Settled:
        """Bring a complete file to the disk; raises what the disk and `verify` raise."""
        digest = None
        if part.on_disk:
            part.confirm(self.size)
        else:
            digest = part.digest()
            self._intend(part)
            part.create()
        sha256, warning = verify(part)
        mark(part.path, url)
        size = part.settle(mtime)
        return Settled(
            self._target.owner,
            str(part.final),
            size,
            part.inode,
            time.time(),
            sha256=sha256 or digest,
            warning=warning,
        )

    def _intend(self, part: Part) -> None:
        """Note that a `.part` of this name will be ours: a kill may come before anything in it says so."""
        size = part.size() if self.size is None else self.size
        self._settled.note(Settled(self._target.owner, str(part.final), size, 0, time.time()))

    def _move_on(self) -> None:
        """Somebody took the name: take the next, with the bytes."""
        assert self.part is not None
        part, is_on_disk = self.part, self.part.on_disk
        self._hold_next()
        if is_on_disk:
            assert self.final is not None
            with explained():
                part.move(self.final)
            self.part = part

    def keep(self, *, failed: bool, spoilt: bool = False) -> None:
        """Leave behind what the next attempt can use, and no more."""
        part = self.part
        if part is None:
            return
        # It may have its name, and only what comes after that failed: the record leads the next attempt
        # to it. Without the record that would ask for the file again, and save a second copy.
        settled = self._settled.find(self._target.owner) if part.inode else None
        if settled is not None and settled.is_at(settled.final):
            return
        self.settle_lanes()
        record = self.record if self.received and self.is_lasting else None
        with suppress(OSError):
            if spoilt or (failed and record is None):
                part.discard()
                self._settled.forget([self._target.owner])
            elif not part.inode and (record is not None or part.on_disk):
                part.vouch(record, is_last=True)

    def adopt(self, name: str, take: Callable[[Path], None]) -> None:
        """Make a finished file ours: `take(path)` moves it to the `.part`."""
        if self.final is None:
            self._hold_next(name)
        elif self.part is not None:
            self.part.discard()
        final = self.final
        assert final is not None
        with explained():
            make_folder(final.parent)
            if os.path.lexists(sidecar_of(final)):
                remove_shared(sidecar_of(final))
            take(Path(part_of(final)))
            self.part = Part.reopen(final, self._target.owner)

    def leave(self) -> None:
        """Close the files and give the name back."""
        if self.part is not None:
            self.part.close()
        self._release()


def find_settled(settled_files: SettledFiles, owner: str) -> Fetched | None:
    """The file that this owner's download had finished when it was cut off; gives it its name if need be.

    Blocking; raises DownloadError.
    """
    settled = settled_files.find(owner)
    if settled is None:
        return None
    final = Path(settled.final)
    part = part_of(final)
    # 1. It was only intended: what was begun then is removed.
    # 2. It has its final name.
    # 3. It is whole, and waits as `.part` for its name.
    # 4. Neither: somebody has taken it away.
    if not settled.inode:
        _remove_orphan(settled, part)
        return None
    with explained():
        if settled.is_at(final):
            if settled.is_at(part):
                remove_shared(part)  # the link was made, its old name not yet taken away
        elif settled.is_at(part):
            try:
                publish(part, final)
            except FileExistsError:
                return None
        else:
            return None
        told = read_mark(sidecar_of(final))
        if told is not None and told.owner == owner:
            remove_shared(sidecar_of(final))
    return Fetched(final, settled.size, settled.sha256, settled.warning)


def _remove_orphan(settled: Settled, part: str) -> None:
    """Remove a `.part` that nothing says the owner of, if it is the one that was to be made then.

    It has no sidecar, or one without a word in it; nobody holds its lock; it is no longer than the
    file was to be, and was made after the intention was noted (by its ctime: it may bear the server's
    date already). Left there, it would keep its name from this download.
    """
    with suppress(OSError):
        sidecar = sidecar_of(Path(settled.final))
        if os.path.lexists(sidecar) and not is_blank(sidecar):
            return
        told = os.lstat(part)
        if told.st_size <= settled.size and told.st_ctime >= settled.noted_at - 1:
            found = Part.reopen(Path(settled.final), settled.owner)
            if found is not None:
                found.discard()


def discard(final: Path, owner: str) -> None:
    """Remove the `.part` that this owner has at a final path, and its record. Blocking."""
    with explained():
        remove(final, owner)
