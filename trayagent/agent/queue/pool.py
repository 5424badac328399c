"""The pool: one dispatcher with slots, four by default.

A download's way through a slot:

    claimed (row `active`) → its task runs → outcome → one transaction: the row, and the claim of the next

The dispatcher claims for the slots that are free; a slot that ends claims for itself, so that a queue
of small files costs one transaction each. A slot is free when its outcome is durable, never before.
Whatever goes wrong in one slot stays there. What an earlier run was at when it ended has a slot first:
a file that got its name then is completed without a request, everything else goes back to the queue.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.agent.queue.job import SettledRecord, SettledRecords, Worker
from trayagent.agent.queue.progress import ProgressReader, reached
from trayagent.agent.queue.retry import CoolHosts, decide
from trayagent.model.downloads import Download, State
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent
from trayagent.model.jobs import Job
from trayagent.model.transfer import Fetched, Progress
from trayagent.net.address_policy import is_offline
from trayagent.store import claims, facts, transitions
from trayagent.store.claims import Claimed, Turn
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed, Failed, Outcome, Requeued

log = logging.getLogger(__name__)

STORE_PAUSE: Final = 2.0
"""Seconds to wait when the store cannot be written."""
LAST_SAVES: Final = 2.0
"""Seconds that the end of the program waits for outcomes; what is not saved then is found at the next start."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much at a time, and how often."""

    workers: int = 4
    per_host: int = 4
    """Downloads at a time from one host."""
    retries: int = 5


@dataclass(frozen=True, slots=True)
class _Slot:
    """One download at work."""

    job: Job
    task: asyncio.Task[None]


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
    ) -> None:
        self._db = db
        self._bus = bus
        self._worker = worker
        self._secrets = secrets
        self._folder = folder
        self._limits = limits
        self._bell = bell
        self._reader = ProgressReader(db, bus)
        self._records = SettledRecords(self._remove_records)
        self._running: dict[str, _Slot] = {}
        self._interruptible: set[str] = set()
        self._ending: set[str] = set()
        """Downloads whose outcome is on its way to the store."""
        self._cool = CoolHosts()
        self._last_host = ""
        self._held = False
        self._held_until: float | None = None
        self._claiming = asyncio.Lock()
        self._closing = False
        self._lost = False
        """Whether an outcome could not be saved."""
        self._passed_over = False
        """Whether work was announced while no slot was free for it."""
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Pool: {len(self._running)} of {self._limits.workers} slots busy{', paused' if self._held else ''}>"

    def wake(self) -> None:
        """There may be work."""
        self._bell.set()

    def limit(self, limits: PoolLimits, folder: Path) -> None:
        """Work by other limits, into another folder, from the next start of a download on."""
        self._limits, self._folder = limits, folder
        self._bell.set()

    def cooling(self, host: str) -> float | None:
        """Until when (Unix seconds) a host that asked for it is left alone; None: it is not."""
        return self._cool.until(host, time.time())

    def hurry(self, host: str) -> None:
        """Ask a host again at once, whatever it said."""
        self._cool.end(host)
        self._worker.end_cooldown(host)
        self._bell.set()

    async def run(self) -> None:
        """Dispatch until cancelled; then active downloads are back in the queue, their bytes kept."""
        await self._remember()
        async with asyncio.TaskGroup() as services:
            around = [
                services.create_task(self._reader.run(), name="progress"),
                services.create_task(self._records.run(), name="records"),
            ]
            try:
                async with asyncio.TaskGroup() as slots:
                    try:
                        await self._dispatch_forever(slots)
                    finally:
                        self._closing = True
            finally:
                await self._leave()
                if self._timer is not None:
                    self._timer.cancel()
                for task in around:
                    task.cancel()

    async def stop(self, *ids: str) -> None:
        """Return once nobody works on these downloads; their bytes are kept."""
        tasks = [self._running[id].task for id in ids if id in self._running]
        if tasks:
            await asyncio.sleep(0)  # a task that was never begun could not clean up after itself
            for id in self._interruptible.intersection(ids):
                self._running[id].task.cancel()
            await asyncio.wait(tasks)

    async def hold(self, until: float | None = None) -> None:
        """Start nothing (until then, Unix seconds); active ones are stopped and queued again."""
        self._held, self._held_until = True, until
        self._arm(until)
        async with self._claiming:  # what is being claimed now is given back
            await self.stop(*self._running)

    def release(self) -> None:
        """Start again."""
        self._held, self._held_until = False, None
        self._bell.set()

    # -- dispatching

    async def _remember(self) -> None:
        self._cool.restore(await self._db.read(claims.cooling_hosts, time.time()))
        value = await self._db.read(facts.fact, facts.PAUSED)
        if value is not None:
            self._held = True
            self._held_until = None if value == "forever" else float(value)

    async def _dispatch_forever(self, slots: asyncio.TaskGroup) -> None:
        self._slots = slots
        for left in await self._db.read(transitions.settled_records):
            self._records.add(SettledRecord(*left))
        for job, download in await self._db.read(claims.active_jobs):
            self._start(job, download, self._worker.settled)
        self._bell.set()
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                await self._dispatch()
            except StoreUnavailableError as error:
                log.warning("The queue waits: %s", error.message)
                await asyncio.sleep(STORE_PAUSE)
                self._bell.set()

    async def _dispatch(self) -> None:
        await self._end_pause_when_due()
        turn = self._turn()
        if turn is None:
            return
        if len(self._running) >= self._limits.workers:
            self._passed_over = True  # the slot that ends next sees to it
            return
        async with self._claiming:
            await self._begin(await self._db.run(claims.claim, turn, time.time()))

    async def _end_pause_when_due(self) -> None:
        if self._held and self._held_until is not None:
            if self._held_until > time.time():
                self._arm(self._held_until)
                return
            await self._db.run(facts.set_fact, facts.PAUSED, None)
            self._held, self._held_until = False, None
            self._bus.publish(QueueEvent("resumed"))

    def _turn(self) -> Turn | None:
        """Who may be served now; None: nobody."""
        if self._held or self._closing:
            return None
        return Turn(
            self._limits.workers,
            self._limits.per_host,
            # Of a slot that ends the row itself tells when it is free: transactions keep their order.
            held={
                id: slot.job.host for id, slot in self._running.items() if id not in self._ending
            },
            cooling=frozenset(self._cool.current(time.time())),
            after=self._last_host,
        )

    async def _begin(self, claimed: Claimed) -> None:
        """Start what was claimed, or give it back if the pool was told to rest meanwhile."""
        if self._held or self._closing:
            for job, _ in claimed.jobs:
                await self._db.run(
                    transitions.release_and_claim, job.n, Requeued(), None, time.time()
                )
            return
        for job, download in claimed.jobs:
            self._start(job, download, self._worker.work)
        self._arm(claimed.due, *self._cool.current(time.time()).values())

    def _arm(self, *dates: float | None) -> None:
        """Ring when the first of these (Unix seconds) has come; a clock that jumps is noticed within the hour."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min((date for date in dates if date is not None), default=None)
        if due is not None:
            seconds = min(max(0.0, due - time.time()), claims.HORIZON_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._bell.set)

    # -- one slot

    def _start(
        self,
        job: Job,
        download: Download,
        act: Callable[[Job, Path, Progress], Awaitable[Fetched | None]],
    ) -> None:
        self._last_host = job.host
        progress = self._reader.follow(job, download)
        task = self._slots.create_task(self._slot(job, progress, act), name=f"download {job.id}")
        self._running[job.id] = _Slot(job, task)
        self._bus.publish(DownloadEvent("started", download, State.QUEUED))

    async def _slot(
        self,
        job: Job,
        progress: Progress,
        act: Callable[[Job, Path, Progress], Awaitable[Fetched | None]],
    ) -> None:
        try:
            came = await self._carry_out(job, progress, act)
            outcome = self._judge(job, progress, came)
            try:
                if not self._closing:
                    return await self._save(job, outcome)
            except asyncio.CancelledError:
                pass  # only the end of the program interrupts a save: then once more, for a moment
            await self._save_at_end(job, outcome)
        finally:
            self._free(job)

    async def _carry_out(
        self,
        job: Job,
        progress: Progress,
        act: Callable[[Job, Path, Progress], Awaitable[Fetched | None]],
    ) -> Fetched | DownloadError | None:
        """What became of it; None: it was stopped. This is the one boundary of the slot."""
        self._interruptible.add(job.id)
        try:
            return await act(job, self._folder, progress)
        except DownloadError as error:
            return error
        except asyncio.CancelledError:
            return None
        except Exception:
            log.exception("The worker of %s died", job.id)
            return DownloadError("internal")
        finally:
            self._interruptible.discard(job.id)

    def _judge(self, job: Job, progress: Progress, came: Fetched | DownloadError | None) -> Outcome:
        """What its row is to say."""
        if isinstance(came, Fetched):
            return Completed(came)
        if came is None:
            return Requeued(reached(progress))
        offline = came.code == "network" and is_offline(job.host)
        again = decide(came, job.attempts, self._limits.retries, random.random(), offline=offline)
        now = time.time()
        self._cool.note(job.host, came, again, now)
        if again is not None:
            return Requeued(reached(progress), now + again.seconds, came, tried=again.counts)
        log.info("%s failed: %s", job.id, came.code)
        if self._secrets.has(job.id):
            came.tell_login_is_gone()
        return Failed(came, reached(progress))

    async def _save(self, job: Job, outcome: Outcome) -> None:
        """Make it durable, and start what follows."""
        change, claimed = await self._release(job, outcome)
        self._free(job)
        self._tell(job, outcome, change)
        await self._begin(claimed)
        if self._passed_over and len(self._running) < self._limits.workers:
            self._passed_over = False
            self._bell.set()
        if change is not None and not isinstance(outcome, Requeued) and self._secrets.has(job.id):
            await asyncio.to_thread(self._secrets.erase, job.id)

    async def _release(self, job: Job, outcome: Outcome) -> tuple[Change | None, Claimed]:
        """One transaction: the row, and the next claim. A full disk, for one, keeps it waiting, and the slot."""
        while True:
            self._ending.add(job.id)
            try:
                return await self._db.run(
                    transitions.release_and_claim, job.n, outcome, self._turn(), time.time()
                )
            except StoreUnavailableError as error:
                self._ending.discard(job.id)
                log.warning("The outcome of %s cannot be saved yet: %s", job.id, error.message)
                await asyncio.sleep(STORE_PAUSE)

    async def _save_at_end(self, job: Job, outcome: Outcome) -> None:
        """As `_save` once the pool is closing: what the store cannot take now, the next start finds."""
        try:
            async with asyncio.timeout(LAST_SAVES):
                change, _ = await self._db.run(
                    transitions.release_and_claim, job.n, outcome, None, time.time()
                )
        except (TimeoutError, StoreUnavailableError):
            log.warning("The outcome of %s was not saved; the next start finds it", job.id)
            self._lost = True
        else:
            self._tell(job, outcome, change)

    async def _leave(self) -> None:
        """Give back what was claimed in the last moment."""
        if not self._lost:
            with suppress(TimeoutError, StoreUnavailableError):
                async with asyncio.timeout(LAST_SAVES):
                    await self._db.run(transitions.requeue_active)

    def _free(self, job: Job) -> None:
        slot = self._running.get(job.id)
        if slot is not None and slot.task is asyncio.current_task():
            del self._running[job.id]
            self._ending.discard(job.id)
            self._reader.leave(job.id)

    def _tell(self, job: Job, outcome: Outcome, change: Change | None) -> None:
        if change is None:
            log.info("%s was removed while it was being fetched", job.id)
            return
        match outcome:
            case Completed(fetched):
                self._records.add(SettledRecord(job.n, fetched.path, job.owner))
                # For whoever listens it was active until now, whatever was asked meanwhile.
                self._publish("completed", change)
            case Failed() if change.previous == State.ACTIVE:
                self._publish("failed", change)
            case Requeued() if change.previous == State.ACTIVE:
                self._publish("requeued", change)
        for batch in change.finished:
            self._bus.publish(BatchEvent("finished", batch))

    def _publish(self, what: str, change: Change) -> None:
        self._bus.publish(DownloadEvent(what, change.download, State.ACTIVE))

    async def _remove_records(self, records: Sequence[SettledRecord]) -> None:
        await self._worker.forget([(record.path, record.owner) for record in records])
        await self._db.run(transitions.forget_records, [record.n for record in records])
