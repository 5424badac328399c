"""Verify: re-hash what was saved, tell what is not as it was, and on request fetch it again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.model.downloads import State
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadEvent, Event, VerifyEvent
from trayagent.model.library import Finding, VerifyReport
from trayagent.model.units import stamp
from trayagent.store import downloads, saved_files
from trayagent.store.database import Database
from trayagent.store.saved_files import SavedFile

log = logging.getLogger(__name__)

FILES_PER_PAGE: Final = 200
PROGRESS_SECONDS: Final = 0.25
"""Seconds between two progress events."""


class Repairs(Protocol):
    """Who fetches again what is damaged or missing."""

    async def __call__(self, files: Sequence[SavedFile]) -> Collection[SavedFile]:
        """Queue the files; returns those that could be."""


class Verifier:
    """One check at a time, of the library and of finished downloads."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        roots: Callable[[], Sequence[Path]],
        repairs: Repairs,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.report = VerifyReport()
        self._db = db
        self._bus = bus
        self._roots = roots
        self._repairs = repairs
        self._now = now
        self._stop = threading.Event()
        self._told = 0.0

    def cancel(self) -> None:
        """Stop soon; what was found so far stays in the report."""
        self._stop.set()

    def begin(self) -> None:
        """From nothing; the work itself is `work`."""
        self._stop.clear()
        self.report = VerifyReport("running", started_at=stamp(self._now()))

    async def work(self, *, repair: bool) -> None:
        """Check everything, then look for what is missing elsewhere."""
        missing: list[SavedFile] = []
        try:
            total = await self._db.read(saved_files.count)
            self.report = replace(self.report, total=total)
            after = ("", 0)
            while not self._stop.is_set() and (
                files := await self._db.read(saved_files.page, after, FILES_PER_PAGE)
            ):
                after = files[-1].place
                await self._check(files, missing, repair=repair)
            await self._search(missing, repair=repair)
        except asyncio.CancelledError:
            self._stop.set()  # the thread that reads a large file must not outlive us
            raise
        except Exception:  # a store that is away, a row removed meanwhile: this check only
            log.exception("The check stopped")
            self._stop.set()
        finally:
            self._end()

    def _end(self) -> None:
        whole = self.report.checked == self.report.total and not self._stop.is_set()
        state: Literal["finished", "cancelled"] = "finished" if whole else "cancelled"
        self.report = replace(self.report, state=state, finished_at=stamp(self._now()))
        self._bus.publish(VerifyEvent("finished", self.report))

    async def _check(
        self, files: Sequence[SavedFile], missing: list[SavedFile], *, repair: bool
    ) -> None:
        changed: list[SavedFile] = []
        for file in files:
            digest = await asyncio.to_thread(digest_of, Path(file.path), self._stop)
            if self._stop.is_set():
                break
            if digest is None:
                missing.append(file)
            elif file.sha256 is None and digest[1] == file.size:
                await self._db.run(saved_files.keep_checksum, file, digest[0])
                self.report = replace(self.report, ok=self.report.ok + 1)
            elif digest[0] == file.sha256:
                self.report = replace(self.report, ok=self.report.ok + 1)
            else:
                changed.append(file)
            self.report = replace(self.report, checked=self.report.checked + 1)
            self._progress()
        await self._found("changed", changed, repair=repair)

    async def _search(self, missing: Sequence[SavedFile], *, repair: bool) -> None:
        """A missing file may have been moved: look for its content, by size first."""
        places = await self._elsewhere(missing)
        moved = [(file, places[file.sha256]) for file in missing if file.sha256 in places]
        for file, path in moved:
            if repair:
                await self._db.run(saved_files.keep_path, file, path)
            self.report = self.report.with_finding(Finding("moved", file.path, path, repair))
        lost = [file for file in missing if file.sha256 not in places]
        await self._found("missing", lost, repair=repair)

    async def _found(
        self, what: Literal["changed", "missing"], files: Sequence[SavedFile], *, repair: bool
    ) -> None:
        wanted = repair and bool(files) and not self._stop.is_set()
        queued = await self._repairs(files) if wanted else ()
        for file in files:
            finding = Finding(what, file.path, None, file in queued)
            self.report = self.report.with_finding(finding)

    async def _elsewhere(self, missing: Sequence[SavedFile]) -> dict[str | None, str]:
        sizes = {file.size for file in missing if file.sha256}
        wanted = {file.sha256 for file in missing if file.sha256}
        found: dict[str | None, str] = {}
        for root in self._roots() if sizes else ():
            if self._stop.is_set():
                break
            found |= await asyncio.to_thread(_search, root, sizes, wanted, self._stop)
        return found

    def _progress(self) -> None:
        if time.monotonic() - self._told > PROGRESS_SECONDS:
            self._told = time.monotonic()
            self._bus.publish(VerifyEvent("progress", replace(self.report, findings=())))


def _search(
    root: Path, sizes: set[int | None], wanted: set[str], stop: threading.Event
) -> dict[str | None, str]:
    found: dict[str | None, str] = {}
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if stop.is_set():
                return found
            path = Path(where) / name
            with contextlib.suppress(OSError):
                if path.is_symlink() or path.stat().st_size not in sizes or name.endswith(".part"):
                    continue
                digest = digest_of(path, stop)
                if digest is not None and digest[0] in wanted:
                    found.setdefault(digest[0], str(path))
    return found


BLOCK_BYTES: Final = 1 << 20
"""Bytes read at a time."""
CALM_SECONDS: Final = 0.5
"""Seconds without a new file that are waited for."""
LONGEST_CALM_WAIT_SECONDS: Final = 30.0
"""Seconds after which it starts, calm or not."""
HASHING_SECONDS: Final = 1.0
"""Seconds after which what was found is kept."""


class Hasher:
    """So that `verify` can tell later whether a file is still what arrived."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._stop = threading.Event()
        self._bell = asyncio.Event()
        self._bell.set()
        self._place = bus.subscribe(self._hear)

    async def run(self) -> None:
        """Hash until cancelled."""
        try:
            with self._place:
                while True:
                    await self._bell.wait()
                    await self._wait_for_calm()
                    await self._hash_all()
        finally:
            self._stop.set()  # the thread that reads a large file must not outlive us

    def _hear(self, event: Event) -> None:
        if (
            isinstance(event, DownloadEvent)
            and event.download.state == State.COMPLETED
            and event.what != "removed"
        ):
            self._bell.set()

    async def _wait_for_calm(self) -> None:
        """Until nothing has come for a moment: reading files again slows down what still comes."""
        patience = time.monotonic() + LONGEST_CALM_WAIT_SECONDS
        while self._bell.is_set() and time.monotonic() < patience:
            self._bell.clear()
            await asyncio.sleep(CALM_SECONDS)
        self._bell.clear()

    async def _hash_all(self) -> None:
        try:
            await self._hash_each()
        except StoreUnavailableError as error:
            log.warning("Checksums wait for the next download: %s", error.message)

    async def _hash_each(self) -> None:
        after = 0
        while page := await self._db.read(downloads.checksums_missing, after):
            # Several at a time: changing threads takes longer than a small file.
            digests = await asyncio.to_thread(self._digests, page)
            await self._db.run(downloads.keep_checksums, digests)
            after = digests[-1][0]

    def _digests(self, page: Sequence[tuple[int, str]]) -> list[tuple[int, tuple[str, int] | None]]:
        """The first rows of a page, about a second's worth, with checksum and size. Blocks."""
        began, digests = time.monotonic(), list[tuple[int, tuple[str, int] | None]]()
        for n, path in page:
            digests.append((n, digest_of(Path(path), self._stop)))
            if self._stop.is_set() or time.monotonic() - began > HASHING_SECONDS:
                break
        return digests


def digest_of(path: Path, stop: threading.Event) -> tuple[str, int] | None:
    """SHA-256 in hex and size of a file as far as it was read before `stop`; None when it cannot be read.

    Blocks; gives way to everything else.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while not stop.is_set() and (block := file.read(BLOCK_BYTES)):
                digest.update(block)
                size += len(block)
                stop.wait(0.001)
    except OSError:
        return None
    return digest.hexdigest(), size
