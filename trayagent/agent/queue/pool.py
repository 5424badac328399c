"""The pool: one dispatcher with slots, four by default.

The dispatcher lines up what may begin next (`Lineup`). A slot takes the first of it as soon as its
download has ended: plain files follow each other in the engine's thread. The loop hears of beginnings and
outcomes a moment later, and the store of many in one transaction. So a queue of small files waits for no
disk and no loop between two of them.

A download's way through a slot, and what a kill leaves at each point:

    download  the row says           in        after a kill
    --------  ---------------------  --------  ----------------------------------------------------
    lined up  queued                 _lineup   nothing is left to do
    begun     queued; a moment       _running  its settled record tells whether the file is finished;
              later active                     else it is queued
    ended     as before              _ended    the same
    saved     the outcome            -         nothing is left to do

A person may change a row at each of these points: see `stop`. While the store cannot be written nothing
begins. Whatever goes wrong in one slot stays there.

At a start the finished files of an earlier run have their slots first: they complete their rows without
a request; everything else goes back to the queue.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.queue.date_timer import DateTimer
from trayagent.agent.queue.job import SettledRecord, SettledRecords, Worker
from trayagent.agent.queue.lineup import Following, Lineup, PoolLimits, Series, Slot
from trayagent.agent.queue.progress import ProgressReader, how_far
from trayagent.model.downloads import Download, State
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent
from trayagent.model.retry import CoolHosts, next_try
from trayagent.model.transfer import Fetched
from trayagent.model.units import stamp
from trayagent.net.address_policy import is_offline
from trayagent.store import claims, facts, recovery, transitions
from trayagent.store.claims import Turn
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Advance, Completed, Failed, Outcome, Requeued

log = logging.getLogger(__name__)

STORE_RETRY_SECONDS: Final = 2.0
"""Between two tries while the store cannot be written."""
LAST_SAVE_SECONDS: Final = 2.0
"""How long the end of the program waits for outcomes; what is not saved then, the next start finds."""
LINED_UP: Final = 128
"""Downloads that are lined up; when half of them have begun, there is another look at the queue."""
GATHERING_SECONDS: Final = 0.05
"""How long outcomes are gathered while the slots have enough to go on with."""

Act = Callable[[], Awaitable[Fetched | None]]
"""What is done for what a series is at; None: the queue has it again, unless it has its outcome by then."""


class Pool:
    """Give it work through the store and `wake()`, or ring its `bell`; it runs until cancelled."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        worker: Worker,
        *,
        secrets: SecretFiles,
        folder: Path,
        limits: PoolLimits,
        bell: asyncio.Event,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._bus = bus
        self._worker = worker
        self._secrets = secrets
        self._bell = bell
        """Set when there may be work; whoever has no pool yet may hold it."""
        self._reader = ProgressReader(db, bus)
        self._records = SettledRecords(self._remove_records)
        self._lineup = Lineup(limits, folder, self._hear_lineup, now)
        self._running: dict[str, Slot] = {}
        self._ended: dict[str, Slot] = {}
        """Slots whose outcome is not saved yet, in order; new downloads have their places already."""
        self._begun: dict[int, float] = {}
        """Rows that do not say yet that a slot has begun, and when that was (Unix seconds)."""
        self._saving: Mapping[str, Slot] = {}
        """Slots whose outcome is on its way to the store."""
        self._untold: dict[str, Download] = {}
        """Begun, and not announced yet: listeners never see more downloads at work than there are slots."""
        self._told = 0
        """How many are active for listeners."""
        self._has_news = asyncio.Event()
        """Set when there is something to save, or to line up."""
        self._calls = 0
        """How often somebody outside said that the queue is another one."""
        self._cool_hosts = CoolHosts()
        self._last_host = ""
        self._is_held = False
        self._held_until: float | None = None
        """Unix seconds; None: until a person resumes."""
        self._is_closing = False
        self._now = now
        self._timer = DateTimer(self.wake, now)

    def __repr__(self) -> str:
        return f"<Pool: {len(self._running)} at work, {self._lineup!r}{', paused' if self._is_held else ''}>"

    def wake(self) -> None:
        """There may be work, or what is lined up may be in another order."""
        self._calls += 1
        self._lineup.clear()
        self._has_news.set()

    def set_limits(self, limits: PoolLimits, folder: Path) -> None:
        """Work by other limits, into another folder, from the next start of a download on."""
        self._lineup.limits, self._lineup.folder = limits, folder
        self.wake()

    def cool_until(self, host: str) -> float | None:
        """Until when (Unix seconds) a host that asked for it is left alone; None: it is not."""
        return self._cool_hosts.until(host, self._now())

    def hurry(self, host: str) -> None:
        """Ask a host again at once, whatever it said."""
        self._cool_hosts.end(host)
        self._lineup.cooling = self._cool_hosts.current(self._now())
        self._worker.end_cooldown(host)
        self.wake()

    async def run(self) -> None:
        """Dispatch until cancelled; then active downloads are back in the queue, their bytes kept."""
        self._loop = asyncio.get_running_loop()
        self._cool_hosts.restore(await self._db.read(claims.cooling_hosts, self._now()))
        self._lineup.cooling = self._cool_hosts.current(self._now())
        paused = await self._db.read(facts.fact, facts.PAUSED)
        if paused is not None:
            self._set_held(True, None if paused == "forever" else float(paused))
        async with asyncio.TaskGroup() as services:
            around = [
                services.create_task(self._reader.run(), name="progress"),
                services.create_task(self._records.run(), name="records"),
                services.create_task(self._hear_bell(), name="bell"),
            ]
            try:
                # The slots end before the services that they use.
                async with asyncio.TaskGroup() as slots:
                    try:
                        await self._dispatch_forever(slots)
                    finally:
                        self._is_closing, self._lineup.is_open = True, False
            finally:
                self._read_news()
                await self._save_last()
                self._timer.cancel()
                for task in around:
                    task.cancel()

    async def stop(self, *ids: str) -> frozenset[str]:
        """Return once nobody works on these downloads and their rows say how far they came.

        Returns those that a slot was at: for listeners they were active, whatever the row said.
        """
        # What changed the row came after every look at the queue that saw the row as it was before: the
        # store answers in the order in which it was asked.
        self._lineup.drop(ids)
        self._read_news()
        known = {**self._saving, **self._ended, **self._running}
        slots = [known[id] for id in ids if id in known]
        if slots:
            await asyncio.sleep(0)  # a task that was never begun could not clean up after itself
            for slot in slots:
                slot.interrupt()
            for slot in slots:
                await slot.is_over.wait()
        return frozenset(slot.job.id for slot in slots)

    async def hold(self, until: float | None = None) -> None:
        """Start nothing (until then, Unix seconds); active ones are stopped and queued again."""
        self._set_held(True, until)
        self._timer.arm(until)
        self._read_news()
        await self.stop(*self._running)

    def release(self) -> None:
        """Start again."""
        self._set_held(False)
        self.wake()

    def _set_held(self, is_held: bool, until: float | None = None) -> None:
        self._is_held, self._held_until, self._lineup.is_open = is_held, until, not is_held

    # -- dispatching

    async def _hear_bell(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            self.wake()

    async def _dispatch_forever(self, slots: asyncio.TaskGroup) -> None:
        self._slots = slots
        # Records whose rows are durable, but which a kill kept from being removed.
        for left in await self._db.read(recovery.settled_records):
            self._records.add(SettledRecord(*left))
        # What an earlier run was at: finished files complete their rows, everything else is queued.
        owners = await self._worker.owners()
        for job, download in await self._db.run(recovery.recover, owners):
            slot = self._lineup.begin(Series(), job, download)
            find = partial(self._worker.find_finished, job, slot.folder)
            self._give_task(slot.series, find)
        self._lineup.is_open = not self._is_held
        self._has_news.set()
        while True:
            await self._has_news.wait()
            if self._lineup:  # the slots have something to go on with
                # So one transaction holds the outcomes of many small files.
                await asyncio.sleep(GATHERING_SECONDS)
            self._has_news.clear()
            try:
                await self._dispatch()
            except StoreUnavailableError as error:
                # A full disk, for one: what there is waits, and so do the slots before long.
                log.warning("The queue waits: %s", error.message)
                await asyncio.sleep(STORE_RETRY_SECONDS)
                self._has_news.set()

    async def _dispatch(self) -> None:
        """End a pause whose time has come; save what there is, and line up what follows."""
        self._read_news()
        if back := self._timer.set_back_by():
            # Waits are as long as they were; but "until half past two" is a date, and stays one.
            self._cool_hosts.bring_forward(back)
            self._lineup.cooling = self._cool_hosts.current(self._now())
            await self._db.run(claims.bring_forward, back)
        if self._is_held and self._held_until is not None:
            if self._held_until > self._now():
                self._timer.arm(self._held_until)
            else:
                await self._db.run(facts.set_fact, facts.PAUSED, None)
                self._set_held(False)
                self._bus.publish(QueueEvent("resumed"))
        turn = self._turn()
        if turn is None and not self._ended and not self._begun:
            return
        calls = self._calls
        following = await self._save(turn)
        # Somebody may have changed the queue meanwhile: then there is another look soon. Where nothing was
        # lined up, the free slots take what this one found: changes may come without end.
        is_current = calls == self._calls
        if is_current or (turn is not None and turn.most == LINED_UP):
            self._lineup.extend(following.jobs)
        self._fill_slots()
        if not is_current:
            self._lineup.clear()
        if turn is not None and not self._lineup.is_full:
            self._timer.arm(following.due, *self._cool_hosts.current(self._now()).values())

    def _turn(self) -> Turn | None:
        """What to line up; None: nothing."""
        if self._is_held or self._is_closing:
            return None
        # While every slot is busy nobody waits for the answer: it comes with the next thing to save, and
        # only when little is lined up.
        is_saving = bool(self._ended or self._begun)
        if self._lineup.is_full and (not is_saving or len(self._lineup) >= LINED_UP // 2):
            return None
        waiting = self._lineup.rows()
        self._read_news()  # after that: whatever a thread takes is in one of both
        return Turn(
            LINED_UP - len(waiting),
            held={job.n for job in waiting} | {slot.job.n for slot in self._running.values()},
            cooling=self._cool_hosts.current(self._now()).keys(),
            after=waiting[-1].host if waiting else self._last_host,
        )

    def _fill_slots(self) -> None:
        """Begin what is lined up in the slots that are free."""
        while self._lineup.take(series := Series()) is not None:
            self._give_task(series, partial(self._fetch, series))
        self._read_news()

    def _give_task(self, series: Series, act: Act) -> None:
        series.task = self._slots.create_task(self._work(series, act), name="slot")

    def _hear_lineup(self) -> None:
        """Have news of the lineup read soon; for every thread."""
        with suppress(RuntimeError):  # the loop is closed: the next start finds the files
            self._loop.call_soon_threadsafe(self._has_news.set)

    def _read_news(self) -> None:
        """Take over what has begun and ended meanwhile, wherever that was done."""
        for slot in self._lineup.read_news():
            # It is told of twice, and both may have come to pass before the first word is read.
            if not slot.is_noted:
                self._note_begun(slot)
            id = slot.job.id
            if slot.outcome is not None and self._running.get(id) is slot:
                self._ended[id] = self._running.pop(id)
                self._reader.leave(id)

    def _note_begun(self, slot: Slot) -> None:
        job, self._last_host = slot.job, slot.job.host
        active = replace(
            slot.download, state=State.ACTIVE, started_at=stamp(slot.began), error=None
        )
        slot.is_noted = True
        if slot.download.state != State.ACTIVE:  # what a start found says so already
            self._begun[job.n] = slot.began
        self._running[job.id] = slot
        self._reader.follow(job, active, slot.progress)
        self._untold[job.id] = active
        self._tell_started()

    def _tell_started(self) -> None:
        """Announce what has begun, as far as the slots before it are announced as free."""
        while self._untold and self._told < self._lineup.limits.workers:
            self._tell_one_started(next(iter(self._untold)))

    def _tell_one_started(self, id: str) -> None:
        self._told += 1
        self._bus.publish(DownloadEvent("started", self._untold.pop(id), State.QUEUED))

    async def _work(self, series: Series, act: Act) -> None:
        """Work one download after the other, as long as there are some: a task for each costs more."""
        while series.slot is not None:
            result = await self._carry_out(series, act)
            if (slot := series.slot_at_work()) is not None:
                self._lineup.end(slot, self._outcome_of(slot, result))
            self._lineup.take(series)
            act = partial(self._fetch, series)
        self._fill_slots()

    async def _carry_out(self, series: Series, act: Act) -> Fetched | DownloadError | None:
        """The last file of a series, or why there is none; None: it was stopped. The one boundary of a slot."""
        series.is_interruptible = True
        try:
            return await act()
        except DownloadError as error:
            return error
        except asyncio.CancelledError:
            # The task goes on with the next download: whoever asks later was not cancelled.
            if series.task is not None and not self._is_closing:
                series.task.uncancel()
            return None
        except Exception:
            log.exception("The worker of %r died", series.slot)
            return DownloadError("internal")
        finally:
            series.is_interruptible = False

    async def _fetch(self, series: Series) -> Fetched | None:
        """Fetch what it is at, and what follows, until one needs more than the engine's thread."""
        following, failure = Following(self._lineup, series, self._worker.is_plain), None
        try:
            await self._worker.work_each(following.give, following.note)
        except DownloadError as error:
            failure = error
        finally:
            following.close()
        if (slot := series.slot_at_work()) is None:
            return None
        if failure is not None:
            return await self._worker.work_after(slot.job, slot.folder, slot.progress, failure)
        return await self._worker.work(slot.job, slot.folder, slot.progress)

    def _outcome_of(self, slot: Slot, result: Fetched | DownloadError | None) -> Outcome:
        """What the row is to say: completed, failed, or queued again now or later."""
        if isinstance(result, Fetched):
            return Completed(result)
        job, reached = slot.job, how_far(slot.progress)
        if result is None:
            return Requeued(reached)
        offline = result.code == "network" and is_offline(job.host)
        following = next_try(
            result, job.attempts, self._lineup.limits.retries, random.random(), offline=offline
        )
        now = self._now()
        self._cool_hosts.note(job.host, result, following, now)
        self._lineup.cooling = self._cool_hosts.current(now)
        if following is not None:
            due = now + following.seconds
            return Requeued(reached, due, result, tried=following.counts)
        log.info("%s failed: %s", job.id, result.code)
        # Its cookies and headers go with the failure: whoever retries it should know.
        if self._secrets.has(job.id):
            result.tell_login_is_gone()
        return Failed(result, reached)

    # -- saving

    async def _save(self, turn: Turn | None) -> claims.NextJobs:
        """Make durable what has begun and ended, and tell of it; returns what was lined up.

        Raises StoreUnavailableError; then all of it waits still.
        """
        ended, self._ended = self._ended, {}
        begun, self._begun = self._begun, {}
        outcomes = [(slot.job.n, slot.outcome) for slot in ended.values() if slot.outcome]
        self._saving = ended
        try:
            advanced = await self._db.run(
                transitions.advance, Advance(begun, outcomes, turn), self._now()
            )
        except (StoreUnavailableError, asyncio.CancelledError) as error:
            self._ended = {**ended, **self._ended}
            # A cancelled call is carried out all the same: nothing may begin twice by it.
            if isinstance(error, StoreUnavailableError):
                self._begun = {**begun, **self._begun}
            raise
        finally:
            self._saving = {}
        self._lineup.note_saved(len(ended))
        for slot, change in zip(ended.values(), advanced.changes, strict=True):
            self._settle(slot, change)
        self._tell_started()
        for batch in advanced.finished:
            self._bus.publish(BatchEvent("finished", batch))
        if advanced.astray:
            for slot in self._running.values():
                if slot.job.n in advanced.astray:
                    slot.interrupt()
        return advanced.following

    def _settle(self, slot: Slot, change: Change | None) -> None:
        """The outcome is durable: tell of it, and remove what nobody needs any more."""
        job, outcome = slot.job, slot.outcome
        if job.id in self._untold:
            self._tell_one_started(job.id)
        self._told -= 1
        # A command may have changed the row before its slot was stopped, and announces that: then
        # only a file that arrived nevertheless is news. For listeners it was active until now.
        match outcome:
            case Completed(fetched) if change is not None:
                self._records.add(SettledRecord(job.n, fetched.path, job.owner))
                self._publish("completed", change)
            case Failed() if change is not None and change.previous == State.ACTIVE:
                self._publish("failed", change)
            case Requeued() if change is not None and change.previous == State.ACTIVE:
                self._publish("requeued", change)
        is_given_up = change is None or change.previous == State.CANCELLED
        has_rest = is_given_up and not isinstance(outcome, Completed) and slot.progress.path
        has_secrets = not isinstance(outcome, Requeued) and self._secrets.has(job.id)
        if (has_rest or has_secrets) and not self._is_closing:
            task = self._clean_up(slot, slot.progress.path if has_rest else None)
            self._slots.create_task(task, name=f"rest of {job.id}")
        else:
            slot.is_over.set()

    def _publish(self, what: str, change: Change) -> None:
        self._bus.publish(DownloadEvent(what, change.download, State.ACTIVE))

    async def _clean_up(self, slot: Slot, path: Path | None) -> None:
        """Remove the secrets; and what lies beside a path, where its row was given up.

        Whoever gave the row up may not have known of the path: a slot begins before its row says so.
        """
        try:
            if path is not None:
                await self._worker.discard(path, slot.job.owner)
            if not isinstance(slot.outcome, Requeued):
                await asyncio.to_thread(self._secrets.erase, slot.job.id)
        finally:
            slot.is_over.set()

    async def _save_last(self) -> None:
        """As the program ends: save what there is, for a moment, and queue again what was active."""
        try:
            async with asyncio.timeout(LAST_SAVE_SECONDS):
                await self._save(None)
                await self._db.run(recovery.requeue_active)
        except (TimeoutError, StoreUnavailableError):
            log.warning(
                "%d outcomes were not saved; the next start finds the files", len(self._ended)
            )
        for slot in (*self._ended.values(), *self._running.values()):
            slot.is_over.set()

    async def _remove_records(self, records: Sequence[SettledRecord]) -> None:
        # First the files, then the rows: a kill in between leaves a row to be looked at once more.
        await self._worker.forget([(record.path, record.owner) for record in records])
        await self._db.run(recovery.forget_records, [record.n for record in records])
