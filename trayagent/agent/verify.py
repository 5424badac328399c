"""Verify: re-hash what was saved, tell what is not as it was, and on request fetch it again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.hasher import digest_of
from trayagent.model.events import VerifyEvent
from trayagent.model.library import Finding, VerifyReport
from trayagent.model.times import stamp
from trayagent.store import saved_files
from trayagent.store.database import Database
from trayagent.store.saved_files import SavedFile

log = logging.getLogger(__name__)

CHUNK: Final = 200
CALM: Final = 0.25
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
                files := await self._db.read(saved_files.page, after, CHUNK)
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
        if time.monotonic() - self._told > CALM:
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
