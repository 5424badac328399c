"""The drop folder at work: every line of every list has exactly one outcome.

A list that has arrived moves into `working/`; from there on the database knows it by that name.
Its lines enter the queue in chunks, each one transaction with the position after it. When the
last line is settled the report is written and the list filed. Whatever is interrupted goes on
from what the folder and the database say together, so a kill at any point loses and repeats nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from trayagent.agent.bus import Bus
from trayagent.agent.drops.folder import DropFolder, FolderWatcher, QuietTime, Scan, into_loop
from trayagent.agent.drops.report import ReportWriter
from trayagent.agent.intake import ANNOUNCED_SINGLY, Intake, candidate_of, without_password
from trayagent.lists import START, Line, Position, dialect_for
from trayagent.model.downloads import Rejected
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import BatchEvent, Event, Notice, Tally
from trayagent.store import batches, drop_lists, listing
from trayagent.store.database import Database
from trayagent.store.drop_lists import Entering, OpenList
from trayagent.transfer.failpoints import failpoint

log = logging.getLogger(__name__)

RESCAN: Final = 30.0
"""Seconds between two looks into the folder; watching only makes it quicker."""
CHUNK: Final = 500
"""Lines a transaction."""
AT_ONCE: Final = 4
"""Lists read side by side, so that a small one does not wait for a huge one."""


class DropReader:
    """Run it as a service; it needs nothing else."""

    def __init__(
        self, db: Database, bus: Bus, intake: Intake, folder: Path, *, poll: bool = False
    ) -> None:
        self._db = db
        self._bus = bus
        self._intake = intake
        self._folder = DropFolder(folder)
        self._filing = ReportWriter(db, self._folder)
        self._poll = poll
        self._arrivals = QuietTime()
        self._bell = asyncio.Event()
        self._due: asyncio.Queue[str] = asyncio.Queue()
        """Lists in working/ that something can be done for."""
        self._known: set[str] = set()
        """Lists at work, or waiting for their downloads: no look needs to mention them again."""
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._told: set[str] = set()
        self._odd: frozenset[str] = frozenset()
        """What the last look found that is no ordinary file: told already."""
        self._places = asyncio.Semaphore(AT_ONCE)

    def __repr__(self) -> str:
        return f"<DropReader in {self._folder.root}, {len(self._known)} lists open>"

    async def run(self) -> None:
        """Watch, take, read and file until cancelled."""
        with into_loop(self._bell) as ring, self._bus.subscribe(self._hear):
            watcher = FolderWatcher(self._folder.root, ring, poll=self._poll)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._watch(watcher), name="drop folder")
                    while True:
                        self._begin(group, await self._due.get())
            finally:
                await asyncio.shield(asyncio.to_thread(watcher.stop))

    # -- looking

    async def _watch(self, watcher: FolderWatcher) -> None:
        while True:
            try:
                patience = await self._look(watcher)
            except (OSError, StoreUnavailableError) as error:
                self._warn("folder", f"The drop folder cannot be used now ({error}).")
                patience = RESCAN
            await self._rest(patience)

    async def _look(self, watcher: FolderWatcher) -> float:
        """One look at the folder; returns in how many seconds to look again."""
        scan = await asyncio.to_thread(self._folder.scan)
        if await asyncio.to_thread(watcher.ensure):
            self._bell.set()  # what came after the scan and before the watch
        arrived, soonest = self._arrivals.look(scan.lists, time.monotonic())
        self._mention(scan)
        for name in arrived:
            await self._take(name)
        for name in (*scan.working, *await self._db.read(drop_lists.open_list_names)):
            self._call(name)
        self._told.discard("folder")
        return RESCAN if soonest is None else min(soonest + 0.01, RESCAN)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    def _call(self, name: str) -> None:
        if name not in self._known:
            self._known.add(name)
            self._due.put_nowait(name)

    async def _take(self, name: str) -> None:
        try:
            self._call(await asyncio.to_thread(self._folder.take, name))
        except FileNotFoundError:
            return
        except OSError as error:
            self._warn(name, f"The list {name} cannot be taken now ({error.strerror}).")

    def _mention(self, scan: Scan) -> None:
        seen = frozenset(scan.odd)
        for name in sorted(seen - self._odd):
            sentence = f"{name} in the drop folder is no ordinary file; it was left alone."
            # Without a desktop nobody sees a notice: the log has it in any case.
            log.warning("%s", sentence)
            self._bus.publish(Notice("Not a list", sentence, level="error"))
        self._odd = seen

    def _warn(self, what: str, sentence: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning("%s", sentence)

    # -- one list

    def _begin(self, group: asyncio.TaskGroup, name: str) -> None:
        if name in self._busy:
            self._again.add(name)
        else:
            self._busy.add(name)
            group.create_task(self._advance(name), name=f"list {name}")

    async def _advance(self, name: str) -> None:
        """Bring a list in working/ as far as it can go now."""
        try:
            async with self._places:
                await self._one_step_or_two(name)
        except (OSError, StoreUnavailableError) as error:
            self._warn(name, f"The list {name} waits ({error}).")
            self._known.discard(name)  # the next look tries again
        except Exception:  # one list's trouble is its own; it stays in working/ for the next start
            log.exception("The list %s could not be read", name)
            sentence = (
                f"{name} could not be read; it stays in the folder working. See: trayagent logs"
            )
            self._bus.publish(Notice("List not read", sentence, level="error"))
        finally:
            self._busy.discard(name)
            if name in self._again:
                self._again.discard(name)
                self._due.put_nowait(name)

    async def _one_step_or_two(self, name: str) -> None:
        list_ = await self._db.read(drop_lists.open_list, name)
        if list_ is None:
            if not await asyncio.to_thread(self._folder.holds, name):
                self._known.discard(name)
                return  # filed meanwhile, or taken away by hand
            start = drop_lists.position_json(START)
            list_ = await self._db.run(drop_lists.open_or_begin, name, start, time.time())
        failpoint("list-begun")
        if list_.position is not None:
            await self._read(list_)
            list_ = await self._db.read(drop_lists.open_list, name)
        if list_ is not None and list_.finished:
            await self._filing.file(list_)
            self._known.discard(name)
            self._told.discard(name)

    async def _read(self, list_: OpenList) -> None:
        total = 0
        async for lines, position in self._chunks(list_):
            failpoint("list-before-chunk")
            admission = await self._intake.admission("drop", [entry for _, entry, _ in lines])
            new = await self._db.run(
                drop_lists.enter_lines,
                list_.batch,
                lines,
                drop_lists.position_json(position),
                admission,
            )
            failpoint("list-after-chunk")
            total += len(new)
            await self._announce(new, quiet=total > ANNOUNCED_SINGLY)
        finished = await self._db.run(drop_lists.mark_read, list_.batch, time.time())
        if total > ANNOUNCED_SINGLY:
            batch = await self._db.read(batches.get, batches.public_id(list_.batch))
            self._bus.publish(BatchEvent("queued", batch))
        for batch in finished:
            self._bus.publish(BatchEvent("finished", batch))

    async def _chunks(self, list_: OpenList) -> AsyncIterator[tuple[list[Entering], Position]]:
        position = msgspec.json.decode(list_.position or b"{}", type=Position)
        dialect = dialect_for(list_.name)
        assert dialect is not None
        try:
            file = await asyncio.to_thread(self._folder.open, list_.name)
        except FileNotFoundError:
            return  # taken away by hand: the lines so far stand
        with file:
            lines = dialect.read(file, position)
            while chunk := await asyncio.to_thread(_checked, lines):
                yield [entering for _, entering in chunk], chunk[-1][0].after

    async def _announce(self, new: Sequence[int], *, quiet: bool) -> None:
        if quiet:
            self._bus.publish(Tally(queued=len(new)))
            self._intake.wake()
        elif new:
            self._intake.announce(await self._db.read(listing.rows, new), None)

    def _hear(self, event: Event) -> None:
        if (
            isinstance(event, BatchEvent)
            and event.what == "finished"
            and event.batch.list is not None
        ):
            self._due.put_nowait(event.batch.list)


def _checked(lines: Iterator[Line]) -> list[tuple[Line, Entering]]:
    return [(line, _entering(line)) for line in islice(lines, CHUNK)]


def _entering(line: Line) -> Entering:
    if line.item is not None:
        return line.number, candidate_of(line.number, line.item), " ".join(line.warnings)
    code, message = line.error or ("bad_item", "There is nothing to download in this line.")
    return line.number, Rejected(line.number, without_password(line.url), code, message), ""
