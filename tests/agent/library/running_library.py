"""A library with everything around it but the hook: real database, pool, transfer and sockets."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.servers.flow import FakeFlow
from trayagent.agent.bus import Bus
from trayagent.agent.intake import Intake
from trayagent.agent.library.libraries import Libraries
from trayagent.agent.queue.commands import BatchUndo, QueueCommands, Trash
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.lineup import PoolLimits
from trayagent.agent.queue.pool import Pool
from trayagent.model.events import BatchEvent, Event, SyncEvent
from trayagent.model.library import LibraryItem, SourceInfo, SyncRun
from trayagent.model.settings import Config, DownloadSettings, LibrarySettings, SourceSettings
from trayagent.net.api_client import ApiClient
from trayagent.net.request import HttpClient
from trayagent.sources.build import build
from trayagent.store import downloads
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles, Vault
from trayagent.transfer.transfer import Transfer

ALICE, BOB = "st-alice-1", "st-bob-1"


class RunningLibrary:
    """What a test asks and looks at."""

    def __init__(
        self,
        home: Path,
        config: Config,
        library: Libraries,
        db: Database,
        bus: Bus,
        vault: Vault,
        intake: Intake,
    ) -> None:
        self.intake = intake
        self.undo: BatchUndo
        self.home = home
        self.config = config
        self.library = library
        self.db = db
        self.bus = bus
        self.vault = vault
        self.events: list[Event] = []
        bus.subscribe(self.events.append)

    async def sync(self, name: str = "flow", *, list_only: bool = False) -> SyncRun:
        """Sync and wait for its last file."""
        done: asyncio.Queue[SyncRun] = asyncio.Queue()

        def hear(event: Event) -> None:
            if isinstance(event, SyncEvent) and event.what == "finished" and event.source == name:
                done.put_nowait(event.run)

        with self.bus.subscribe(hear):
            await self.library.sync(name, list_only=list_only)
            async with asyncio.timeout(40):
                return await done.get()

    async def heard(self, match: Callable[[Event], bool], within: float = 40) -> Event:
        """The newest event that matches, waited for if there is none yet."""
        for event in reversed(self.events):
            if match(event):
                return event
        coming: asyncio.Queue[Event] = asyncio.Queue()
        with self.bus.subscribe(coming.put_nowait):
            async with asyncio.timeout(within):
                while not match(event := await coming.get()):
                    pass
        return event

    async def finished(self) -> SyncRun:
        """Wait for the sync that runs, or take the one that just ended."""
        event = await self.heard(lambda e: isinstance(e, SyncEvent) and e.what == "finished")
        assert isinstance(event, SyncEvent)
        return event.run  # type: ignore[no-any-return]

    async def batch_finished(self, batch: str | None) -> None:
        """Wait for a batch."""
        await self.heard(
            lambda e: isinstance(e, BatchEvent) and e.what == "finished" and e.batch.id == batch
        )

    async def quiet(self) -> None:
        """Wait until nothing is in the queue."""
        coming: asyncio.Queue[Event] = asyncio.Queue()
        with self.bus.subscribe(coming.put_nowait):
            while {"queued", "active"} & (await self.db.read(downloads.counts)).keys():
                async with asyncio.timeout(40):
                    await coming.get()

    def changed(self, **sections: Any) -> Config:
        """The settings with other sections."""
        return replace(self.config, **sections)

    async def source(self, name: str = "flow") -> SourceInfo:
        return await self.library.source(name)

    async def items(self, name: str = "flow", **asked: Any) -> list[LibraryItem]:
        found: list[LibraryItem] = []
        after = None
        while True:
            page, after = await self.library.items(name, after=after, **asked)
            found += page
            if after is None:
                return found

    def files(self) -> dict[str, bytes]:
        """Everything in the library's folder, by relative path."""
        root = Path(self.config.library.folder)
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }


def flow(fake: FakeFlow, name: str = "flow", **more: Any) -> SourceSettings:
    """A Flow source that reads the fake."""
    settings = {
        "labs_base": fake.labs_base,
        "media_base": fake.media_base,
        "page_delay": "0",
        **more,
    }
    return SourceSettings(name=name, type="flow", **settings)


@asynccontextmanager
async def running_library(
    home: Path,
    *sources: SourceSettings,
    retries: int = 5,
    date: str = "created",
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    working: bool = True,
) -> AsyncIterator[RunningLibrary]:
    """The agent's half that syncs, running; unless it is `working`, nothing leaves the queue."""
    config = Config(
        downloads=DownloadSettings(folder=str(home / "downloads"), retries=retries),
        library=LibrarySettings(folder=str(home / "library"), date=date),  # type: ignore[arg-type]
        sources=sources,
    )
    async with AsyncExitStack() as stack:
        db = Database.open(home / "trayagent.db")
        stack.callback(db.close)
        bus, secrets, bell = Bus(), SecretFiles(home / "secrets"), asyncio.Event()
        client = stack.enter_context(HttpClient(config.network))
        transfer = Transfer(client, home / "settled", config.downloads)
        apis = await stack.enter_async_context(ApiClient(config.network))
        intake = Intake(db, bus, secrets, bell.set)
        vault = Vault.open(home, {"TRAYAGENT_SECRETS": "file"})
        library = Libraries(
            db,
            bus,
            intake,
            vault=vault,
            thumbnails=home / "thumbnails",
            now=now,
            sleep=sleep,
            build=lambda source, kept: build(source, apis, kept, os.environ),
        )
        library.configure(config)
        pool = Pool(
            db,
            bus,
            Worker(transfer, secrets, library.resolvers),
            secrets=secrets,
            folder=home / "downloads",
            limits=PoolLimits(4, 4, retries),
            bell=bell,
        )
        queue = QueueCommands(
            db, bus, pool, secrets=secrets, trash=FakeTrash(), discard=transfer.discard
        )
        made = RunningLibrary(home, config, library, db, bus, vault, intake)
        made.undo = BatchUndo(db, queue, FakeTrash())
        async with asyncio.TaskGroup() as group:
            services = {"library": library.run, **({"pool": pool.run} if working else {})}
            tasks = [group.create_task(run(), name=name) for name, run in services.items()]
            await asyncio.sleep(0)
            yield made
            for task in tasks:
                task.cancel()


class FakeTrash(Trash):
    """A trash that is emptied at once."""

    async def put(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def digest_of(bodies: list[bytes]) -> str:
    """The digest of digests by which the golden data is told."""
    return hashlib.sha256(b"".join(hashlib.sha256(body).digest() for body in bodies)).hexdigest()
