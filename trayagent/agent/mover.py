"""Moves finished downloads to the folder that `[move]` names, one after the other, in the order they came.

A share that is away is waited for: nothing is lost meanwhile, since the file is whole here. What each step
leaves after a kill stands in `transfer/move`; the steps are durable in `store/moves`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from trayagent.agent.bus import Bus
from trayagent.model.downloads import State
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import DownloadEvent, Event
from trayagent.store import moves
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

    async def _move_all(self) -> None:
        while self._arrived:
            await self._db.run(moves.add, *self._arrived[0])
            del self._arrived[0]
        root, after = self._root, 0
        trouble: DownloadError | None = None
        if root is None:
            return
        while (move := await self._db.read(moves.first, after)) is not None:
            is_new = await self._db.read(moves.is_new_target, str(root))
            await self._in_thread(partial(steps.check_target, root, is_new=is_new))
            if is_new:
                await self._db.run(moves.note_target, str(root))
            try:
                await self._move(move, root)
            except DownloadError as error:
                trouble = error  # one file's trouble holds up no other
            after = move.n
        if trouble is not None:
            raise trouble

    async def _move(self, move: Move, root: Path) -> None:
        """One file, from wherever an earlier run left it. Raises DownloadError when the disk is away."""
        download, source, target = move.download, Path(move.source), move.target
        # 1. Removed, taken back, or moved by hand meanwhile: there is nothing to move.
        is_here = download is not None and download.state == State.COMPLETED
        if not is_here or download is None or download.path not in (move.source, target):
            target = None
        # 2. Not noted yet: it is brought, unless somebody took it away.
        elif download.path == move.source:
            mark = hashlib.sha256(download.owner.encode()).hexdigest()[:16]
            wanted = root / source.relative_to(self._folder)
            target = await self._bring(move, source, wanted, wanted.parent / f".{mark}.part")
            if target is not None:
                await self._db.run(moves.note, move, target)
        # 3. Named there and noted: the one here goes.
        if target is not None:
            there = Path(target)
            await self._in_thread(lambda: steps.remove_source(source, there))
        await self._db.run(moves.end, move.n)

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
        for number in range(MOST_NAMES):
            name = wanted.name if not number else f"{wanted.stem} ({number}){wanted.suffix}"
            final = wanted.with_name(name)
            await self._db.run(moves.intend, move.n, str(final), copied)
            try:
                await self._in_thread(partial(steps.give_name, part, final))
            except FileExistsError:
                continue
            return str(final)
        raise DownloadError("permission_denied", "its name is taken a thousand times")
