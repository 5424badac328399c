"""Checksums of saved files: filled in after a download, and compared when a person asks.

A check reads every saved file (a library's and finished downloads) and sorts it:

    finding   the file                                     with repair
    --------  -------------------------------------------  --------------------------------------
    ok        is as it was; or has no checksum yet, and    -
              the size it had: then it gets one
    changed   has another content, or another size         it is fetched again, beside this one
    moved     is not there, but its content lies           its new path is kept
              elsewhere in the folders of ours
    missing   is nowhere                                   it is fetched again
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.files import open_regular, walk_folders
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
"""Saved files that a check has in memory."""
PROGRESS_SECONDS: Final = 0.25
"""Between two progress events."""
BLOCK_BYTES: Final = 1 << 20
"""Read at a time."""
BLOCK_PAUSE_SECONDS: Final = 0.001
"""Between two blocks: whatever else wants the disk or the interpreter goes first."""
CALM_SECONDS: Final = 0.5
"""Without a new file, after which hashing begins."""
LONGEST_CALM_WAIT_SECONDS: Final = 30.0
"""After which it begins, calm or not."""
HASHING_SECONDS: Final = 1.0
"""How long digests are gathered before they are kept."""

Repair = Callable[[Sequence[SavedFile]], Awaitable[Collection[SavedFile]]]
"""Fetches files again; returns those that could be queued."""


class Verifier:
    """One check at a time, of the library and of finished downloads."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        roots: Callable[[], Sequence[Path]],
        repair: Repair,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`roots` are the folders in which a missing file is looked for."""
        self.report = VerifyReport()
        self._db = db
        self._bus = bus
        self._roots = roots
        self._repair = repair
        self._now = now
        self._stop = threading.Event()
        self._last_progress = 0.0

    def cancel(self) -> None:
        """Stop soon; what was found so far stays in the report."""
        self._stop.set()

    def begin(self) -> None:
        """Begin a new report; `check_all` does the work."""
        self._stop.clear()
        self.report = VerifyReport("running", started_at=stamp(self._now()))

    async def check_all(self, *, repair: bool) -> None:
        """Check every file, then look for the missing ones elsewhere."""
        missing: list[SavedFile] = []
        try:
            total = await self._db.read(saved_files.count)
            elsewhere = await self._db.read(saved_files.count_elsewhere)
            self.report = replace(self.report, total=total, elsewhere=elsewhere)
            after = ("", 0)
            while not self._stop.is_set() and (
                files := await self._db.read(saved_files.page, after, FILES_PER_PAGE)
            ):
                after = files[-1].cursor
                missing += await self._check(files, repair=repair)
            await self._find_moved(missing, repair=repair)
        except asyncio.CancelledError:
            self._stop.set()  # the thread that reads a large file must not outlive us
            raise
        except Exception:  # a store that is away, a row removed meanwhile: this check only
            log.exception("The check stopped")
            self._stop.set()
        finally:
            is_whole = self.report.checked == self.report.total and not self._stop.is_set()
            self.report = replace(
                self.report,
                state="finished" if is_whole else "cancelled",
                finished_at=stamp(self._now()),
            )
            self._bus.publish(VerifyEvent("finished", self.report))

    async def _check(self, files: Sequence[SavedFile], *, repair: bool) -> list[SavedFile]:
        """Compare files with their checksums; returns those that are not there, to be looked for later."""
        changed: list[SavedFile] = []
        missing: list[SavedFile] = []
        for file in files:
            digest = await asyncio.to_thread(digest_of, Path(file.path), self._stop)
            if self._stop.is_set():
                break  # this file was read in part only
            # An unreadable file is missing, too: perhaps its disk is not there.
            if digest is None:
                missing.append(file)
            # It had no checksum to compare: the size is all that tells, and from now on there is one.
            elif file.sha256 is None and digest[1] == file.size:
                await self._db.run(saved_files.keep_checksum, file, digest[0])
                self.report = replace(self.report, ok=self.report.ok + 1)
            elif digest[0] == file.sha256:
                self.report = replace(self.report, ok=self.report.ok + 1)
            else:
                changed.append(file)
            self.report = replace(self.report, checked=self.report.checked + 1)
            if time.monotonic() - self._last_progress > PROGRESS_SECONDS:
                self._last_progress = time.monotonic()
                # Findings may be many: they come with the end, or are asked for.
                self._bus.publish(VerifyEvent("progress", replace(self.report, findings=())))
        await self._add_findings("changed", changed, repair=repair)
        return missing

    async def _find_moved(self, missing: Sequence[SavedFile], *, repair: bool) -> None:
        """Look for missing files by their content, in all folders of ours: by size first."""
        # Without a checksum nothing tells that another file is this one.
        sizes = {file.size for file in missing if file.sha256}
        digests = {file.sha256 for file in missing if file.sha256}
        found: dict[str | None, str] = {}
        for root in self._roots() if sizes else ():
            if self._stop.is_set():
                break
            found |= await asyncio.to_thread(files_with, root, sizes, digests, self._stop)
        for file in missing:
            if file.sha256 in found:
                path = found[file.sha256]
                if repair:
                    await self._db.run(saved_files.keep_path, file, path)
                self.report = self.report.with_finding(Finding("moved", file.path, path, repair))
        nowhere = [file for file in missing if file.sha256 not in found]
        await self._add_findings("missing", nowhere, repair=repair)

    async def _add_findings(
        self, what: Literal["changed", "missing"], files: Sequence[SavedFile], *, repair: bool
    ) -> None:
        may_repair = repair and bool(files) and not self._stop.is_set()
        queued = await self._repair(files) if may_repair else ()
        for file in files:
            finding = Finding(what, file.path, None, file in queued)
            self.report = self.report.with_finding(finding)


class Hasher:
    """Fills in the checksums of finished downloads, one file after the other, when it is calm.

    Without them no check could tell later whether a file is still what arrived.
    """

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db = db
        self._stop = threading.Event()
        self._bell = asyncio.Event()
        # An earlier run may have left files without a checksum: there is work before any event.
        self._bell.set()
        self._subscription = bus.subscribe(self._hear)

    async def run(self) -> None:
        """Hash until cancelled."""
        try:
            with self._subscription:
                while True:
                    await self._bell.wait()
                    # Until nothing more arrives: reading files again would slow down those that still come.
                    longest = time.monotonic() + LONGEST_CALM_WAIT_SECONDS
                    while self._bell.is_set() and time.monotonic() < longest:
                        self._bell.clear()
                        await asyncio.sleep(CALM_SECONDS)
                    self._bell.clear()
                    try:
                        after = 0
                        # `after` moves on also past files that cannot be read: each once a round.
                        while page := await self._db.read(downloads.checksums_missing, after):
                            # Several at a time: changing threads takes longer than a small file.
                            digests = await asyncio.to_thread(self._digests, page)
                            await self._db.run(downloads.keep_checksums, digests)
                            after = digests[-1][0]
                    except StoreUnavailableError as error:
                        log.warning("Checksums wait for the next download: %s", error.message)
        finally:
            self._stop.set()  # the thread that reads a large file must not outlive us

    def _hear(self, event: Event) -> None:
        if (
            isinstance(event, DownloadEvent)
            and event.download.state == State.COMPLETED
            and event.what != "removed"
        ):
            self._bell.set()

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
        with open_regular(path) as file:
            while not stop.is_set() and (block := file.read(BLOCK_BYTES)):
                digest.update(block)
                size += len(block)
                stop.wait(BLOCK_PAUSE_SECONDS)
    except OSError:
        return None
    return digest.hexdigest(), size


def files_with(
    root: Path, sizes: set[int | None], digests: set[str], stop: threading.Event
) -> dict[str | None, str]:
    """Paths below a folder by their SHA-256, of files with one of these. Blocks until `stop`."""
    found: dict[str | None, str] = {}
    for where, names in walk_folders(root):
        for name in names:
            if stop.is_set():
                return found
            path = Path(where) / name
            with contextlib.suppress(OSError):
                # A link's file belongs to somebody else; a `.part` is not finished.
                if path.is_symlink() or path.stat().st_size not in sizes or name.endswith(".part"):
                    continue
                digest = digest_of(path, stop)
                if digest is not None and digest[0] in digests:
                    found.setdefault(digest[0], str(path))
    return found
