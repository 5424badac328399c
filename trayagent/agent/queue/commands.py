"""What a person asks of the queue: pause, resume, cancel, retry, remove; for one download or all."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from trayagent.agent.bus import Bus
from trayagent.agent.intake import ANNOUNCED_SINGLY
from trayagent.model import urls
from trayagent.model.downloads import SETTLED, Batch, Download, Patch, State
from trayagent.model.errors import DownloadError, NotFoundError, TrayagentError, WrongStateError
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent, Tally
from trayagent.model.units import stamp
from trayagent.store import batches, downloads, facts, transitions, undo
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.secrets import SecretFiles

log = logging.getLogger(__name__)

DONE_BY = {"pause": "paused", "resume": "resumed", "cancel": "cancelled", "retry": "queued"}


class Workers(Protocol):
    """What the queue asks of the pool."""

    def wake(self) -> None:
        """There may be work."""

    def hurry(self, host: str) -> None:
        """Ask this `host:port` again at once, whatever it said."""

    async def stop(self, id: str) -> None:
        """Return once nobody works on the download; its bytes are kept."""

    async def hold(self, until: float | None) -> None:
        """Start nothing (until then, Unix seconds), and return once all active ones are back in the queue."""

    def release(self) -> None:
        """Start again."""


class QueueCommands:
    """Changes are durable and announced when a method returns."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        workers: Workers,
        *,
        secrets: SecretFiles,
        trash: Trash,
        discard: Callable[[Path, str], Awaitable[None]],
        forget: Callable[[str], Awaitable[None]] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._bus = bus
        self._workers = workers
        self._secrets = secrets
        self._trash = trash
        self._discard = discard
        self._forget = forget
        self._now = now
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pause(self, id: str) -> Download:
        """Stop it, keep its bytes."""
        return await self._ask(id, "pause")

    async def resume(self, id: str) -> Download:
        """Let a paused one go on."""
        return await self._ask(id, "resume")

    async def cancel(self, id: str) -> Download:
        """Give it up and remove its `.part`."""
        return await self._ask(id, "cancel")

    async def retry(self, id: str) -> Download:
        """Try a failed or cancelled one again, from the bytes that are here; one that waits, now."""
        download = await self._ask(id, "retry")
        self._hurry(download)
        return download

    async def change(self, id: str, patch: Patch) -> Download:
        """Go on with other words for the same file. Raises what `admit` raises for words that may not enter.

        What has arrived is kept, but for a file that gets another name or folder: it begins anew there.
        """
        async with self._turn(id):
            if patch.renames:
                await self._move(id, patch)
            else:
                await self._change(id, patch)
        download = await self._db.read(downloads.get, id)
        self._hurry(download)
        return download

    async def remove(self, id: str, *, files: bool = False) -> Download:
        """Forget it; with `files` what arrived goes to the trash. Raises OSError if that will not have it."""
        async with self._turn(id):
            download = await self._db.read(downloads.get, id)
            if download.state not in SETTLED:
                download = await self._asked(id, "cancel")  # nobody may claim it again meanwhile
            if files and download.state == State.COMPLETED and download.path:
                await self._trash.put(Path(download.path))
            change = await self._db.run(transitions.remove, id, self._now())
            self._tell(change, "removed")
            await self._tidy(change.download)
        return change.download

    async def cancel_batch(self, id: str) -> None:
        """Give up all of a batch that has not settled.

        Of a large one, what was never begun goes in large steps without an event for each, so that a
        million take seconds and nobody else waits.
        """
        n = batches.number(id)
        left = await self._db.read(undo.unsettled_downloads, n, ANNOUNCED_SINGLY + 1)
        if len(left) > ANNOUNCED_SINGLY:
            await self._cancel_untouched(n)
        while left := await self._db.read(undo.unsettled_downloads, n, ANNOUNCED_SINGLY):
            for download in left:
                # One that has just settled has nothing to be cancelled.
                with suppress(WrongStateError, NotFoundError):
                    await self.cancel(download)

    async def mark_taken_back(self, n: int, name: str) -> None:
        """The file that had arrived is in the trash."""
        change = await self._db.run(undo.mark_taken_back, n, name, self._now())
        if change is not None:
            self._tell(change, "cancelled")

    async def clear(self, *, failed: bool = False) -> int:
        """Forget all finished rows, or all that failed; files stay. Returns how many."""
        states = ("failed",) if failed else ("completed", "cancelled")
        total = 0
        while gone := await self._db.run(transitions.clear, states):
            total += len(gone)
            for download in gone:
                self._bus.publish(DownloadEvent("removed", download, download.state))
                await self._tidy(download)
        return total

    async def pause_all(self, minutes: float | None = None) -> str | None:
        """Pause the whole queue, for so many minutes or until resumed. Returns until when (RFC 3339)."""
        until = self._now() + minutes * 60 if minutes is not None else None
        await self._db.run(
            facts.set_fact, facts.PAUSED, "forever" if until is None else repr(until)
        )
        self._bus.publish(QueueEvent("paused", stamp(until)))
        await self._workers.hold(until)
        return stamp(until)

    async def resume_all(self) -> None:
        """Let the queue go on."""
        await self._db.run(facts.set_fact, facts.PAUSED, None)
        self._bus.publish(QueueEvent("resumed"))
        self._workers.release()

    async def _cancel_untouched(self, batch: int) -> None:
        after = 0
        while True:
            gone = await self._db.run(undo.cancel_untouched, batch, after, self._now())
            if not gone.numbers:
                return
            after = gone.numbers[-1]
            self._bus.publish(Tally(queued=-gone.queued))
            for finished in gone.finished:
                self._bus.publish(BatchEvent("finished", finished))
            for n in gone.numbers:
                await self._erase(downloads.public_id(n))
            for id in gone.tried:
                await self._leave(id)

    async def _change(self, id: str, patch: Patch) -> None:
        change = await self._db.run(transitions.change, id, patch, self._secrets)
        if change.changed:
            self._tell(change, "paused" if change.download.state == State.PAUSED else "queued")
        if change.previous == State.ACTIVE:
            await self._workers.stop(id)
            if (await self._db.read(downloads.get, id)).state == State.FAILED:
                await self._asked(id, "retry")  # the old link failed in that very moment

    async def _move(self, id: str, patch: Patch) -> None:
        """Change the place too: nobody may be at work until nothing is left at the old one."""
        before = download = await self._db.read(downloads.get, id)
        if before.state == State.ACTIVE:
            download = await self._asked(id, "pause")
        try:
            await self._change(id, patch)
            if download.path is not None:
                await self._discard(Path(download.path), download.owner)
        finally:
            if before.state in (State.ACTIVE, State.QUEUED, State.FAILED):
                with suppress(WrongStateError):  # it ended while it was being stopped
                    await self._asked(id, "resume")

    def _hurry(self, download: Download) -> None:
        """A person waits for it, so its host is asked again at once, also if it wanted to be left alone."""
        if download.state == State.QUEUED and "://" in download.url:
            self._workers.hurry(urls.authority(download.url))
        self._workers.wake()

    def _turn(self, id: str) -> asyncio.Lock:
        """One wish for a download is through before the next is heard: stopping takes a while."""
        return self._turns.setdefault(id, asyncio.Lock())

    async def _ask(self, id: str, verb: str) -> Download:
        async with self._turn(id):
            return await self._asked(id, verb)

    async def _asked(self, id: str, verb: str) -> Download:
        change = await self._db.run(transitions.apply_command, id, verb, self._now())
        if not change.changed:
            return change.download
        if change.previous == State.ACTIVE:
            await self._workers.stop(id)
            change = await self._as_it_is(change)
        self._tell(change, DONE_BY[verb])
        if change.download.state == State.CANCELLED:
            await self._tidy(change.download)
        self._workers.wake()
        return change.download

    async def _as_it_is(self, change: Change) -> Change:
        # Its last bytes may have been published while it was being stopped; then it is completed.
        download = await self._db.run(downloads.get, change.download.id)
        return Change(download, change.previous, change.finished)

    def _tell(self, change: Change, what: str) -> None:
        if change.download.state != State.COMPLETED or what == "removed":
            self._bus.publish(DownloadEvent(what, change.download, change.previous))
        for batch in change.finished:
            self._bus.publish(BatchEvent("finished", batch))

    async def _tidy(self, download: Download) -> None:
        await self._erase(download.id)
        if download.path and download.state != State.COMPLETED:
            try:
                await self._discard(Path(download.path), download.owner)
            except DownloadError as error:  # the wish itself is done, and the others have theirs
                log.warning("What %s left behind stays: %s", download.id, error.message)
        await self._leave(download.id)

    async def _erase(self, id: str) -> None:
        if self._secrets.has(id):  # most have none, and need no thread
            await asyncio.to_thread(self._secrets.erase, id)

    async def _leave(self, id: str) -> None:
        if self._forget is not None:
            await self._forget(id)


class TrashError(TrayagentError):
    """Some files stay where they are."""


class BatchUndo:
    """Only the batch's own downloads: one that it shares with an older request stays."""

    def __init__(self, db: Database, queue: QueueCommands, trash: Trash) -> None:
        self._db = db
        self._queue = queue
        self._trash = trash
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self) -> None:
        """Finish what an earlier run began."""
        for id in await self._db.read(undo.unfinished_undos):
            try:
                await self.take_back(id)
            except TrayagentError as error:
                log.warning("%s could not be undone: %s", id, error.message)
            except Exception:  # one batch's trouble must not keep the agent from starting
                log.exception("%s could not be undone", id)

    async def take_back(self, id: str) -> Batch:
        """Undo one batch; synced items among it are not fetched again.

        Whoever asks again while it is at work waits for the same end, and later for nothing. Raises
        NotFoundError, and TrashError when some files could not go; then it may be asked again.
        """
        id = batches.public_id(batches.number(id))
        async with self._turns.setdefault(id, asyncio.Lock()):
            if await self._db.run(undo.begin, id, time.time()):
                await self._take_back(id)
        return await self._db.read(batches.get, id)

    async def _take_back(self, id: str) -> None:
        n = batches.number(id)
        await self._queue.cancel_batch(id)
        stuck = await self._to_the_trash(n)
        after: int | None = 0
        while after is not None:
            after = await self._db.run(undo.ignore_items, n, after)
        await self._db.run(undo.end, id, whole=not stuck)
        if stuck:
            raise TrashError(
                "not_in_trash",
                f"{stuck} {'file' if stuck == 1 else 'files'} could not be moved to the trash.",
                "Check the permissions of the folder, then undo it again.",
            )

    async def _to_the_trash(self, batch: int) -> int:
        """Returns how many files the trash would not have; one of them holds up no other."""
        after = stuck = 0
        while files := await self._db.read(undo.completed_files, batch, after):
            for n, path in files:
                try:
                    await self._trash.put(Path(path))
                except OSError as error:
                    log.warning("%s stays: %s", path, error)
                    stuck += 1
                else:
                    await self._queue.mark_taken_back(n, Path(path).name)
            after = files[-1][0]
        return stuck


class Trash:
    """Send2Trash, off the loop."""

    async def put(self, path: Path) -> None:
        """Move a file to the trash; nothing happens when it is gone already.

        Raises OSError when the trash will not have it (then the file stays).
        """
        await asyncio.to_thread(_put, path)


def _put(path: Path) -> None:
    from send2trash import send2trash

    if path.is_symlink() or path.exists():
        send2trash(path)
