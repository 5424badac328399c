"""What a person asks of the queue: pause, resume, cancel, retry, change, remove, clear, undo.

Which command is allowed in which state stands in `store/transitions`. Here is what follows the
change of a row: a slot is stopped, bytes on the disk and secrets go, the change is announced.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakValueDictionary

from trayagent.agent.bus import Bus
from trayagent.agent.intake import ANNOUNCED_SINGLY
from trayagent.model import urls
from trayagent.model.downloads import SETTLED, Batch, Download, Patch, State
from trayagent.model.engine_choice import choose_elsewhere
from trayagent.model.errors import DownloadError, NotFoundError, TrayagentError, WrongStateError
from trayagent.model.events import (
    BatchEvent,
    DownloadEvent,
    FailuresSeen,
    QueueEvent,
    QueueReordered,
    Tally,
)
from trayagent.model.jobs import New
from trayagent.model.units import stamp
from trayagent.model.wording import show_count
from trayagent.store import (
    batches,
    downloads,
    facts,
    listing,
    queue_order,
    tasks,
    transitions,
    undo,
)
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.listing import Chosen
from trayagent.store.queue_order import Move
from trayagent.store.secrets import SecretFiles

log = logging.getLogger(__name__)

EVENT_OF: Final = {
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "retry": "queued",
}
"""What the event of a command says that it did."""
AT_WORK: Final = (State.QUEUED, State.ACTIVE)
"""What the row of a download says that a slot may be at: it begins before its row does."""


class Workers(Protocol):
    """The pool, as far as commands need it."""

    def wake(self) -> None:
        """There may be work."""

    def hurry(self, host: str) -> None:
        """Ask this `host:port` again at once, whatever it said."""

    async def stop(self, *ids: str) -> Collection[str]:
        """Return once nobody works on the downloads; their bytes are kept. Returns those at work until then."""

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
        discard_page: Callable[[str], Awaitable[None]] | None = None,
        choose_engine: Callable[[New], str | None] = choose_elsewhere,
    ) -> None:
        """`discard` removes the bytes beside a final path, `discard_page` what the page engine keeps.

        `choose_engine` names the engine elsewhere for a download, by the rules of the settings.
        """
        self._db = db
        self._bus = bus
        self._workers = workers
        self._secrets = secrets
        self._trash = trash
        self._discard = discard
        self._discard_page = discard_page
        self._choose_engine = choose_engine
        # Weak: a lock is there as long as somebody holds it or waits for it, and no longer.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One command for a download ends before the next begins: stopping a slot takes a while."""

    # -- one download; all raise NotFoundError, and WrongStateError where the state forbids it

    async def pause(self, id: str) -> Download:
        """Stop it, keep its bytes."""
        return await self._command(id, "pause")

    async def resume(self, id: str) -> Download:
        """Let a paused one go on."""
        return await self._command(id, "resume")

    async def cancel(self, id: str) -> Download:
        """Give it up and remove its `.part`."""
        return await self._command(id, "cancel")

    async def retry(self, id: str) -> Download:
        """Try a failed or cancelled one again, from the bytes that are here; one that waits, now."""
        download = await self._command(id, "retry")
        self._hurry(download)
        return download

    async def change(self, id: str, patch: Patch) -> Download:
        """Go on with other words for the same file. Raises what `validate` raises for words that may not enter.

        What has arrived is kept, but for a file that gets another name, folder or engine: it begins anew there.
        """
        async with self._turn(id):
            if patch.may_move:
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
                # Cancelled first, so that no slot claims it again while its row goes.
                download = await self._command_in_turn(id, "cancel")
            if files and download.state == State.COMPLETED and download.path:
                await self._trash.put(Path(download.path))
            change = await self._db.run(transitions.remove, id, time.time())
            self._announce(change, "removed")
            await self._clean_up(change.download)
        return change.download

    def _turn(self, id: str) -> asyncio.Lock:
        return self._turns.setdefault(id, asyncio.Lock())

    async def _command(self, id: str, verb: str) -> Download:
        async with self._turn(id):
            return await self._command_in_turn(id, verb)

    async def _command_in_turn(self, id: str, verb: str) -> Download:
        """Do it; whoever calls this holds the download's turn."""
        change = await self._db.run(transitions.apply_command, id, verb, time.time())
        if not change.has_effect:
            return change.download
        # A slot may be at work on it although its row does not say so yet.
        if change.previous in AT_WORK and await self._workers.stop(id):
            # Its last bytes may have been published while it was being stopped: then it is completed.
            download = await self._db.run(downloads.get, id)
            change = Change(download, State.ACTIVE, change.finished)
        self._announce(change, EVENT_OF[verb])
        if change.download.state == State.CANCELLED:
            await self._clean_up(change.download)
        self._workers.wake()
        return change.download

    async def _change(self, id: str, patch: Patch) -> None:
        change = await self._db.run(
            transitions.change, id, patch, self._secrets, self._choose_engine
        )
        if change.has_effect:
            is_paused = change.download.state == State.PAUSED
            self._announce(change, "paused" if is_paused else "queued")
        was_at_work = change.previous in AT_WORK and await self._workers.stop(id)
        # The old link may have failed in that very moment: the new one has not been tried yet.
        if was_at_work and (await self._db.read(downloads.get, id)).state == State.FAILED:
            await self._command_in_turn(id, "retry")

    async def _move(self, id: str, patch: Patch) -> None:
        """Change its name, folder or engine: nobody works on it until nothing is left where it was."""
        before = download = await self._db.read(downloads.get, id)
        # Asked here already: a change that is refused shall not have paused it for a moment.
        await self._db.read(transitions.refuse_handed_over, id)
        if before.state in AT_WORK:
            download = await self._command_in_turn(id, "pause")
        try:
            await self._change(id, patch)
            is_elsewhere = (await self._db.read(downloads.get, id)).path != download.path
            if download.path is not None and is_elsewhere:
                await self._discard(Path(download.path), download.owner)
        finally:
            if before.state in (State.ACTIVE, State.QUEUED, State.FAILED):
                with suppress(WrongStateError):  # it ended while it was being stopped
                    await self._command_in_turn(id, "resume")

    def _hurry(self, download: Download) -> None:
        # A person waits for it, so its host is asked at once, also if it wanted to be left alone.
        if download.state == State.QUEUED and "://" in download.url:
            self._workers.hurry(urls.authority(download.url))
        self._workers.wake()

    # -- many downloads

    async def move(self, ids: Sequence[str], where: Move, before: str | None = None) -> list[str]:
        """Give waiting downloads another place in the queue. Returns those that were moved.

        Raises as `queue_order.move` does.
        """
        moved = await self._db.run(queue_order.move, ids, where, before)
        if moved:
            self._bus.publish(QueueReordered())
            self._workers.wake()
        return moved

    async def place(self, id: str, position: int, origin: str) -> int:
        """Give a waiting download the place that an aria2 client names, and return it.

        Raises as `tasks.place` does.
        """
        place = await self._db.run(tasks.place, downloads.number(id), position, origin)
        self._bus.publish(QueueReordered())
        self._workers.wake()
        return place

    def mark_failures_seen(self) -> None:
        """A person has looked at what failed: the icon need not say it any more. The rows stay."""
        self._bus.publish(FailuresSeen())

    async def retry_batch(self, id: str) -> int:
        """Try again what failed of a batch. Returns how many that are."""
        n = batches.number(id)
        await self._db.read(batches.get, id)
        chosen = Chosen((State.FAILED,), batch=batches.public_id(n))
        numbers = await self._db.read(
            listing.numbers_in_order, chosen, "added", down=False, left={}
        )
        retried = 0
        for each in numbers:
            # One that is on its way elsewhere, or was removed meanwhile, is not tried again here.
            with suppress(WrongStateError, NotFoundError):
                await self.retry(downloads.public_id(each))
                retried += 1
        return retried

    async def clear(self, *, failed: bool = False) -> int:
        """Forget all finished rows, or all that failed; files stay. Returns how many."""
        states = ("failed",) if failed else ("completed", "cancelled")
        total = 0
        while gone := await self._db.run(transitions.clear, states):
            total += len(gone)
            for download in gone:
                self._bus.publish(DownloadEvent("removed", download, download.state))
                await self._clean_up(download)
        return total

    async def pause_all(self, minutes: float | None = None) -> str | None:
        """Pause the whole queue, for so many minutes or until resumed. Returns until when (RFC 3339)."""
        until = time.time() + minutes * 60 if minutes is not None else None
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

    async def _cancel_untouched(self, batch: int) -> None:
        after = 0
        while True:
            step = await self._db.run(undo.cancel_untouched, batch, after, time.time())
            if not step.numbers:
                return
            after = step.numbers[-1]
            # For listeners these were active: each has an event of its own.
            begun = await self._workers.stop(*map(downloads.public_id, step.numbers))
            self._bus.publish(Tally(queued=len(begun) - step.queued))
            for id in begun:
                download = await self._db.run(downloads.get, id)
                self._announce(Change(download, State.ACTIVE), "cancelled")
            for finished in step.finished:
                self._bus.publish(BatchEvent("finished", finished))
            for n in step.numbers:
                await self._erase_secrets(downloads.public_id(n))
            if self._discard_page is not None:
                for id in step.tried:
                    await self._discard_page(id)

    async def mark_taken_back(self, n: int, name: str) -> None:
        """Note that the file that had arrived is in the trash; `name` is the one it had."""
        change = await self._db.run(undo.mark_taken_back, n, name, time.time())
        if change is not None:
            self._announce(change, "cancelled")

    # -- what follows a change

    def _announce(self, change: Change, what: str) -> None:
        # One that completed while it was being stopped was announced by the pool.
        if change.download.state != State.COMPLETED or what == "removed":
            self._bus.publish(DownloadEvent(what, change.download, change.previous))
        for batch in change.finished:
            self._bus.publish(BatchEvent("finished", batch))

    async def _clean_up(self, download: Download) -> None:
        """Remove the secrets and the bytes of a download that nobody goes on with."""
        await self._erase_secrets(download.id)
        if download.path and download.state != State.COMPLETED:
            try:
                await self._discard(Path(download.path), download.owner)
            except DownloadError as error:
                # The command itself is done; in a series of them, the others are still to come.
                log.warning("What %s left behind stays: %s", download.id, error.message)
        if self._discard_page is not None:
            await self._discard_page(download.id)

    async def _erase_secrets(self, id: str) -> None:
        if self._secrets.has(id):  # most have none, and need no thread
            await asyncio.to_thread(self._secrets.erase, id)


class TrashError(TrayagentError):
    """Some files of an undone batch stay where they are."""


class BatchUndo:
    """Takes a batch back: what is left of it is cancelled, what arrived goes to the trash.

    Only the batch's own downloads: one that it shares with an older request stays. That the batch is
    to be undone is durable before anything else happens, so a kill at any point only delays it.
    """

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
            except Exception:  # the boundary: one batch's trouble keeps no agent from starting
                log.exception("%s could not be undone", id)

    async def take_back(self, id: str) -> Batch:
        """Undo one batch; synced items among it are not fetched again.

        A second call while the first is at work waits for its end, and a later one does nothing. Raises
        NotFoundError, and TrashError when some files could not go; then it may be called again.
        """
        n = batches.number(id)
        id = batches.public_id(n)
        async with self._turns.setdefault(id, asyncio.Lock()):
            if await self._db.run(undo.begin, id, time.time()):
                await self._queue.cancel_batch(id)
                stuck = await self._put_in_trash(n)
                after: int | None = 0
                while after is not None:
                    after = await self._db.run(undo.ignore_items, n, after)
                await self._db.run(undo.end, id, whole=not stuck)
                if stuck:
                    raise TrashError(
                        "not_in_trash",
                        f"{show_count(stuck, 'file')} could not be moved to the trash.",
                        "Check the permissions of the folder, then undo it again.",
                    )
        return await self._db.read(batches.get, id)

    async def _put_in_trash(self, batch: int) -> int:
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
    """The desktop's trash (through Send2Trash), off the loop; tests put another in its place."""

    async def put(self, path: Path) -> None:
        """Move a file to the trash; nothing happens when it is gone already.

        Raises OSError when the trash will not have it (then the file stays).
        """

        def put() -> None:
            from send2trash import send2trash

            # A link goes itself, whether or not it leads to anything.
            if path.is_symlink() or path.exists():
                send2trash(path)

        await asyncio.to_thread(put)
