"""The pool: one dispatcher with slots, four by default.

The dispatcher claims as many downloads as slots are free, fairly across hosts, and gives each a
task of its own. A slot is free when its download has ended and the outcome is durable, never
before. Whatever goes wrong in one slot stays there.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trayagent.agent.bus import Bus
from trayagent.agent.progress import Reporter
from trayagent.agent.retry import decide
from trayagent.agent.worker import Worker
from trayagent.model.download import Download, State
from trayagent.model.errors import DownloadError, NotFoundError, StoreUnavailableError
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent
from trayagent.model.order import Job
from trayagent.model.transfer import Fetched
from trayagent.net.address_policy import is_offline
from trayagent.store import claims, facts
from trayagent.store.claims import Turn
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.secrets import SecretFiles

log = logging.getLogger(__name__)

HORIZON: Final = 3700.0
"""Seconds; nothing waits longer, so a later date means that the clock was set back."""
STORE_PAUSE: Final = 2.0
"""Seconds to wait when the store cannot be written."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at a time, and how often."""

    workers: int = 4
    per_host: int = 4
    """Downloads at a time from one host."""
    retries: int = 5


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
        limits: Limits,
        bell: asyncio.Event,
    ) -> None:
        self._db = db
        self._bus = bus
        self._worker = worker
        self._secrets = secrets
        self._folder = folder
        self._limits = limits
        self._bell = bell
        self._running: dict[str, asyncio.Task[None]] = {}
        self._interruptible: set[str] = set()
        self._hosts: Counter[str] = Counter()
        self._cooling: dict[str, float] = {}
        self._last_host = ""
        self._held = False
        self._held_until: float | None = None

    def __repr__(self) -> str:
        return f"<Pool: {len(self._running)} of {self._limits.workers} slots busy{', paused' if self._held else ''}>"

    def wake(self) -> None:
        """There may be work."""
        self._bell.set()

    def limit(self, limits: Limits, folder: Path) -> None:
        """Work by other limits, into another folder, from the next start of a download on."""
        self._limits, self._folder = limits, folder
        self._bell.set()

    def cooling(self, host: str) -> float | None:
        """Until when (Unix seconds) a host that asked for it is left alone; None: it is not."""
        until = self._cooling.get(host)
        return until if until is not None and until > time.time() else None

    async def run(self) -> None:
        """Dispatch until cancelled; then active downloads are back in the queue, their bytes kept."""
        await self._remember()
        async with asyncio.TaskGroup() as slots:
            self._bell.set()
            while True:
                try:
                    await self._ring()
                    await self._dispatch(slots)
                except StoreUnavailableError as error:
                    log.warning("The queue waits: %s", error.message)
                    await asyncio.sleep(STORE_PAUSE)
                    self._bell.set()

    async def stop(self, *ids: str) -> None:
        """Return once nobody works on these downloads; their bytes are kept."""
        tasks = [self._running[id] for id in ids if id in self._running]
        if tasks:
            await asyncio.sleep(0)  # a task that was never begun could not clean up after itself
            for id in self._interruptible.intersection(ids):
                self._running[id].cancel()
            await asyncio.wait(tasks)

    async def hold(self, until: float | None = None) -> None:
        """Start nothing (until then, Unix seconds); active ones are stopped and queued again."""
        self._held, self._held_until = True, until
        await self.stop(*self._running)
        self._bell.set()

    def release(self) -> None:
        """Start again."""
        self._held, self._held_until = False, None
        self._bell.set()

    # -- dispatching

    async def _remember(self) -> None:
        self._cooling = await self._db.read(claims.cooling, time.time())
        value = await self._db.read(facts.fact, facts.PAUSED)
        if value is not None:
            self._held = True
            self._held_until = None if value == "forever" else float(value)

    async def _ring(self) -> None:
        try:
            async with asyncio.timeout(await self._patience()):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def _patience(self) -> float | None:
        """Seconds until something is due by itself; None: nothing is, or no slot is free for it."""
        dates: list[float | None] = []
        if self._held:
            dates = [self._held_until]
        elif self._free > 0:  # else the end of a download rings
            dates = [await self._db.read(claims.next_due), *self._cooling.values()]
        due = min((date for date in dates if date is not None), default=None)
        return None if due is None else min(max(0.0, due - time.time()), HORIZON)

    @property
    def _free(self) -> int:
        return self._limits.workers - len(self._running)

    async def _dispatch(self, slots: asyncio.TaskGroup) -> None:
        await self._end_pause_when_due()
        if self._held or self._free <= 0:
            return
        turn = Turn(self._room(), self._limits.per_host, self._last_host, frozenset(self._running))
        for job, download in await self._db.step(_claim, time.time(), self._free, turn):
            self._start(slots, job, download)
        if self._held:  # asked for while the claim was on its way
            await self.stop(*self._running)

    async def _end_pause_when_due(self) -> None:
        if self._held and self._held_until is not None and self._held_until <= time.time():
            await self._db.run(facts.set_fact, facts.PAUSED, None)
            self._held, self._held_until = False, None
            self._bus.publish(QueueEvent("resumed"))

    def _room(self) -> dict[str, int]:
        """How many more each host may get, where that is less than usual."""
        now = time.time()
        self._cooling = {
            host: until for host, until in self._cooling.items() if now < until <= now + HORIZON
        }
        room = {host: self._limits.per_host - count for host, count in self._hosts.items()}
        return room | dict.fromkeys(self._cooling, 0)

    def _start(self, slots: asyncio.TaskGroup, job: Job, download: Download) -> None:
        self._last_host = job.host
        self._hosts[job.host] += 1
        self._running[job.id] = slots.create_task(self._slot(job), name=f"download {job.id}")
        self._bus.publish(DownloadEvent("started", download, State.QUEUED))

    # -- one slot

    async def _slot(self, job: Job) -> None:
        reporter = Reporter(
            job.id,
            self._bus,
            lambda path, size: self._db.step(claims.reserve, job.n, str(path), size),
        )
        try:
            outcome = await self._outcome(job, reporter)
            await asyncio.shield(self._save(job, outcome, reporter.total))
        except NotFoundError:
            log.info("%s was removed while it was being fetched", job.id)
        finally:
            del self._running[job.id]
            self._hosts[job.host] -= 1
            self._hosts += Counter()
            self._bell.set()

    async def _outcome(self, job: Job, reporter: Reporter) -> Fetched | DownloadError | None:
        """What became of it; None: it was stopped. This is the one boundary of the slot."""
        self._interruptible.add(job.id)
        try:
            return await self._worker.work(job, self._folder, reporter)
        except DownloadError as error:
            return error
        except asyncio.CancelledError:
            return None
        except Exception:
            log.exception("The worker of %s died", job.id)
            return DownloadError("internal")
        finally:
            self._interruptible.discard(job.id)

    async def _save(self, job: Job, outcome: Fetched | DownloadError | None, received: int) -> None:
        """Release the job; a full disk, for one, keeps that waiting, and the slot with it."""
        while True:
            try:
                return await self._release(job, outcome, received)
            except StoreUnavailableError as error:
                log.warning("The outcome of %s cannot be saved yet: %s", job.id, error.message)
                await asyncio.sleep(STORE_PAUSE)

    async def _release(
        self, job: Job, outcome: Fetched | DownloadError | None, received: int
    ) -> None:
        if isinstance(outcome, Fetched):
            change = await self._db.step(claims.complete, job.n, outcome, time.time())
            self._told("completed", change)
        elif outcome is None:
            self._requeued(await self._requeue(job, received))
        else:
            await self._failed(job, outcome, received)

    async def _failed(self, job: Job, error: DownloadError, received: int) -> None:
        offline = error.code == "network" and is_offline(job.host)
        again = decide(error, job.attempts, self._limits.retries, random.random(), offline=offline)
        if again is None:
            log.info("%s failed: %s", job.id, error.code)
            if self._secrets.keeps(job.id):
                error.tell_login_is_gone()
            change = await self._db.step(claims.fail, job.n, error, received, time.time())
            self._told("failed", change)
            return
        not_before = time.time() + again.seconds
        if error.code == "server_busy":
            self._cooling[job.host] = not_before
        change = await self._requeue(job, received, not_before, error, tried=int(again.counts))
        self._requeued(change)

    async def _requeue(
        self,
        job: Job,
        received: int,
        not_before: float | None = None,
        error: DownloadError | None = None,
        tried: int = 0,
    ) -> Change:
        return await self._db.step(
            claims.requeue,
            job.n,
            received=received,
            not_before=not_before,
            error=error,
            tried=tried,
        )

    def _requeued(self, change: Change) -> None:
        if change.previous == State.ACTIVE:
            self._bus.publish(DownloadEvent("requeued", change.download, State.ACTIVE))

    def _told(self, what: str, change: Change) -> None:
        if what == "completed" or change.previous == State.ACTIVE:
            self._secrets.erase(change.download.id)
            # For whoever listens it was active until now, whatever was asked meanwhile.
            self._bus.publish(DownloadEvent(what, change.download, State.ACTIVE))
        for batch in change.finished:
            self._bus.publish(BatchEvent("finished", batch))


def _claim(
    conn: sqlite3.Connection, now: float, limit: int, turn: Turn
) -> list[tuple[Job, Download]]:
    claims.wake(conn, now, HORIZON)
    return claims.claim(conn, turn, limit=limit, now=now)
