"""What may begin next, and what has begun: the one part of the pool that threads share with the loop.

Small files follow each other in the engine's thread: it takes the next one itself, since a hand-over to
the loop and back costs more than such a file. So the rules of beginning hold here, under a lock:

    1. the queue is not held, and the program does not end
    2. fewer downloads run than there are workers
    3. not too many have ended whose outcome is not saved
    4. of the rows that are lined up, the first whose host has room and may be asked

The loop reads later, many at a time, what began and ended meanwhile (`read_news`). What it decides then
(how a failure goes on, what a person asked) it writes back through the methods here.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

from msgspec import Struct, field

from trayagent.model.downloads import Download
from trayagent.model.jobs import Job
from trayagent.model.transfer import Fetched, Progress
from trayagent.store.transitions import Completed, Outcome

MOST_UNSAVED: Final = 256
"""Downloads that have begun and whose outcome is not saved."""


class PoolLimits(Struct, frozen=True):
    """How much at a time, and how often."""

    workers: int = 4
    per_host: int = 4
    """Downloads at a time from one host."""
    retries: int = 5


class Slot(Struct, eq=False):
    """One download from its begin until its outcome is durable."""

    job: Job
    download: Download
    """As its row was read."""
    series: Series
    folder: Path
    """Where it goes by default."""
    began: float
    """Unix seconds."""
    progress: Progress = field(default_factory=Progress)
    outcome: Outcome | None = None
    """None: somebody works on it."""
    is_noted: bool = False
    """Whether the pool knows that it has begun; for the loop."""
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its outcome is durable, or the program ends."""

    def interrupt(self) -> None:
        """Stop the work on it; for the loop."""
        # Its series may have gone on to another one this very moment: that one is then queued once more.
        series = self.series
        if self.outcome is None and series.is_interruptible and series.task is not None:
            series.task.cancel()


class Series:
    """The downloads that one task has worked, one after the other, wherever that is done."""

    def __init__(self) -> None:
        self.slot: Slot | None = None
        """The one that it is at."""
        self.task: asyncio.Task[None] | None = None
        self.is_interruptible = False
        """Whether the task may be cancelled: it works."""

    def slot_at_work(self) -> Slot | None:
        """The one that it is at, unless that has its outcome."""
        return self.slot if self.slot is not None and self.slot.outcome is None else None


class Lineup:
    """Rows as they were read, and still `queued` in the store; for every thread, but for the attributes."""

    def __init__(
        self,
        limits: PoolLimits,
        folder: Path,
        tell: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`tell` is called, in any thread, when there is the first news since `read_news`."""
        self._tell, self._now = tell, now
        self._lock = Lock()
        self._waiting: dict[str, tuple[Job, Download]] = {}
        self._busy: Counter[str] = Counter()
        """How many are at work, by host."""
        self._at_work = 0
        self._unsaved = 0
        self._news: deque[Slot] = deque()
        self.limits = limits
        self.folder = folder
        """Where downloads go by default, from the next that begins on."""
        self.is_open = False
        """Whether anything may begin."""
        self.cooling: Mapping[str, float] = {}
        """Until when (Unix seconds) hosts are left alone; replaced, never changed."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<Lineup of {len(self)}, {self._at_work} at work>"

    @property
    def is_full(self) -> bool:
        """Whether as many are at work as there are workers."""
        return self._at_work >= self.limits.workers

    def rows(self) -> list[Job]:
        """What waits, in order."""
        with self._lock:
            return [job for job, _ in self._waiting.values()]

    def extend(self, jobs: Iterable[tuple[Job, Download]]) -> None:
        """Put these behind what there is."""
        with self._lock:
            self._waiting |= {job.id: (job, download) for job, download in jobs}

    def clear(self) -> None:
        """Nothing may begin before the queue was read once more."""
        with self._lock:
            self._waiting = {}

    def drop(self, ids: Iterable[str]) -> None:
        """These may not begin any more."""
        with self._lock:
            for id in ids:
                self._waiting.pop(id, None)

    # -- what begins and ends

    def take(self, series: Series) -> Slot | None:
        """Begin what may begin next, as the slot that the series is at; None: nothing may."""
        now = self._now()
        with self._lock:
            series.slot = None
            if not self.is_open or self.is_full or self._unsaved >= MOST_UNSAVED:
                return None
            # A host that is full is passed over, not waited for: behind it may be one with room.
            for job, download in self._waiting.values():
                has_room = self._busy[job.host] < self.limits.per_host
                if has_room and self.cooling.get(job.host, 0.0) <= now:
                    del self._waiting[job.id]
                    return self._begin(series, job, download, now)
        return None

    def begin(self, series: Series, job: Job, download: Download) -> Slot:
        """Begin this one, whatever else is at work."""
        with self._lock:
            return self._begin(series, job, download, self._now())

    def end(self, slot: Slot, outcome: Outcome) -> None:
        """It has ended, and its place is free; harmless when it had ended before."""
        with self._lock:
            if slot.outcome is None:
                slot.outcome = outcome
                self._at_work -= 1
                self._busy[slot.job.host] -= 1
                if not self._busy[slot.job.host]:
                    del self._busy[slot.job.host]
                self._note(slot)

    def read_news(self) -> list[Slot]:
        """What has begun, and what has an outcome, since the last time; in order, some of it twice."""
        with self._lock:
            news, self._news = list(self._news), deque()
        return news

    def note_saved(self, count: int) -> None:
        """So many outcomes are durable."""
        with self._lock:
            self._unsaved -= count

    def _begin(self, series: Series, job: Job, download: Download, now: float) -> Slot:
        slot = series.slot = Slot(job, download, series, self.folder, now)
        slot.progress.path = Path(job.path) if job.path else None
        slot.progress.size, slot.progress.received = download.size, download.received
        self._at_work += 1
        self._busy[job.host] += 1
        # Until `note_saved`: a store that cannot write soon stops the beginning of more.
        self._unsaved += 1
        self._note(slot)
        return slot

    def _note(self, slot: Slot) -> None:
        self._news.append(slot)
        # Later ones are read with the first: waking the loop costs more than the file that ended.
        if len(self._news) == 1:
            self._tell()


class Following:
    """The further files of a series, for the thread that fetches them, until `close`."""

    def __init__(self, lineup: Lineup, series: Series, is_plain: Callable[[Job], bool]) -> None:
        self._lineup = lineup
        self._series = series
        self._is_plain = is_plain
        self._slot: Slot | None = None
        """What was given last."""
        self._is_closed = False
        self._lock = Lock()

    def give(self) -> tuple[Job, Path, Progress] | None:
        """The next plain file; None: there is none, or the task must see to what the series is at now."""
        with self._lock:
            if self._is_closed:
                return None
            is_first = self._slot is None
            slot = self._series.slot if is_first else self._lineup.take(self._series)
            self._slot = slot
        if slot is None or not self._is_plain(slot.job):
            return None
        return slot.job, slot.folder, slot.progress

    def note(self, fetched: Fetched) -> None:
        """What was given last is here."""
        assert self._slot is not None
        self._lineup.end(self._slot, Completed(fetched))

    def close(self) -> None:
        """Nothing begins from here any more: its task goes on, and a thread may be stuck in the last file."""
        with self._lock:
            self._is_closed = True
