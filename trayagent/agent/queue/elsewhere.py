"""All engines elsewhere: each has a queue of its own (`remote_queue`), begun anew when the settings change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.queue.remote_queue import RemoteEngine, RemoteQueue
from trayagent.model.downloads import Download, ErrorInfo
from trayagent.model.errors import DownloadError, NotFoundError
from trayagent.model.events import BatchEvent, DownloadEvent, Event, QueueEvent
from trayagent.model.settings import Config, EngineSettings
from trayagent.model.units import stamp
from trayagent.store import facts, handovers
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles


class EngineInfo(Struct, frozen=True):
    """An engine of the settings, as others see it; never its secret."""

    name: str
    type: str
    url: str
    state: Literal["ready", "away"]
    """As it was at the last look; an engine without work is not looked at."""
    under_way: int
    """Downloads that it has of ours."""
    message: str | None = None
    """Why it is away, and what to do."""
    version: str | None = None
    """Only where it was asked now."""


class Elsewhere:
    """Knows the queue of each engine by its name. For the front loop only."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        secrets: SecretFiles,
        build: Callable[[EngineSettings], RemoteEngine],
        config: Config,
    ) -> None:
        self._db = db
        self._bus = bus
        self._secrets = secrets
        self._build = build
        self._config = config
        self.queues: Mapping[str, RemoteQueue] = {}
        self._is_held: bool | None = None
        """Whether the whole queue is paused; None until that is known."""
        self._changed = asyncio.Event()
        self.configure(config)

    def __repr__(self) -> str:
        return f"<Elsewhere: {', '.join(self.queues) or 'no engine'}>"

    def configure(self, config: Config) -> None:
        """Take over settings; engines that stay the same keep what is known of them."""
        # What an engine was asked goes by the rules of its network: with others, what is known of
        # it may be wrong.
        is_same_network = config.network == self._config.network
        self._config = config
        kept = {
            name: queue
            for name, queue in self.queues.items()
            if queue.engine.settings in config.engines and is_same_network
        }
        self.queues = {
            one.name: kept.get(one.name)
            or RemoteQueue(
                self._build(one),
                self._db,
                self._bus,
                self._secrets,
                config.network,
                lambda: bool(self._is_held),
            )
            for one in config.engines
        }
        self._changed.set()

    def waits_for(self, download: Download) -> tuple[str | None, ErrorInfo] | None:
        """Until when (RFC 3339) and why a queued download waits for its engine; None: it does not."""
        if download.engine is None:
            return None
        queue = self.queues.get(download.engine)
        if queue is None:
            error = DownloadError("engine_away", f"{download.engine} is not in the settings")
            return None, ErrorInfo(error.code, error.message, error.action)
        if queue.away is None:
            return None
        info = ErrorInfo(queue.away.code, queue.away.message, queue.away.action)
        return stamp(queue.next_look), info

    def engines(self) -> list[EngineInfo]:
        """All of them, as they were at the last look."""
        return [_info(queue, queue.away) for queue in self.queues.values()]

    async def test(self, name: str) -> EngineInfo:
        """Ask one now, with its secret. Raises NotFoundError."""
        queue = self.queues.get(name)
        if queue is None:
            raise NotFoundError(
                "not_found", f"There is no engine {name[:40]}.", "See: trayagent engine list"
            )
        try:
            version = await queue.engine.version()
        except DownloadError as error:
            return _info(queue, error)
        queue.wake()
        return replace(_info(queue, None), version=version)

    async def run(self) -> None:
        """Serve all engines until cancelled."""
        with self._bus.subscribe(self._hear):
            is_held = await self._db.read(facts.fact, facts.PAUSED) is not None
            # Somebody may have paused the queue during that read: what was heard is newer.
            if self._is_held is None:
                self._is_held = is_held
            await self._db.run(handovers.forget_running)
            while True:
                self._changed.clear()
                # Other settings end all of them at once; those that were kept know what they knew,
                # and begin again.
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(queue.run(), name=f"engine {name}")
                        for name, queue in self.queues.items()
                    ]
                    await self._changed.wait()
                    for task in tasks:
                        task.cancel()

    def _hear(self, event: Event) -> None:
        match event:
            case QueueEvent(what=what):
                self._is_held = what == "paused"
            case DownloadEvent(download=download) if download.engine is None:
                return
            case DownloadEvent() | BatchEvent():
                pass
            case _:
                return
        for queue in self.queues.values():
            queue.wake()


def _info(queue: RemoteQueue, away: DownloadError | None) -> EngineInfo:
    settings = queue.engine.settings
    return EngineInfo(
        settings.name,
        settings.type,
        settings.url,
        "ready" if away is None else "away",
        queue.under_way,
        None if away is None else f"{away.message} {away.action}",
    )
