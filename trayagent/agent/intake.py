"""The one door into the queue: whoever asks, an item is checked, kept durably, then announced."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model import validation
from trayagent.model.downloads import Batch, Download, Item, Receipt, Rejected, Via
from trayagent.model.errors import TrayagentError
from trayagent.model.events import BatchEvent, DownloadEvent
from trayagent.model.jobs import New
from trayagent.store import batches, downloads
from trayagent.store.admission import (
    Admission,
    Admitted,
    IdempotencyKey,
    admit_line,
    recall,
    remember,
    saved_paths,
)
from trayagent.store.admission import admit as admit_one
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles

ANNOUNCED_SINGLY = 100
"""Larger batches are announced as one event instead of one a download."""

Candidate = New | Rejected


@dataclass(frozen=True, slots=True)
class Entered:
    """What one transaction of the intake did."""

    receipt: Receipt
    new: tuple[Download, ...] = ()
    batch: Batch | None = None
    repeated: bool = False
    """The same Idempotency-Key was answered before."""


class Intake:
    """Writes downloads to the store; `wake` tells the pool that there is work."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        secrets: SecretFiles,
        wake: Callable[[], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._bus = bus
        self._secrets = secrets
        self.wake = wake
        """Tells the pool that there is work."""
        self._now = now
        self._presence = FilePresence()

    async def add(
        self,
        items: Sequence[Item],
        *,
        via: Via,
        title: str | None = None,
        key: IdempotencyKey | None = None,
    ) -> Entered:
        """Queue items; several, or a title, make a batch. Durable when it returns.

        Items that may not enter are in the receipt's `rejected`. Raises StoreUnavailableError
        and KeyReusedError.
        """
        candidates = [candidate_of(index, item) for index, item in enumerate(items)]
        return await self.enter(candidates, via=via, title=title, key=key)

    async def enter(
        self,
        candidates: Sequence[Candidate],
        *,
        via: Via,
        title: str | None = None,
        key: IdempotencyKey | None = None,
        batch: str | None = None,
        more: bool = False,
    ) -> Entered:
        """Queue what was checked already (a sync's items carry their own identity and place).

        With `more` the new batch stays open: further calls name it as `batch`, and `close` ends it.
        """
        if title is None and len(candidates) > 1:
            title = f"{len(candidates)} downloads"
        wanted = _Wanted(None if batch else title, batches.number(batch) if batch else None, more)
        admission = await self.admission(via, candidates)
        entered = await self._db.run(_enter, candidates, wanted, key, admission)
        self.announce(entered.new, entered.batch)
        return entered

    async def close(self, batch: str) -> None:
        """Nothing more will come into an open batch; it finishes with its last download."""
        for finished in await self._db.run(batches.close, batches.number(batch), self._now()):
            self._bus.publish(BatchEvent("finished", finished))

    async def admission(self, via: Via, candidates: Iterable[Candidate]) -> Admission:
        """What a transaction that admits these needs; made anew for each.

        Their finished files are looked for here, before it, so that no disk holds up the database. One
        that finishes in between counts as there.
        """
        new = [candidate for candidate in candidates if isinstance(candidate, New)]
        missing = await self._presence.missing(await self._db.read(saved_paths, new))
        return Admission(
            via=via,
            now=self._now(),
            exists=lambda path: path not in missing,
            secrets=self._secrets,
        )

    def announce(self, new: Sequence[Download], batch: Batch | None) -> None:
        """Tell of committed downloads, and wake the pool."""
        if batch is not None and len(new) > ANNOUNCED_SINGLY:
            self._bus.publish(BatchEvent("queued", batch))
        for download in new:
            self._bus.publish(DownloadEvent("queued", download, quiet=len(new) > ANNOUNCED_SINGLY))
        if batch is not None and batch.finished_at is not None:
            self._bus.publish(BatchEvent("finished", batch))
        if new:
            self.wake()


def candidate_of(index: int, item: Item) -> Candidate:
    """The item made ready, or why it may not enter."""
    try:
        return validation.validate(item)
    except TrayagentError as error:
        return Rejected(index, without_password(item.url), error.code, error.message)


def without_password(url: str) -> str:
    """A URL, however broken, as it may be shown and kept: without a password."""
    scheme, slashes, rest = url[:2048].partition("://")
    netloc, slash, path = rest.partition("/")
    return scheme + slashes + netloc.rpartition("@")[2] + slash + path


@dataclass(frozen=True, slots=True)
class _Wanted:
    title: str | None
    """Of the batch to make; None: no new batch."""
    batch: int | None
    """The open batch to continue."""
    more: bool


def _enter(
    conn: sqlite3.Connection,
    candidates: Sequence[Candidate],
    wanted: _Wanted,
    key: IdempotencyKey | None,
    admission: Admission,
) -> Entered:
    if key is not None:
        before = recall(conn, key, admission.now)
        if before is not None:
            return Entered(before, repeated=True)
    accepted = any(isinstance(candidate, New) for candidate in candidates)
    batch = wanted.batch
    if wanted.title and (accepted or wanted.more):
        batch = batches.create(conn, wanted.title, admission.via, admission.now, open=wanted.more)
    entered = _admit_all(conn, candidates, batch, _urgent(conn, candidates, admission))
    if key is not None and accepted:
        remember(conn, key, entered.receipt, admission.now)
    return entered


def _urgent(
    conn: sqlite3.Connection, candidates: Sequence[Candidate], admission: Admission
) -> Admission:
    if any(isinstance(candidate, New) and candidate.urgent for candidate in candidates):
        return admission.at(downloads.next_urgency(conn))
    return admission


def _admit_all(
    conn: sqlite3.Connection,
    candidates: Sequence[Candidate],
    batch: int | None,
    admission: Admission,
) -> Entered:
    served: list[Download] = []
    new: list[Download] = []
    first = batches.next_line(conn, batch) if batch is not None else 1
    for line, candidate in enumerate(candidates, start=first):
        if isinstance(candidate, Rejected):
            if batch is not None:
                batches.enter_settled(
                    conn,
                    batch,
                    line,
                    candidate.url,
                    "rejected",
                    code=candidate.code,
                    message=candidate.message,
                )
            continue
        admitted = (
            admit_one(conn, candidate, admission, None)
            if batch is None
            else admit_line(conn, batch, line, candidate, admission)
        )
        served.append(_serving(conn, admitted))
        if admitted.outcome == "new":
            new.append(served[-1])
    rejected = tuple(candidate for candidate in candidates if isinstance(candidate, Rejected))
    receipt = Receipt(batches.public_id(batch) if batch else None, tuple(served), rejected)
    return Entered(receipt, tuple(new), _closed(conn, batch, admission.now))


def _serving(conn: sqlite3.Connection, admitted: Admitted) -> Download:
    download = downloads.download_of(downloads.row_of(conn, admitted.n))
    return (
        replace(download, duplicate_of=download.id) if admitted.outcome == "duplicate" else download
    )


def _closed(conn: sqlite3.Connection, batch: int | None, now: float) -> Batch | None:
    if batch is None:
        return None
    batches.finish(conn, batch, now)  # done at once when nothing of it is new
    return batches.get(conn, batches.public_id(batch))


LOOK_SECONDS: Final = 1.0
"""How long an answer is waited for: a request at the door has five in all."""
MOST_LOOKS: Final = 8
"""Looks at a time; more of them would only wait for the same disk that stands still."""


class FilePresence:
    """Each look has a thread of its own: a daemon, so that a stuck one keeps no process alive."""

    def __init__(self) -> None:
        self._looking = 0

    async def missing(self, paths: Collection[str]) -> frozenset[str]:
        """Those of the paths that hold no file any more.

        A path about which the disk says nothing in time is none of them: its row says that the file is
        there, and fetching it once more would need the same disk.
        """
        if not paths or self._looking >= MOST_LOOKS:
            return frozenset()
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        gone: list[str] = []

        def look() -> None:
            for path in paths:  # what was seen until time is up counts, too
                if not os.path.exists(path):  # noqa: PTH110  of a thousand lines, all of them
                    gone.append(path)  # noqa: PERF401
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(end)

        def end() -> None:
            self._looking -= 1
            done.set()

        self._looking += 1
        threading.Thread(target=look, name="presence", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await done.wait()
        return frozenset(gone)

    def __repr__(self) -> str:
        return f"<FilePresence: {self._looking} looks>"
