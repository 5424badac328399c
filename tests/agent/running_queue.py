"""Everything around a pool, as the app wires it, with a transfer that does what each URL's script says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trayagent.agent.bus import Bus
from trayagent.agent.intake import Intake
from trayagent.agent.queries import Queries
from trayagent.agent.queue.commands import QueueCommands, Trash
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.lineup import PoolLimits
from trayagent.agent.queue.pool import Pool
from trayagent.agent.status import LiveStatus
from trayagent.model.downloads import Download, Item
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.store import downloads
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles
from trayagent.transfer.transfer import Asked


@dataclass
class FakeTransfer:
    """A transfer that does what each URL's script says, and counts who is inside."""

    folder: Path
    scripts: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)
    most: int = 0
    asked: list[Request] = field(default_factory=list)
    finished: dict[str, Fetched] = field(default_factory=dict)
    """Files that a kill kept from being told of, by their owner."""
    forgotten: list[list[str]] = field(default_factory=list)
    hurried: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        path = self.folder / request.url.rpartition("/")[2]
        progress.path, progress.size = path, 3
        self.asked.append(request)
        self.inside.add(request.url)
        self.most = max(self.most, len(self.inside))
        try:
            async with self.changed:
                self.changed.notify_all()
            await self.scripts.get(request.url, _at_once)()
            path.write_text("abc")
            return Fetched(path, 3)
        finally:
            async with self.changed:
                self.inside.discard(request.url)
                self.changed.notify_all()

    async def fetch_each(
        self, following: Callable[[], Asked | None], tell: Callable[[Fetched], None]
    ) -> None:
        while (asked := following()) is not None:
            tell(await self.fetch(*asked))

    async def publish(self, made: Content | Made, target: Target, progress: Progress) -> Fetched:
        raise NotImplementedError

    async def find_settled(self, target: Target) -> Fetched | None:
        return self.finished.get(target.owner)

    async def owners(self) -> set[str]:
        return set(self.finished)

    async def discard(self, path: Path, owner: str) -> None:
        path.with_name(path.name + ".part").unlink(missing_ok=True)

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        self.forgotten.append([path.name for path, _ in fetches])

    def end_cooldown(self, host: str) -> None:
        self.hurried.append(host)

    async def busy_with(self, count: int, without: str = "") -> None:
        async with self.changed:
            await self.changed.wait_for(
                lambda: len(self.inside) == count and without not in self.inside
            )


async def _at_once() -> None:
    return


@dataclass
class RunningQueue:
    """Everything around a pool, as the app wires it."""

    transfer: FakeTransfer
    pool: Pool
    intake: Intake
    queue: QueueCommands
    queries: Queries
    live_status: LiveStatus
    bus: Bus
    db: Database
    trash: Trash

    async def add(self, *urls: str, **options: object) -> list[str]:
        items = [Item(url, **options) for url in urls]  # type: ignore[arg-type]
        return [
            download.id for download in (await self.intake.add(items, via="cli")).receipt.downloads
        ]

    async def settled(self, *ids: str) -> list[Download]:
        done = asyncio.Event()
        with self.bus.subscribe(lambda _: done.set()):
            while True:
                downloads = [await self.queries.download(id) for id in ids]
                if all(
                    download.state in ("completed", "failed", "cancelled") for download in downloads
                ):
                    return downloads
                await done.wait()
                done.clear()


@asynccontextmanager
async def running_queue(
    tmp_path: Path,
    *,
    finished: Mapping[str, Path] | None = None,
    now: Callable[[], float] = time.time,
    **limits: int,
) -> AsyncIterator[RunningQueue]:
    db = Database.open(tmp_path / "db")
    bus, secrets, transfer = Bus(), SecretFiles(tmp_path / "secrets"), FakeTransfer(tmp_path)
    for id, path in (finished or {}).items():
        owner = (await db.read(downloads.get, id)).owner
        transfer.finished[owner] = Fetched(path, 3)
    live_status = LiveStatus(bus, await db.run(downloads.starting_status, time.time(), 4, ""))
    pool = Pool(
        db,
        bus,
        Worker(transfer, secrets, {}),
        secrets=secrets,
        folder=tmp_path,
        limits=PoolLimits(**limits),
        bell=asyncio.Event(),
        now=now,
    )
    trash = Trash()
    queue = QueueCommands(db, bus, pool, secrets=secrets, trash=trash, discard=transfer.discard)
    intake = Intake(db, bus, secrets, pool.wake)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(pool.run(), name="pool")
        yield RunningQueue(
            transfer,
            pool,
            intake,
            queue,
            Queries(db, live_status, pool.cool_until),
            live_status,
            bus,
            db,
            trash,
        )
        running.cancel()
    db.close()


async def until(fact: Callable[[], bool]) -> None:
    """Wait for a fact of the file system or of the agent; the test's time limit is the bound."""
    while not fact():  # noqa: ASYNC110 - the file system rings no bell
        await asyncio.sleep(0.01)
