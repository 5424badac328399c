"""The pool: one dispatcher with slots, four by default.

A download's way through a slot, and what a kill leaves at each point:

    slot      the row says   _interruptible  _ending   after a kill
    --------  -------------  --------------  --------  ---------------------------------------------
    working   active         yes             no        the next start asks whether the file is finished
    saving    active         no              yes       the same
    free      the outcome;   -               -         nothing is left to do
              the next one
              is `active`

One transaction saves the outcome and claims the next download, so that a queue of small files costs
one transaction each; the dispatcher claims only for slots that are free. A slot is free when its
outcome is durable, never before. Whatever goes wrong in one slot stays there.

At a start the downloads that an earlier run was at have their slots first: a file that got its name
then is completed without a request, everything else goes back to the queue.
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
from trayagent.agent.queue.progress import ProgressReader, how_far
from trayagent.model.downloads import Download, State
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent
from trayagent.model.jobs import Job
from trayagent.model.retry import CoolHosts, next_try
from trayagent.model.transfer import Fetched, Progress
from trayagent.net.address_policy import is_offline
from trayagent.store import claims, facts, transitions
from trayagent.store.claims import Claimed, Turn
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed, Failed, Outcome, Requeued

log = logging.getLogger(__name__)

STORE_RETRY_SECONDS: Final = 2.0
"""Between two tries while the store cannot be written."""
LAST_SAVE_SECONDS: Final = 2.0
"""How long the end of the program waits for an outcome; what is not saved then, the next start finds."""

Act = Callable[[Job, Path, Progress], Awaitable[Fetched | None]]
"""What a slot does for a job, with the folder and the numbers to keep; None: the queue has it again."""


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
        """Set when there may be work; whoever has no pool yet may hold it."""
        self._reader = ProgressReader(db, bus)
        self._records = SettledRecords(self._remove_records)
        self._running: dict[str, _Slot] = {}
        self._interruptible: set[str] = set()
        """Downloads whose task may be cancelled: it works, and saves nothing yet."""
        self._ending: set[str] = set()
        """Downloads whose outcome is on its way to the store."""
        self._cool_hosts = CoolHosts()
        self._last_host = ""
        self._is_held = False
        self._held_until: float | None = None
        """Unix seconds; None: until a person resumes."""
        self._claiming = asyncio.Lock()
        """Held from a claim until its slots have begun: `hold` must see all of them."""
        self._is_closing = False
        self._is_outcome_lost = False
        """Whether an outcome could not be saved: its row stays `active`, for the next start to see."""
        self._is_work_left = False
        """Whether work was announced while no slot was free for it."""
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        paused = ", paused" if self._is_held else ""
        return f"<Pool: {len(self._running)} of {self._limits.workers} slots busy{paused}>"

    def wake(self) -> None:
        """There may be work."""
        self._bell.set()

    def set_limits(self, limits: PoolLimits, folder: Path) -> None:
        """Work by other limits, into another folder, from the next start of a download on."""
        self._limits, self._folder = limits, folder
        self._bell.set()

    def cool_until(self, host: str) -> float | None:
        """Until when (Unix seconds) a host that asked for it is left alone; None: it is not."""
        return self._cool_hosts.until(host, time.time())

    def hurry(self, host: str) -> None:
        """Ask a host again at once, whatever it said."""
        self._cool_hosts.end(host)
        self._worker.end_cooldown(host)
        self._bell.set()

    async def run(self) -> None:
        """Dispatch until cancelled; then active downloads are back in the queue, their bytes kept."""
        self._cool_hosts.restore(await self._db.read(claims.cooling_hosts, time.time()))
        paused = await self._db.read(facts.fact, facts.PAUSED)
        if paused is not None:
            self._is_held = True
            self._held_until = None if paused == "forever" else float(paused)
        async with asyncio.TaskGroup() as services:
            around = [
                services.create_task(self._reader.run(), name="progress"),
                services.create_task(self._records.run(), name="records"),
            ]
            try:
                # The slots end before the services that they use.
                async with asyncio.TaskGroup() as slots:
                    try:
                        await self._dispatch_forever(slots)
                    finally:
                        self._is_closing = True
            finally:
                await self._requeue_rest()
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
        # First the mark, then the slots: whatever is claimed between the two sees the mark.
        self._is_held, self._held_until = True, until
        self._arm_timer(until)
        async with self._claiming:  # what is being claimed now is given back
            await self.stop(*self._running)

    def release(self) -> None:
        """Start again."""
        self._is_held, self._held_until = False, None
        self._bell.set()

    # -- dispatching

    async def _dispatch_forever(self, slots: asyncio.TaskGroup) -> None:
        self._slots = slots
        # Records whose rows are durable, but which a kill kept from being removed.
        for left in await self._db.read(transitions.settled_records):
            self._records.add(SettledRecord(*left))
        # What an earlier run was at: finished files complete their rows, everything else is queued.
        for job, download in await self._db.read(claims.active_jobs):
            self._start(job, download, self._worker.find_finished)
        self._bell.set()
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                await self._dispatch()
            except StoreUnavailableError as error:
                log.warning("The queue waits: %s", error.message)
                await asyncio.sleep(STORE_RETRY_SECONDS)
                self._bell.set()

    async def _dispatch(self) -> None:
        """End a pause whose time has come, then claim for the slots that are free."""
        if self._is_held and self._held_until is not None:
            if self._held_until > time.time():
                self._arm_timer(self._held_until)
                return
            await self._db.run(facts.set_fact, facts.PAUSED, None)
            self._is_held, self._held_until = False, None
            self._bus.publish(QueueEvent("resumed"))
        turn = self._turn()
        if turn is None:
            return
        if len(self._running) >= self._limits.workers:
            self._is_work_left = True  # the slot that ends next rings the bell
            return
        async with self._claiming:
            await self._start_claimed(await self._db.run(claims.claim, turn, time.time()))

    def _turn(self) -> Turn | None:
        """Who may be served now; None: nobody."""
        if self._is_held or self._is_closing:
            return None
        return Turn(
            self._limits.workers,
            self._limits.per_host,
            # Of a slot that ends the row itself tells when it is free: transactions keep their order.
            held={
                id: slot.job.host for id, slot in self._running.items() if id not in self._ending
            },
            cooling=frozenset(self._cool_hosts.current(time.time())),
            after=self._last_host,
        )

    async def _start_claimed(self, claimed: Claimed) -> None:
        """Start what was claimed, or give it back if the pool was held or closed meanwhile."""
        if self._is_held or self._is_closing:
            for job, _ in claimed.jobs:
                await self._db.run(
                    transitions.release_and_claim, job.n, Requeued(), None, time.time()
                )
            return
        for job, download in claimed.jobs:
            self._start(job, download, self._worker.work)
        self._arm_timer(claimed.due, *self._cool_hosts.current(time.time()).values())

    def _arm_timer(self, *dates: float | None) -> None:
        """Ring when the first of these (Unix seconds) has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min((date for date in dates if date is not None), default=None)
        if due is not None:
            # A clock that jumps is noticed within the hour: the timer itself runs by another clock.
            seconds = min(max(0.0, due - time.time()), claims.HORIZON_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._bell.set)

    # -- one slot

    def _start(self, job: Job, download: Download, act: Act) -> None:
        self._last_host = job.host
        progress = self._reader.follow(job, download)
        task = self._slots.create_task(self._work(job, progress, act), name=f"download {job.id}")
        self._running[job.id] = _Slot(job, task)
        self._bus.publish(DownloadEvent("started", download, State.QUEUED))

    async def _work(self, job: Job, progress: Progress, act: Act) -> None:
        try:
            outcome = self._outcome_of(job, progress, await self._carry_out(job, progress, act))
            try:
                if not self._is_closing:
                    return await self._save(job, outcome)
            except asyncio.CancelledError:
                pass  # only the end of the program interrupts a save: then once more, for a moment
            await self._save_at_end(job, outcome)
        finally:
            self._free(job)

    async def _carry_out(
        self, job: Job, progress: Progress, act: Act
    ) -> Fetched | DownloadError | None:
        """The job's file, or why there is none; None: it was stopped. The one boundary of a slot."""
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

    def _outcome_of(
        self, job: Job, progress: Progress, result: Fetched | DownloadError | None
    ) -> Outcome:
        """What the row is to say: completed, failed, or queued again now or later."""
        if isinstance(result, Fetched):
            return Completed(result)
        if result is None:
            return Requeued(how_far(progress))
        offline = result.code == "network" and is_offline(job.host)
        following = next_try(
            result, job.attempts, self._limits.retries, random.random(), offline=offline
        )
        now = time.time()
        self._cool_hosts.note(job.host, result, following, now)
        if following is not None:
            due = now + following.seconds
            return Requeued(how_far(progress), due, result, tried=following.counts)
        log.info("%s failed: %s", job.id, result.code)
        # Its cookies and headers go with the failure: whoever retries it should know.
        if self._secrets.has(job.id):
            result.tell_login_is_gone()
        return Failed(result, how_far(progress))

    async def _save(self, job: Job, outcome: Outcome) -> None:
        """Make the outcome durable, and start what follows, in one transaction."""
        change, claimed = await self._release(job, outcome)
        self._free(job)
        self._announce(job, outcome, change)
        await self._start_claimed(claimed)
        # The claim of this transaction was for this slot alone; others may have become free meanwhile.
        if self._is_work_left and len(self._running) < self._limits.workers:
            self._is_work_left = False
            self._bell.set()
        if change is not None and not isinstance(outcome, Requeued) and self._secrets.has(job.id):
            await asyncio.to_thread(self._secrets.erase, job.id)

    async def _release(self, job: Job, outcome: Outcome) -> tuple[Change | None, Claimed]:
        while True:
            self._ending.add(job.id)
            try:
                return await self._db.run(
                    transitions.release_and_claim, job.n, outcome, self._turn(), time.time()
                )
            except StoreUnavailableError as error:
                # A full disk, for one: the outcome waits, and so does the slot.
                self._ending.discard(job.id)
                log.warning("The outcome of %s cannot be saved yet: %s", job.id, error.message)
                await asyncio.sleep(STORE_RETRY_SECONDS)

    async def _save_at_end(self, job: Job, outcome: Outcome) -> None:
        """As `_save` while the pool is closing: it claims nothing, and waits for a moment only."""
        try:
            async with asyncio.timeout(LAST_SAVE_SECONDS):
                change, _ = await self._db.run(
                    transitions.release_and_claim, job.n, outcome, None, time.time()
                )
        except (TimeoutError, StoreUnavailableError):
            log.warning("The outcome of %s was not saved; the next start finds it", job.id)
            self._is_outcome_lost = True
        else:
            self._announce(job, outcome, change)

    async def _requeue_rest(self) -> None:
        """Give back what was claimed in the last moment."""
        # A row whose outcome is lost has to stay `active`: only such rows are looked at by the next
        # start, which then finds the finished file.
        if not self._is_outcome_lost:
            with suppress(TimeoutError, StoreUnavailableError):
                async with asyncio.timeout(LAST_SAVE_SECONDS):
                    await self._db.run(transitions.requeue_active)

    def _free(self, job: Job) -> None:
        """End the slot of the task that calls; a second time does nothing."""
        slot = self._running.get(job.id)
        if slot is not None and slot.task is asyncio.current_task():
            del self._running[job.id]
            self._ending.discard(job.id)
            self._reader.leave(job.id)

    def _announce(self, job: Job, outcome: Outcome, change: Change | None) -> None:
        if change is None:
            log.info("%s was removed while it was being fetched", job.id)
            return
        # A command may have changed the row before its slot was stopped, and announced that: then
        # only a file that arrived nevertheless is news. For listeners it was active until now.
        match outcome:
            case Completed(fetched):
                self._records.add(SettledRecord(job.n, fetched.path, job.owner))
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
        # First the files, then the rows: a kill in between leaves a row to be looked at once more.
        await self._worker.forget([(record.path, record.owner) for record in records])
        await self._db.run(transitions.forget_records, [record.n for record in records])
