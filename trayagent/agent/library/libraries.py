"""The libraries: their sources, items, syncs, thumbnails and checks, as hook, tray and command line ask for them.

Everything that takes long runs as a task of `Libraries.run`, which also takes up what an earlier run
of the agent left, and starts syncs by the schedule in the settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from trayagent.agent.bus import Bus
from trayagent.agent.intake import Intake
from trayagent.agent.library.missing_files import MissingFiles, Repairs, SourceFolder, without_file
from trayagent.agent.library.sources import Build, ConfiguredSources
from trayagent.agent.library.sync import RunningSyncs
from trayagent.agent.library.thumbnails import Thumbnails
from trayagent.agent.library.verify import Verifier
from trayagent.model import filenames, units
from trayagent.model.errors import NotFoundError, StoreUnavailableError
from trayagent.model.events import SourceChanged
from trayagent.model.library import Account, LibraryItem, SourceInfo, VerifyReport
from trayagent.model.settings import Config, SourceSettings
from trayagent.model.transfer import Resolver
from trayagent.model.units import stamp
from trayagent.sources.source import SecretStore, Source
from trayagent.store import library, sync_runs
from trayagent.store.database import Database

log = logging.getLogger(__name__)

TRIAL_ITEMS: Final = 3
"""Items that a trial of a source shows."""
SCHEDULE_SECONDS: Final = 60.0
"""Between two looks whether a sync is due."""


class Libraries:
    """What is asked about sources comes here. Methods that start something need `run` to be running."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        intake: Intake,
        *,
        build: Build,
        vault: SecretStore,
        thumbnails: Path,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`thumbnails` is a folder; `now` tells Unix seconds, `sleep` is for the rests of a sync."""
        self._sources = ConfiguredSources(db, build, vault)
        self._db = db
        self._bus = bus
        self._intake = intake
        self._now = now
        self._syncs = RunningSyncs(db, bus, now=now, sleep=sleep)
        self._schedule = SyncSchedule(db, self._sources, partial(self.sync, by_itself=True), now)
        self._thumbnails = Thumbnails(thumbnails)
        repairs = Repairs(db, intake, self._missing_files_if_configured)
        # The folders are asked for when they are needed: the settings may name others by then.
        self._verifier = Verifier(
            db, bus, lambda: (self._folder, self._downloads), repairs.queue, now
        )
        self._folder = Path()
        self._downloads = Path()
        self._by_download = False
        self._tasks: asyncio.TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<Libraries of {self._sources}, {len(self._syncs)} syncing>"

    @property
    def resolvers(self) -> dict[str, Resolver]:
        """What turns a synced download into a link, by source; follows the settings."""
        return self._sources.resolvers

    def configure(self, settings: Config) -> None:
        """Take over settings, at start and after every change."""
        self._sources.configure(settings.sources)
        self._schedule.configure(settings.sources)
        self._folder = Path(settings.library.folder)
        self._downloads = Path(settings.downloads.folder)
        self._by_download = settings.library.date == "downloaded"

    async def run(self) -> None:
        """Take up what was interrupted, then sync on schedule, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(
                self._thumbnails.run(
                    lambda numbers: self._db.read(library.paths_of_numbers, numbers)
                ),
                name="thumbnails",
            )
            # A batch that a kill left open would never finish: what is still missing of it, the
            # sync that is taken up next puts into a new one.
            for batch in await self._db.read(sync_runs.open_batches):
                await self._intake.close(batch)
            for name in await self._db.read(sync_runs.interrupted_sources):
                if self._sources.find(name):
                    await self.sync(name)
            await self._schedule.run()

    # -- looking

    async def sources(self) -> list[SourceInfo]:
        """All sources, in the order of the settings."""
        return [await self.source(name) for name in self._sources]

    async def source(self, name: str) -> SourceInfo:
        """One source; raises NotFoundError."""
        source = self._sources.get(name)
        counts = await self._db.read(library.counts, name)
        last = await self._db.read(sync_runs.latest_run, name)
        # A sync that runs says more than its row, which is written once a page.
        running = self._syncs.report_of(name)
        return SourceInfo(
            name=name,
            type=source.type,
            account=await self._sources.account(name),
            # Secrets that the server refused at the last run are none.
            signed_in=await source.has_secrets()
            and not (last and last.error and last.error.code == "signed_out"),
            items=sum(counts.values()),
            present=counts.get("present", 0),
            missing=counts.get("missing", 0) + counts.get("failed", 0),
            gone=counts.get("gone", 0),
            last_run=running.public() if running else last,
        )

    async def items(
        self,
        name: str,
        *,
        state: str | None = None,
        limit: int = 100,
        after: str | None = None,
        new: bool = False,
    ) -> tuple[list[LibraryItem], str | None]:
        """A page of items, newest first, and what to continue `after`; raises NotFoundError."""
        self._sources.get(name)
        return await self._db.read(
            library.page, name, state=state, limit=limit, after=after, new=new
        )

    async def thumbnail(self, name: str, item: str) -> bytes:
        """A small JPEG of the item with this media key or name; raises NotFoundError."""
        self._sources.get(name)
        found = await self._db.read(library.item_of_id, name, item)
        if found is None or found.path is None:
            raise NotFoundError(
                "not_found", "There is no such picture here.", f"See: trayagent source items {name}"
            )
        return await self._thumbnails.thumbnail(found.n, found.path)

    # -- syncing

    async def sync(
        self, name: str, *, list_only: bool = False, by_itself: bool = False
    ) -> tuple[str, bool]:
        """Start a sync; returns its run, and whether it was running already. Raises NotFoundError."""
        source = self._sources.get(name)
        if self._tasks is None:
            raise StoreUnavailableError("The agent is not ready yet.")
        return await self._syncs.start(
            self._tasks,
            source,
            self._missing_files(source),
            list_only=list_only,
            by_itself=by_itself,
        )

    async def download(
        self, name: str, names: Sequence[str], folder: str | None = None
    ) -> tuple[str | None, list[str]]:
        """Fetch chosen items; returns the batch (None: no name is known) and the unknown names."""
        source = self._sources.get(name)
        items, unknown = await self._db.read(library.items_named, name, names)
        if not items:
            return None, unknown
        below = str(filenames.safe_folder(folder)) if folder else None
        missing_files = self._missing_files(source)
        # What is here already is not fetched again, though a person chose it.
        await missing_files.queue(await asyncio.to_thread(without_file, items), below)
        await missing_files.close()
        return missing_files.batch, unknown

    def _missing_files_if_configured(self, name: str) -> MissingFiles | None:
        source = self._sources.find(name)
        return self._missing_files(source) if source else None

    def _missing_files(self, source: Source) -> MissingFiles:
        folder = SourceFolder(self._folder / source.name, self._by_download)
        return MissingFiles(self._db, self._intake, source.name, source.host, folder, self._now)

    # -- signing in

    async def sign_in(self, name: str, text: str) -> Account:
        """Keep the secrets in `text`, if they work. Raises NotFoundError, SourceError, DownloadError."""
        account = await self._sources.sign_in(name, text)
        self.publish_change(name)
        return account

    async def sign_out(self, name: str) -> None:
        """Forget a source's secrets; raises NotFoundError."""
        await self._sources.sign_out(name)
        self.publish_change(name)

    def publish_change(self, name: str) -> None:
        """Tell that a source was signed in or out, changed or removed."""
        self._bus.publish(SourceChanged(name))

    async def example(self, settings: SourceSettings, secret: str | None = None) -> Any:
        """What a json source answers first, cut short; keeps nothing. Raises SourceError, DownloadError."""
        return await self._sources.example(settings, secret)

    async def probe(
        self, settings: SourceSettings, secret: str | None = None
    ) -> tuple[Account, list[LibraryItem]]:
        """Try a source that may not be in the settings: its account and first items. Keeps nothing.

        Raises SourceError or DownloadError.
        """
        account, first = await self._sources.probe(settings, secret)
        # As the items of a library are shown, though none of them is in the store.
        return account, [
            LibraryItem(
                item.name,
                item.kind,
                stamp(item.created),
                item.aspect_ratio,
                item.media_key,
                item.workflow_id,
                "missing",
                None,
                item.size,
                None,
            )
            for item in first[:TRIAL_ITEMS]
        ]

    # -- verifying

    @property
    def verify_report(self) -> VerifyReport:
        """The check that runs, or the last one."""
        return self._verifier.report

    async def verify(self, *, repair: bool = False) -> VerifyReport:
        """Start a check, unless one is running."""
        # Begun here, not in the task: who asks in the next moment sees the new report, and no second
        # check.
        if self._tasks is not None and self._verifier.report.state != "running":
            self._verifier.begin()
            self._tasks.create_task(self._verifier.check_all(repair=repair), name="verify")
        return self._verifier.report

    def cancel_verify(self) -> None:
        """Stop the check that runs."""
        self._verifier.cancel()


class SyncSchedule:
    """Syncs that come by themselves: for sources with an `every`, when the last run is that old."""

    def __init__(
        self,
        db: Database,
        sources: ConfiguredSources,
        start: Callable[[str], Awaitable[object]],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._sources = sources
        self._start = start
        self._now = now
        self._every_seconds: dict[str, float] = {}
        self._bell = asyncio.Event()

    def configure(self, sources: Sequence[SourceSettings]) -> None:
        """Take over settings, and look at once."""
        self._every_seconds = {
            one.name: units.parse_duration(one.every) for one in sources if one.every
        }
        self._bell.set()

    async def run(self) -> None:
        """Start what is due until cancelled."""
        while True:
            # Before the look: settings that change during it ring for another one.
            self._bell.clear()
            for name, seconds in self._every_seconds.items():
                try:
                    last = await self._db.read(sync_runs.last_activity, name)
                    if last is not None and self._now() - last < seconds:
                        continue
                    # It may have left the settings meanwhile; without secrets it would only fail.
                    source = self._sources.find(name)
                    if source is not None and await source.has_secrets():
                        await self._start(name)
                except Exception:  # a keyring may fail in any way; the other sources go on
                    log.exception("The sync of %s could not be started", name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SCHEDULE_SECONDS):
                    await self._bell.wait()
