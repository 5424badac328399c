"""What may be read: downloads, batches and the status, as others see them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from trayagent.agent.status import LiveStatus
from trayagent.model import urls
from trayagent.model.downloads import Batch, Download, Entry, ErrorInfo, State
from trayagent.model.errors import DownloadError
from trayagent.model.status import Status
from trayagent.model.units import stamp
from trayagent.store import admission, batches, downloads, tasks
from trayagent.store.database import Database
from trayagent.store.tasks import Task
from trayagent.transfer.sidecar import read_mark, sidecar_of


class Queries:
    """Rows come from the store; what moves now (bytes, speed), from the live status."""

    def __init__(
        self,
        db: Database,
        live_status: LiveStatus,
        cool_until: Callable[[str], float | None] = lambda _host: None,
        waits_for: Callable[[Download], tuple[str | None, ErrorInfo] | None] = lambda _: None,
    ) -> None:
        self._db = db
        self._live_status = live_status
        self._cool_until = cool_until
        self._waits_for = waits_for

    def status(self) -> Status:
        """The status now."""
        return self._live_status.status

    async def download(self, id: str) -> Download:
        """One download; raises NotFoundError."""
        return self.live(await self._db.read(downloads.get, id))

    async def downloads(
        self,
        *,
        states: Sequence[str] = (),
        batch: str | None = None,
        q: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[list[Download], str | None]:
        """A page, newest first, and the id to continue `after`, or None."""
        page, more = await self._db.read(
            downloads.page, states=states, batch=batch, q=q, limit=limit, after=after
        )
        return [self.live(download) for download in page], more

    async def ids_sent_by(self, sender: str) -> list[str]:
        """What a paired client sent in the last day, newest first: all that it may see and steer."""
        return await self._db.read(admission.ids_sent_by, sender)

    async def task(self, gid: str) -> Task:
        """The download of a gid; raises NotFoundError, also where its beginning fits several."""
        return await self._db.read(tasks.find, gid)

    async def task_of(self, id: str) -> Task:
        """The same download as foreign programs see it; raises NotFoundError."""
        return await self._db.read(tasks.of_id, id)

    async def active_tasks(self) -> list[Task]:
        """What is at work, as foreign programs see it."""
        return await self._db.read(tasks.active_tasks)

    async def waiting_tasks(self, offset: int, limit: int) -> list[Task]:
        """A window of the line; see `store.tasks`."""
        return await self._db.read(tasks.waiting_tasks, offset, limit)

    async def stopped_tasks(self, offset: int, limit: int) -> list[Task]:
        """A window of what ended last; see `store.tasks`."""
        return await self._db.read(tasks.stopped_tasks, offset, limit)

    async def task_counts(self) -> tuple[int, int]:
        """How many wait or are paused, and how many have ended (of the last thousand)."""
        return await self._db.read(tasks.count_tasks)

    async def is_gid_taken(self, gid: str) -> bool:
        """Whether a download has this gid already."""
        return await self._db.read(downloads.is_gid_taken, gid)

    async def ids_in(self, *states: State) -> list[str]:
        """The ids of all downloads in these states; for those in flight, which are few."""
        return await self._db.read(tasks.ids_in, states)

    async def batch(self, id: str) -> Batch:
        """One batch; raises NotFoundError."""
        return await self._db.read(batches.get, id)

    async def batches(
        self, *, limit: int = 50, after: str | None = None
    ) -> tuple[list[Batch], str | None]:
        """A page, newest first, and the id to continue `after`, or None."""
        return await self._db.read(batches.page, limit=limit, after=after)

    async def last_saved(self, since: float) -> Batch | None:
        """The batch that finished last, not before `since` (Unix seconds), of those that saved a file."""
        return await self._db.read(batches.latest_with_file, since)

    async def entries(self, id: str, *, limit: int = 1000, after: int = 0) -> list[Entry]:
        """What was asked in a batch and what became of it, by line."""
        return await self._db.read(batches.entries, id, limit=limit, after=after)

    def running(self) -> Mapping[str, Download]:
        """The active downloads by id, as they stand this moment."""
        return self._live_status.board.current

    async def parts(self, id: str) -> list[tuple[int, int]]:
        """The stretches of a file that are here for certain: from, and to before which byte; raises NotFoundError.

        Of one that has no record beside its part, what has arrived is one stretch from its beginning.
        """
        download = await self.download(id)
        if download.state != State.COMPLETED and download.path is not None:
            # The record beside the part tells what is on the disk for certain; the row tells only how far it
            # had come. A record of another owner means that the name belongs to another download by now.
            sidecar = sidecar_of(Path(download.path))
            mark = await asyncio.to_thread(read_mark, sidecar)
            if mark is not None and mark.record is not None and mark.owner == download.owner:
                return [(start, end) for start, end in mark.record.done]
        return [(0, download.received)] if download.received else []

    def live(self, download: Download) -> Download:
        """The download as it stands this moment."""
        # 1. One that an engine elsewhere is to fetch, which is away.
        if download.state == State.QUEUED and download.engine is not None:
            away = self._waits_for(download)
            return (
                download if away is None else replace(download, not_before=away[0], error=away[1])
            )
        # 2. One that is ready, whose host asked us to slow down: it says so, and until when.
        if download.state == State.QUEUED and download.not_before is None:
            until = (
                self._cool_until(urls.authority(download.url)) if "://" in download.url else None
            )
            if until is None:
                return download
            busy = DownloadError("server_busy")
            reason = ErrorInfo(busy.code, busy.message, busy.action)
            return replace(download, not_before=stamp(until), error=reason)
        # 3. One at work: its row is seldom written, the live status has its numbers.
        now = self._live_status.board.current.get(download.id)
        if now is None or download.state != State.ACTIVE:
            return download
        return replace(
            download,
            received=max(now.received, download.received),
            size=now.size or download.size,
            speed=now.speed,
        )
