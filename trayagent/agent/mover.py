"""Moves finished downloads, one after the other, in the order they came.

    who asks       where to                          the folder is away
    -------------  --------------------------------  -------------------------------------------------
    the settings   below the folder that `[move]`    it is waited for: nothing is lost meanwhile, since
                   names                             the file is whole here
    a person       into the folder that was chosen   the person is told, and nothing has moved

When a copy is there and the file here cannot be removed (somebody has it open, its folder is read-only),
what the settings move is tried again; a person is told that there are two now, and which one counts.

What each step leaves after a kill stands in `transfer/move`; the steps are durable in `store/moves`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model import notices
from trayagent.model.downloads import Download, State
from trayagent.model.errors import (
    DownloadError,
    NotFoundError,
    StoreUnavailableError,
    WrongStateError,
)
from trayagent.model.events import DownloadEvent, Event
from trayagent.store import downloads, moves
from trayagent.store.database import Database
from trayagent.store.moves import Move
from trayagent.transfer import move as steps

log = logging.getLogger(__name__)

AWAY_SECONDS: Final = 15.0
"""Between two tries while the other disk is away."""
MOST_NAMES: Final = 1000
"""Of one file: NAME, NAME (1), …"""

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what blocks in a thread that keeps no program from ending."""


class Mover:
    """A service; everything is for the front loop."""

    def __init__(self, db: Database, bus: Bus, in_thread: InThread, folder: Path, to: str) -> None:
        self._db = db
        self._in_thread = in_thread
        self._folder = folder
        self._root = Path(to) if to else None
        self._arrived: list[tuple[str, str]] = []
        """Downloads (id, path) that are to move and are not written down yet."""
        self._under_way: int | None = None
        """The number of the download that is being moved now."""
        self._bus = bus
        self._bell = asyncio.Event()
        self._bell.set()
        self._subscription = bus.subscribe(self._hear)

    def __repr__(self) -> str:
        return f"<Mover to {self._root}>"

    async def prepare(self) -> None:
        """Note what an earlier run finished in its last moment; before the pool forgets it."""
        if self._root is not None:
            await self._db.run(moves.add_unnoted, str(self._folder))

    async def run(self) -> None:
        """Move until cancelled."""
        with self._subscription:
            while True:
                await self._bell.wait()
                self._bell.clear()
                try:
                    await self._move_all()
                except (DownloadError, StoreUnavailableError) as error:
                    log.warning("Moving waits: %s", error.message)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(AWAY_SECONDS):
                            await self._bell.wait()
                    self._bell.set()

    def _hear(self, event: Event) -> None:
        match event:
            case DownloadEvent(what="completed", download=download) if self._root and download.path:
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
            raise WrongStateError(f"Download {download.id} has no finished file.")
        source = Path(download.path)
        if not await self._in_thread(source.is_file):
            raise NotFoundError(
                "not_found", "The file is not where it was saved.", "Let *Check files* look for it."
            )
        if source.parent == folder:
            return download
        await self._in_thread(partial(steps.make_folder, folder))
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
        while (move := await self._db.read(moves.first, after)) is not None:
            after = self._under_way = move.n
            try:
                if move.folder is not None:
                    await self._move(move, Path(move.folder) / Path(move.source).name)
                # Once the share has been found away, no other file for it needs a look.
                elif self._root is not None and not is_away:
                    is_away = True
                    await self._check_target(self._root)
                    is_away = False
                    source = Path(move.source)
                    is_ours = source.is_relative_to(self._folder)  # the settings may have changed
                    below = source.relative_to(self._folder) if is_ours else Path(source.name)
                    await self._move(move, self._root / below)
            except DownloadError as error:
                if move.folder is None:
                    trouble = error  # one file's trouble holds up no other
                else:
                    await self._give_up(move, error)
            finally:
                self._under_way = None
        if trouble is not None:
            raise trouble

    async def _check_target(self, root: Path) -> None:
        is_new = await self._db.read(moves.is_new_target, str(root))
        await self._in_thread(partial(steps.check_target, root, is_new=is_new))
        if is_new:
            await self._db.run(moves.note_target, str(root))

    async def _give_up(self, move: Move, error: DownloadError) -> None:
        """Tell the person who asked; the file stays where it is."""
        await self._db.run(moves.end, move.n)
        if move.download is not None and move.folder is not None:
            part = _part_of(move.download, Path(move.folder))
            with suppress(OSError):
                await self._in_thread(partial(part.unlink, missing_ok=True))
            self._bus.publish(notices.not_moved_notice(move.download, error))

    async def _move(self, move: Move, wanted: Path) -> None:
        """One file, from wherever an earlier run left it. Raises DownloadError when the disk is away."""
        download, source, target = move.download, Path(move.source), move.target
        is_copy = move.sha256 is not None
        # 1. Removed, taken back, or moved by hand meanwhile: there is nothing to move.
        is_here = download is not None and download.state == State.COMPLETED
        if not is_here or download is None or download.path not in (move.source, target):
            target = None
        # 2. Not noted yet: it is brought, unless somebody took it away.
        elif download.path == move.source:
            if move.folder is None or (target := await self._rename(move, source, wanted)) is None:
                part = _part_of(download, wanted.parent)
                target, is_copy = await self._bring(move, source, wanted, part), True
            if target is not None:
                await self._db.run(moves.note, move, target)
                moved = replace(download, path=target, filename=Path(target).name)
                self._bus.publish(DownloadEvent("named", moved, State.COMPLETED))
        # 3. Named there and noted: a copy's original goes. After a mere renaming, what is found here is
        #    another file that has got the name since.
        if target is not None and is_copy:
            there = Path(target)
            try:
                await self._in_thread(lambda: steps.remove_source(source, there))
            except DownloadError as error:
                # What the settings move is tried again. A person is told once: the copy counts already.
                if move.folder is None or download is None:
                    raise
                log.warning("%s was copied, and could not be removed: %s", source, error.message)
                self._bus.publish(notices.left_behind_notice(download, source, there))
        await self._db.run(moves.end, move.n)

    async def _rename(self, move: Move, source: Path, wanted: Path) -> str | None:
        """Give it its new name on the same disk; None: it is to be copied, or is gone from here."""
        if move.sha256 is not None:
            return None  # an earlier run has begun to copy it
        before = None if move.target is None else Path(move.target)
        if before is not None and not await self._in_thread(source.exists):
            # It got its name, and a kill kept us from noting it.
            return str(before) if await self._in_thread(before.exists) else None
        for final in _free_names(wanted):
            await self._db.run(moves.intend, move.n, str(final), None)
            try:
                if not await self._in_thread(partial(steps.rename, source, final)):
                    return None
            except FileExistsError:
                continue
            return str(final)
        raise DownloadError("permission_denied", "its name is taken a thousand times")

    async def _bring(self, move: Move, source: Path, wanted: Path, part: Path) -> str | None:
        """Copy, verify and name it; returns its name there, None when it is gone from here."""
        target, sha256 = move.target, move.sha256
        if target is not None and sha256 is not None and not await self._in_thread(part.exists):
            before = Path(target)
            if await self._in_thread(lambda: steps.is_there(before, sha256)):
                return target  # it got its name, and a kill kept us from noting it
        if not await self._in_thread(source.exists):
            return None
        # A part that an earlier run left may be torn: it is cheaper to copy anew than to wonder.
        copied = await self._in_thread(lambda: steps.copy_verified(source, part))
        for final in _free_names(wanted):
            await self._db.run(moves.intend, move.n, str(final), copied)
            try:
                await self._in_thread(partial(steps.give_name, part, final))
            except FileExistsError:
                continue
            return str(final)
        raise DownloadError("permission_denied", "its name is taken a thousand times")


def _part_of(download: Download, folder: Path) -> Path:
    """The file in which a copy grows: no other download's, and no other agent's."""
    return folder / f".{hashlib.sha256(download.owner.encode()).hexdigest()[:16]}.part"


def _free_names(wanted: Path) -> Iterator[Path]:
    """NAME, NAME (1), …: one of them is free, or the folder is a strange one."""
    yield wanted
    for number in range(1, MOST_NAMES):
        yield wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}")
