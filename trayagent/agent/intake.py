"""Every way into the queue: an item is checked, kept durably, then announced, in this order.

    hook, tray, command line   `add`: items as somebody wrote them
    sync                       `enter`: what it made itself, with its own identity and folder
    drop folder                `admit` and `announce`, around a transaction of its own

What may enter is decided in `model/validation`; what is here already, in `store/admission`, inside
the transaction.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model import engine_choice, validation
from trayagent.model.downloads import Batch, Download, Item, Rejected, State, Via
from trayagent.model.errors import TrayagentError
from trayagent.model.events import BatchEvent, DownloadEvent, Tally
from trayagent.model.jobs import New, engine_host
from trayagent.model.settings import EngineSettings
from trayagent.model.wording import name_of_batch, show_count
from trayagent.store import batches
from trayagent.store.admission import (
    Admission,
    BatchWish,
    Candidate,
    Entered,
    IdempotencyKey,
    UnseenFilesError,
    enter,
)
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles

ANNOUNCED_SINGLY: Final = 100
"""Larger batches are announced as one event instead of one a download."""
LOOK_SECONDS: Final = 1.0
"""How long a disk's answer is waited for: a request has five seconds in all."""
MOST_LOOKS: Final = 8
"""Looks at a time; more of them would only wait for the same disk that stands still."""


T = TypeVar("T")


class Intake:
    """Writes downloads to the store. All methods are for the front loop."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        secrets: SecretFiles,
        wake: Callable[[], None],
        now: Callable[[], float] = time.time,
        *,
        engines: Sequence[EngineSettings] = (),
    ) -> None:
        self._db = db
        self._bus = bus
        self._secrets = secrets
        self.wake = wake
        """Tells the pool that there is work."""
        self._now = now
        self.engines = engines
        """The engines elsewhere of the settings."""
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
            title = title_of(candidates)
        candidates = [
            self.choose_engine(index, candidate) for index, candidate in enumerate(candidates)
        ]
        wish = BatchWish(None if batch else title, batches.number(batch) if batch else None, more)
        entered = await self.admit(via, enter, candidates, wish, key)
        self.announce(entered.new, entered.batch)
        return entered

    def choose_engine(self, index: int, candidate: Candidate) -> Candidate:
        """The candidate with the engine that will fetch it, or why it may not enter. For any thread."""
        if not isinstance(candidate, New) or (not self.engines and candidate.engine is None):
            return candidate
        try:
            engine = engine_choice.choose_elsewhere(candidate, self.engines)
        except TrayagentError as error:
            return Rejected(index, candidate.url, error.code, error.message)
        host = candidate.host if engine is None else engine_host(engine)
        return replace(candidate, engine=engine, host=host)

    async def close(self, batch: str) -> None:
        """Nothing more will come into an open batch; it finishes with its last download."""
        for finished in await self._db.run(batches.close, batches.number(batch), self._now()):
            self._bus.publish(BatchEvent("finished", finished))

    async def admit(self, via: Via, act: Callable[..., T], *given: object) -> T:
        """Carry out `act(conn, *given, admission)`, a transaction that admits items.

        Once more where files have to be looked for, so that no disk holds up the database. A file that is
        finished in between counts as being there.
        """
        admission = Admission(via, self._now(), self._secrets)
        try:
            return await self._db.run(act, *given, admission)
        except UnseenFilesError as unseen:
            missing = await self._presence.missing(unseen.paths)
        return await self._db.run(act, *given, replace(admission, missing=missing))

    def announce(self, new: Sequence[Download], batch: Batch | None) -> None:
        """Publish committed downloads, and wake the pool."""
        if batch is not None and len(new) > ANNOUNCED_SINGLY:
            self._bus.publish(BatchEvent("queued", batch))
            self._bus.publish(Tally(queued=sum(one.state == State.QUEUED for one in new)))
        else:
            for download in new:
                self._bus.publish(DownloadEvent("queued", download))
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


def title_of(candidates: Sequence[Candidate]) -> str:
    """What to call a batch that nobody has named: after what of it may enter."""
    new = [each for each in candidates if isinstance(each, New)]
    if not new:
        return show_count(len(candidates), "download")
    return name_of_batch([(each.order.filename, each.url) for each in new])


def without_password(url: str) -> str:
    """A URL, however broken, as it may be shown and kept: without a password."""
    scheme, slashes, rest = url[:2048].partition("://")
    netloc, slash, path = rest.partition("/")
    return scheme + slashes + netloc.rpartition("@")[2] + slash + path


class FilePresence:
    """Whether files are still there, asked in a way that takes a moment at most.

    Each look has a thread of its own, not one of the executor's: a disk that stands still would take
    all of those. It is a daemon, so that a stuck look keeps no process alive.
    """

    def __init__(self) -> None:
        self._looking = 0

    async def missing(self, paths: Collection[str]) -> frozenset[str]:
        """Those of the paths that hold no file any more, as far as the disk answers in time."""
        # A path without an answer counts as there: its row says so, and a second download would need
        # the same disk.
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
