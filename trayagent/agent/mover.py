"""Moves finished downloads, one after the other, in the order they came.

    who asks       where to                          the place is away
    -------------  --------------------------------  -------------------------------------------------
    the settings   below the folder, or into the     it is waited for: nothing is lost meanwhile, since
                   bucket, that `[move]` names       the file is whole here
    a person       into the folder that was chosen   the person is told, and nothing has moved

When a copy is there and the file here cannot be removed (somebody has it open, its folder is read-only),
what the settings move is tried again; a person is told that there are two now, and which one counts.

What each step leaves after a kill stands in `trayagent/targets`; the steps are durable in `store/moves`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model import notices
from trayagent.model.downloads import Download, State
from trayagent.model.errors import (
    DownloadError,
    NotFoundError,
    StoreUnavailableError,
    WrongStateError,
    traits_of,
)
from trayagent.model.events import DownloadEvent, Event
from trayagent.store import downloads, moves
from trayagent.store.database import Database
from trayagent.store.moves import Move
from trayagent.targets.bucket import BucketTarget
from trayagent.targets.folder import FolderTarget, InThread

log = logging.getLogger(__name__)

AWAY_SECONDS: Final = 15.0
"""Between two tries while the other disk is away; a bucket, which costs a process, is asked ever more seldom."""
LONGEST_AWAY_SECONDS: Final = 300.0
"""Between two tries at a bucket; the end of another download has it asked at once."""
MOST_NAMES: Final = 1000
"""Of one file: NAME, NAME (1), …"""

AnyTarget = FolderTarget | BucketTarget


class Mover:
    """A service; everything is for the front loop."""

    def __init__(
        self, db: Database, bus: Bus, in_thread: InThread, folder: Path, target: AnyTarget | None
    ) -> None:
        """`target` is what `[move]` names; None: files stay in `folder`, where they are downloaded."""
        self._db = db
        self._in_thread = in_thread
        self._folder = folder
        self._target = target
        self._arrived: list[tuple[str, str]] = []
        """Downloads (id, path) that are to move and are not written down yet."""
        self._under_way: int | None = None
        """The number of the download that is being moved now."""
        self._announced: str | None = None
        """The last trouble that a person was told of, as long as it lasts."""
        self._failures = 0
        """In a row, at a bucket."""
        self._bus = bus
        self._bell = asyncio.Event()
        self._bell.set()
        self._subscription = bus.subscribe(self._hear)

    def __repr__(self) -> str:
        return f"<Mover to {self._target}>"

    async def prepare(self) -> None:
        """Note what an earlier run finished in its last moment; before the pool forgets it."""
        if self._target is not None:
            await self._db.run(moves.add_unnoted, str(self._folder))

    async def run(self) -> None:
        """Move until cancelled."""
        with self._subscription:
            while True:
                await self._bell.wait()
                self._bell.clear()
                try:
                    await self._move_all()
                    self._announced, self._failures = None, 0
                except (DownloadError, StoreUnavailableError) as error:
                    log.warning("Moving waits: %s", error.message)
                    self._announce(error)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pause()):
                            await self._bell.wait()
                    self._bell.set()

    def _pause(self) -> float:
        """Seconds until the next try."""
        if self._target is None or self._target.is_on_disk:
            return AWAY_SECONDS
        self._failures += 1
        # The exponent is bounded, too: a bucket that is away for days would make it a huge number.
        return float(min(AWAY_SECONDS * 2 ** min(self._failures - 1, 10), LONGEST_AWAY_SECONDS))

    def _announce(self, error: DownloadError | StoreUnavailableError) -> None:
        """Tell a person, once, what only a person can mend; a share that is away comes back by itself."""
        code = error.code
        if code == "permission_denied" or traits_of(code).is_retryable or code == self._announced:
            return
        if isinstance(error, DownloadError):
            self._announced = code
            self._bus.publish(notices.moving_waits_notice(error))

    def _hear(self, event: Event) -> None:
        match event:
            # Without a target nobody needs to know where a file lies.
            case DownloadEvent(what="completed", download=download) if (
                self._target and download.path
            ):
                if Path(download.path).is_relative_to(self._folder):
                    self._arrived.append((download.id, download.path))
                    self._bell.set()

    async def move(self, id: str, folder: Path) -> Download:
        """Send a finished file to a folder; where it is then, an event tells. Never replaces anything.

        Raises NotFoundError, WrongStateError for what has no file or is being moved already, and
        DownloadError where there can be no such folder.
        """
        download = await self._db.read(downloads.get, id)
        if download.state != State.COMPLETED or download.path is None:
            raise WrongStateError(f"Download {download.id} has no finished file here.")
        source = Path(download.path)
        if not await self._in_thread(source.is_file):
            raise NotFoundError(
                "not_found", "The file is not where it was saved.", "Let *Check files* look for it."
            )
        if source.parent == folder:
            return download
        await FolderTarget(folder, self._in_thread).make()
        is_free = self._under_way != downloads.number(download.id)
        if not is_free or not await self._db.run(
            moves.add_by_hand, download.id, download.path, str(folder)
        ):
            raise WrongStateError(f"Download {download.id} is being moved already.")
        self._bell.set()
        return download

    async def _move_all(self) -> None:
        while self._arrived:
            await self._db.run(moves.add, *self._arrived[0])
            del self._arrived[0]
        after = 0
        trouble: DownloadError | None = None
        is_away = False
        try:
            while (move := await self._db.read(moves.first, after)) is not None:
                after = self._under_way = move.n
                try:
                    if move.folder is not None:
                        chosen = FolderTarget(Path(move.folder), self._in_thread)
                        await self._move(move, chosen, PurePath(Path(move.source).name))
                    elif not self._is_wanted(move):
                        await self._db.run(moves.end, move.n)
                    # Once the place has been found away, no other file for it needs a look.
                    elif self._target is not None and not is_away:
                        is_away = True
                        await self._check(self._target)
                        is_away = False
                        await self._move(move, self._target, self._below(Path(move.source)))
                except DownloadError as error:
                    if move.folder is None:
                        trouble = error  # one file's trouble holds up no other
                    else:
                        await self._give_up(move, Path(move.folder), error)
                finally:
                    self._under_way = None
        finally:
            # A bucket's process does not wait for the next file: that may come tomorrow.
            if self._target is not None:
                await self._target.close()
        if trouble is not None:
            raise trouble

    def _is_wanted(self, move: Move) -> bool:
        """A library's images stay out of buckets: the next sync would miss them, and fetch them again."""
        is_image = move.download is not None and move.download.source is not None
        return not is_image or self._target is None or self._target.is_on_disk

    def _below(self, source: Path) -> PurePath:
        """The name that a file keeps in the other place; the settings may have changed since it came."""
        is_ours = source.is_relative_to(self._folder)
        return source.relative_to(self._folder) if is_ours else PurePath(source.name)

    async def _check(self, target: AnyTarget) -> None:
        name = target.place(PurePath())
        is_new = await self._db.read(moves.is_new_target, name)
        await target.check(is_new=is_new)
        if is_new:
            await self._db.run(moves.note_target, name)

    async def _give_up(self, move: Move, folder: Path, error: DownloadError) -> None:
        """Tell the person who asked; the file stays where it is."""
        await self._db.run(moves.end, move.n)
        if move.download is not None:
            part = _part_of(move.download, PurePath())
            await FolderTarget(folder, self._in_thread).discard(part)
            self._bus.publish(notices.not_moved_notice(move.download, error))

    async def _move(self, move: Move, target: AnyTarget, below: PurePath) -> None:
        """One file, from wherever an earlier run left it. Raises DownloadError when the place is away."""
        download, source = move.download, Path(move.source)
        place, sha256 = move.target, move.sha256
        # 1. Removed, taken back, or moved by hand meanwhile: there is nothing to move.
        is_here = download is not None and download.state == State.COMPLETED
        at = None if download is None else download.path or download.remote_path
        if not is_here or download is None or at not in (move.source, place):
            place = None
        # 2. Not noted yet: it is brought, unless somebody took it away.
        elif at == move.source:
            place = None
            if move.folder is not None and isinstance(target, FolderTarget):
                place = await self._rename(move, target, below)
            if place is None:
                place, sha256 = await self._bring(move, target, below, download)
            if place is not None:
                await self._note(move, target, place, sha256)
        # 3. Named there and noted: a copy's original goes. After a mere renaming, what is found here is
        #    another file that has got the name since.
        if place is not None and sha256 is not None:
            try:
                await target.remove_source(source, place, sha256)
            except DownloadError as error:
                # What the settings move is tried again. A person is told once: the copy counts already.
                if move.folder is None or download is None:
                    raise
                log.warning("%s was copied, and could not be removed: %s", source, error.message)
                self._bus.publish(notices.left_behind_notice(download, source, Path(place)))
        await self._db.run(moves.end, move.n)

    async def _note(self, move: Move, target: AnyTarget, place: str, sha256: str | None) -> None:
        await self._db.run(moves.note, move, place, sha256, is_on_disk=target.is_on_disk)
        if move.download is not None:
            path, remote = (place, None) if target.is_on_disk else (None, place)
            moved = replace(
                move.download,
                path=path,
                remote_path=remote or move.download.remote_path,
                filename=PurePath(place).name,
                sha256=move.download.sha256 or sha256,
            )
            self._bus.publish(DownloadEvent("named", moved, State.COMPLETED))

    async def _rename(self, move: Move, target: FolderTarget, below: PurePath) -> str | None:
        """Give it its new name on the same disk; None: it is to be copied, or is gone from here."""
        source = Path(move.source)
        if move.sha256 is not None:
            return None  # an earlier run has begun to copy it
        before = None if move.target is None else Path(move.target)
        if before is not None and not await self._in_thread(source.exists):
            # It got its name, and a kill kept us from noting it.
            return str(before) if await self._in_thread(before.exists) else None
        for name in _free_names(below):
            await self._db.run(moves.intend, move.n, target.place(name), None)
            try:
                if not await target.rename(source, target.place(name)):
                    return None
            except FileExistsError:
                continue
            return target.place(name)
        raise DownloadError("permission_denied", "its name is taken a thousand times")

    async def _bring(
        self, move: Move, target: AnyTarget, below: PurePath, download: Download
    ) -> tuple[str | None, str | None]:
        """Stage, verify and name it; returns its place there and SHA-256, None when it is gone from here."""
        source, part = Path(move.source), _part_of(download, below.parent)
        before, sha256 = move.target, move.sha256
        if before is not None and sha256 is not None:
            is_named = await target.is_named(source, part, before, sha256)
            if is_named:  # and a kill or a lost answer kept us from noting it
                return before, sha256
        if not await self._in_thread(source.exists):
            return None, None
        # A part that an earlier run left may be torn: it is cheaper to stage anew than to wonder.
        sha256 = await target.stage(source, part)
        for name in _free_names(below):
            place = target.place(name)
            await self._db.run(moves.intend, move.n, place, sha256)
            try:
                await target.give_name(source, part, place, sha256)
            except FileExistsError:
                continue
            return place, sha256
        raise DownloadError("permission_denied", "its name is taken a thousand times")


def _part_of(download: Download, folder: PurePath) -> PurePath:
    """The name under which a copy grows: no other download's, and no other agent's."""
    return folder / f".{hashlib.sha256(download.owner.encode()).hexdigest()[:16]}.part"


def _free_names(below: PurePath) -> Iterator[PurePath]:
    """NAME, NAME (1), …: one of them is free, or the place is a strange one."""
    yield below
    for number in range(1, MOST_NAMES):
        yield below.with_name(f"{below.stem} ({number}){below.suffix}")
