"""All parts of an agent, each given what it needs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trayagent import __version__
from trayagent.agent import Agent
from trayagent.agent.access import Clients, OwnToken
from trayagent.agent.announcer import Announcer, NoticeDisplay
from trayagent.agent.bus import Bus
from trayagent.agent.drops.reader import DropReader
from trayagent.agent.intake import Intake
from trayagent.agent.library.libraries import Libraries
from trayagent.agent.library.verify import Hasher
from trayagent.agent.live_settings import LiveSettings
from trayagent.agent.queries import Queries
from trayagent.agent.queue.commands import BatchUndo, QueueCommands, Trash
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.pool import Pool, PoolLimits
from trayagent.agent.queue.video_pages import VideoPages
from trayagent.agent.status import LiveStatus
from trayagent.model.settings import Config
from trayagent.net.api_client import ApiClient
from trayagent.net.gateway import Gateway
from trayagent.net.request import Client
from trayagent.settings import Home
from trayagent.sites.engine import YtDlpEngine
from trayagent.sites.update import Releases
from trayagent.sources import build as sources
from trayagent.store import downloads
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles, Vault
from trayagent.transfer.transfer import Transfer

Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wires:
    """The ways out: for files, for APIs, and the gateway for the page engine."""

    client: Client
    apis: ApiClient
    gateway: Gateway


async def build(
    home: Home,
    environ: Mapping[str, str],
    live_settings: LiveSettings,
    notifier: NoticeDisplay,
    db: Database,
    wires: Wires,
) -> tuple[Agent, dict[str, Service]]:
    """All parts, each given what it needs, and the services that run as long as the agent does."""
    config = live_settings.config
    secrets = SecretFiles(home.secrets_dir / "downloads")
    await db.run(downloads.sweep_secrets, secrets)
    bus, bell, trash = Bus(), asyncio.Event(), Trash()
    live_status = LiveStatus(
        bus,
        await db.run(downloads.starting_status, time.time(), config.downloads.workers, __version__),
    )
    db.when_late(partial(_look_again, live_status, bell))
    transfer = Transfer(wires.client, home.data / "settled", config.downloads)
    intake = Intake(db, bus, secrets, bell.set)
    engine = YtDlpEngine(
        wires.gateway,
        Releases(home.data / "sites"),
        config,
        environ=environ,
        throttle=transfer.throttle,
    )
    library = Libraries(
        db,
        bus,
        intake,
        build=lambda source, secrets: sources.build(source, wires.apis, secrets, environ),
        vault=Vault.open(home.data, environ),
        thumbnails=home.data / "thumbnails",
    )
    library.configure(config)
    pool = Pool(
        db,
        bus,
        Worker(transfer, secrets, library.resolvers, VideoPages(transfer, engine, intake)),
        secrets=secrets,
        folder=Path(config.downloads.folder),
        limits=_limits(config),
        bell=bell,
    )
    queue = QueueCommands(
        db,
        bus,
        pool,
        secrets=secrets,
        trash=trash,
        discard=transfer.discard,
        discard_page=engine.discard,
    )
    announcer = Announcer(bus, notifier, config.notifications.level)
    own = OwnToken.load(home.token)
    agent = Agent(
        bus=bus,
        intake=intake,
        queue=queue,
        queries=Queries(db, live_status, pool.cool_until),
        live_status=live_status,
        announcer=announcer,
        clients=await Clients.open(db, bus, own, home.secrets_dir / "clients.key"),
        library=library,
        undo=BatchUndo(db, queue, trash),
        live_settings=live_settings,
        version=__version__,
    )
    live_settings.follow(lambda config: live_status.set_workers(config.downloads.workers))
    _follow(live_settings, pool, transfer, announcer, library, engine)
    drops = DropReader(db, bus, intake, Path(config.drop.folder), poll=config.drop.poll)
    return agent, {
        "pool": pool.run,
        "live_status": partial(live_status.run, db),
        "announcer": announcer.run,
        "hasher": Hasher(db, bus).run,
        "library": library.run,
        "drops": drops.run,
        "undo": agent.undo.run,
    }


def _look_again(live_status: LiveStatus, bell: asyncio.Event) -> None:
    """Something was saved after whoever asked had been told no: it counts, and may be work."""
    live_status.recount_soon()
    bell.set()


def _limits(config: Config) -> PoolLimits:
    return PoolLimits(config.downloads.workers, config.downloads.per_host, config.downloads.retries)


def _follow(
    live_settings: LiveSettings,
    pool: Pool,
    transfer: Transfer,
    announcer: Announcer,
    library: Libraries,
    engine: YtDlpEngine,
) -> None:
    """Changed settings take effect at once."""

    def apply(config: Config) -> None:
        pool.set_limits(_limits(config), Path(config.downloads.folder))
        transfer.configure(config.downloads)
        announcer.level = config.notifications.level
        library.configure(config)
        engine.configure(config)

    live_settings.follow(apply)
