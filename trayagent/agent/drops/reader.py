"""The drop folder at work: every line of every list has exactly one outcome.

A list that has arrived moves into `working/`; from there on the database knows it by that name.
Its lines enter the queue in chunks, each one transaction with the position after it. When the
last line is settled, the report is written and the list filed. After a kill the service goes on
from what the folder and the database say together, so it loses no line and repeats none.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from trayagent.agent.bus import Bus
from trayagent.agent.drops.folder import DropFolder, FolderWatcher, QuietTime, bell_ringer
from trayagent.agent.drops.report import ReportWriter
from trayagent.agent.intake import ANNOUNCED_SINGLY, Intake, candidate_of, without_password
from trayagent.lists import START, ListEntry, Position, dialect_for
from trayagent.model import notices
from trayagent.model.downloads import Rejected
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import BatchEvent, Event, Tally
from trayagent.store import batches, drop_lists, listing
from trayagent.store.database import Database
from trayagent.store.drop_lists import Entering, OpenList
from trayagent.transfer.failpoints import failpoint

log = logging.getLogger(__name__)

RESCAN_SECONDS: Final = 30.0
"""Between two looks into the folder; a watcher's hint brings the next look forward."""
LINES_PER_TRANSACTION: Final = 500
LISTS_AT_ONCE: Final = 4
"""So many are read side by side: a small list does not wait for a huge one."""


class _ListState(enum.Enum):
    """What the service does with a list in working/ (or open in the database).

        state        the list                                         next state, and on what
        -----------  -----------------------------------------------  -----------------------------
        (unknown)    none of these: new, or of an earlier run         DUE: a look finds it
        DUE          waits for its task                               BUSY: the task starts
        BUSY         its task reads it, or files it                   WAITING, or unknown: see below
        BUSY_AGAIN   as BUSY; its batch has finished meanwhile        DUE: the task ends
        WAITING      is read whole; some downloads are not settled    DUE: its batch finishes

    A task that ends leaves its list unknown when it is filed, when it was taken away by hand, and
    when the disk or the store failed: then the next look tries again. A list that cannot be read
    for another reason stays WAITING until the next start, so that it is reported once.
    """

    DUE = enum.auto()
    BUSY = enum.auto()
    BUSY_AGAIN = enum.auto()
    WAITING = enum.auto()


class DropReader:
    """Takes lists out of the drop folder and brings each to its report; a service of its own."""

    def __init__(
        self, db: Database, bus: Bus, intake: Intake, folder: Path, *, poll: bool = False
    ) -> None:
        self._db = db
        self._bus = bus
        self._intake = intake
        self._folder = DropFolder(folder)
        self._reports = ReportWriter(db, self._folder)
        self._poll = poll
        self._quiet_time = QuietTime()
        self._bell = asyncio.Event()
        self._lists: dict[str, _ListState] = {}
        """Every known list by its name in working/."""
        self._due: asyncio.Queue[str] = asyncio.Queue()
        """The names whose state is DUE, in the order of their tasks."""
        self._warned: set[str] = set()
        """What stands in the log already, until it is over: names of lists, and the folder."""
        self._no_lists: frozenset[str] = frozenset()
        """What the last look found that is named like a list but is no ordinary file."""
        self._reading = asyncio.Semaphore(LISTS_AT_ONCE)

    def __repr__(self) -> str:
        return f"<DropReader in {self._folder.root}, {len(self._lists)} lists open>"

    async def run(self) -> None:
        """Watch, take, read and file until cancelled."""
        ring = bell_ringer(self._bell)
        watcher = FolderWatcher(self._folder.root, ring, poll=self._poll)
        with self._bus.subscribe(self._hear):
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._watch(watcher), name="drop folder")
                    while True:
                        name = await self._due.get()
                        self._lists[name] = _ListState.BUSY
                        group.create_task(self._advance(name), name=f"list {name}")
            finally:
                # Stopping joins watchdog's thread: not on the loop, and also when we are cancelled.
                await asyncio.shield(asyncio.to_thread(watcher.stop))

    # -- looking into the folder

    async def _watch(self, watcher: FolderWatcher) -> None:
        while True:
            try:
                seconds = await self._look(watcher)
            except (OSError, StoreUnavailableError) as error:
                self._warn_once("folder", f"The drop folder cannot be used now ({error}).")
                seconds = RESCAN_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()

    async def _look(self, watcher: FolderWatcher) -> float:
        """Look once; returns in how many seconds to look again. Raises OSError, StoreUnavailableError."""
        scan = await asyncio.to_thread(self._folder.scan)
        if await asyncio.to_thread(watcher.ensure):
            self._bell.set()  # what came after the scan and before the watch gave no hint
        arrived, soonest = self._quiet_time.look(scan.lists, time.monotonic())
        for name in sorted(set(scan.no_lists) - self._no_lists):
            notice = notices.no_list_notice(name)
            # Without a desktop nobody sees a notice: the log has it in any case.
            log.warning("%s", notice.body)
            self._bus.publish(notice)
        self._no_lists = frozenset(scan.no_lists)
        taken: list[str] = []
        for name in arrived:
            try:
                taken.append(await asyncio.to_thread(self._folder.take, name))
            except FileNotFoundError:
                continue  # taken away by hand since the scan
            except OSError as error:
                self._warn_once(name, f"The list {name} cannot be taken now ({error.strerror}).")
        # The folder knows lists whose first transaction a kill prevented; the database knows lists
        # whose file somebody removed from working/: their lines still have a report to come.
        for name in (*taken, *scan.working, *await self._db.read(drop_lists.open_list_names)):
            if name not in self._lists:
                self._make_due(name)
        self._warned.discard("folder")
        # A little late rather than a little early: early would mean one more look for nothing.
        return RESCAN_SECONDS if soonest is None else min(soonest + 0.01, RESCAN_SECONDS)

    def _warn_once(self, subject: str, sentence: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            log.warning("%s", sentence)

    # -- one list

    def _make_due(self, name: str) -> None:
        self._lists[name] = _ListState.DUE
        self._due.put_nowait(name)

    def _hear(self, event: Event) -> None:
        if isinstance(event, BatchEvent) and event.what == "finished" and event.batch.list:
            name = event.batch.list
            state = self._lists.get(name)
            # BUSY: its task may have read the row before this, so it runs once more. DUE needs
            # nothing: its task has yet to read the row.
            if state is _ListState.BUSY:
                self._lists[name] = _ListState.BUSY_AGAIN
            elif state is None or state is _ListState.WAITING:
                self._make_due(name)

    async def _advance(self, name: str) -> None:
        """Bring a list as far as it can go now, and note its next state."""
        is_open = True
        try:
            async with self._reading:
                is_open = await self._read_and_file(name)
        except (OSError, StoreUnavailableError) as error:
            # The disk or the store is away: what was entered stays, the position says how far.
            self._warn_once(name, f"The list {name} waits ({error}).")
            is_open = False
        except Exception:  # the boundary: one list's trouble is its own
            log.exception("The list %s could not be read", name)
            self._bus.publish(notices.unread_list_notice(name))
        finally:
            before = self._lists.pop(name)
            if before is _ListState.BUSY_AGAIN:
                self._make_due(name)
            elif is_open:
                self._lists[name] = _ListState.WAITING

    async def _read_and_file(self, name: str) -> bool:
        """Read what is not read, file what is finished; returns whether the list is still open.

        1. The database does not know it: it has just been taken, and gets its batch; or it was filed
           or taken away by hand meanwhile, and nothing is left to do.
        2. It has a position: reading goes on there.
        3. All its lines have their outcome: it gets its report and moves to done/ or failed/.
        """
        drop_list = await self._db.read(drop_lists.open_list, name)
        if drop_list is None:
            if not await asyncio.to_thread(self._folder.is_working, name):
                return False
            start = drop_lists.position_json(START)
            drop_list = await self._db.run(drop_lists.open_or_begin, name, start, time.time())
        failpoint("list-begun")
        if drop_list.position is not None:
            await self._read(drop_list)
            drop_list = await self._db.read(drop_lists.open_list, name)
        if drop_list is None or not drop_list.finished:
            return drop_list is not None
        await self._reports.file_list(drop_list)
        self._warned.discard(name)
        return False

    async def _read(self, drop_list: OpenList) -> None:
        """Enter all lines from the position on; a small list's downloads are announced one by one."""
        # Many single events would flood whoever listens: from a hundred on, a chunk is one `Tally`,
        # and the list as a whole one `batch.queued`.
        total = 0
        async for lines, position in self._chunks(drop_list):
            failpoint("list-before-chunk")
            reached = drop_lists.position_json(position)
            new = await self._intake.admit(
                "drop", drop_lists.enter_lines, drop_list.batch, lines, reached
            )
            failpoint("list-after-chunk")
            total += len(new)
            if total > ANNOUNCED_SINGLY:
                self._bus.publish(Tally(queued=len(new)))
                self._intake.wake()
            elif new:
                self._intake.announce(await self._db.read(listing.rows, new), None)
        finished = await self._db.run(drop_lists.mark_read, drop_list.batch, time.time())
        if total > ANNOUNCED_SINGLY:
            batch = await self._db.read(batches.get, batches.public_id(drop_list.batch))
            self._bus.publish(BatchEvent("queued", batch))
        for batch in finished:
            self._bus.publish(BatchEvent("finished", batch))

    async def _chunks(self, drop_list: OpenList) -> AsyncIterator[tuple[list[Entering], Position]]:
        position = msgspec.json.decode(drop_list.position or b"{}", type=Position)
        dialect = dialect_for(drop_list.name)
        assert dialect is not None  # only names with a dialect are taken
        try:
            file = await asyncio.to_thread(self._folder.open, drop_list.name)
        except FileNotFoundError:
            return  # taken away by hand: the lines so far stand
        with file:
            lines = dialect.read(file, position)
            # Reading and checking hundreds of lines takes a while: never on the loop.
            while chunk := await asyncio.to_thread(self._next_lines, lines):
                yield [entering for _, entering in chunk], chunk[-1][0].after

    def _next_lines(self, lines: Iterator[ListEntry]) -> list[tuple[ListEntry, Entering]]:
        """The lines of one transaction, each with what enters: an item that may, or why there is none."""
        chunk: list[tuple[ListEntry, Entering]] = []
        for line in islice(lines, LINES_PER_TRANSACTION):
            if line.item is not None:
                candidate = self._intake.choose_engine(
                    line.number, candidate_of(line.number, line.item)
                )
                chunk.append((line, (line.number, candidate, " ".join(line.warnings))))
                continue
            code, message = line.error or ("bad_item", "There is nothing to download in this line.")
            refused = Rejected(line.number, without_password(line.url), code, message)
            chunk.append((line, (line.number, refused, "")))
        return chunk
