"""A slot of the pool, and what may begin next: rows as they were read, and still `queued` in the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from trayagent.model.downloads import Download
from trayagent.model.jobs import Job
from trayagent.model.transfer import Progress
from trayagent.store.transitions import Outcome


@dataclass(slots=True, eq=False)
class Slot:
    """One download from its begin until its outcome is durable."""

    job: Job
    progress: Progress
    task: asyncio.Task[None] | None = None
    is_interruptible: bool = False
    """Whether the task may be cancelled: it works."""
    outcome: Outcome | None = None
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its outcome is durable, or the program ends."""


class Lineup:
    """What may begin next, in order."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Job, Download]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<Lineup of {len(self)}>"

    def renew(self, jobs: Iterable[tuple[Job, Download]]) -> None:
        """Put these in the place of what there was."""
        self._waiting = {job.id: (job, download) for job, download in jobs}

    def drop(self, ids: Iterable[str]) -> None:
        """These may not begin any more."""
        for id in ids:
            self._waiting.pop(id, None)

    def take(
        self, busy: Counter[str], per_host: int, cooling: Collection[str]
    ) -> tuple[Job, Download] | None:
        """The first whose host has room and may be asked; `busy` says how many run of each host."""
        for job, _ in self._waiting.values():
            if busy[job.host] < per_host and job.host not in cooling:
                return self._waiting.pop(job.id)
        return None
