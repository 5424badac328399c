"""All parts of an agent, each given what it needs."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trayagent import __version__
from trayagent.agent import Agent
from trayagent.agent.access import Clients, OwnToken
from trayagent.agent.announcer import Announcer, Shows
from trayagent.agent.bus import Bus
from trayagent.agent.drops.reader import Drops
from trayagent.agent.intake import Intake
from trayagent.agent.library.libraries import Library
from trayagent.agent.library.verify import Hasher
from trayagent.agent.live_settings import Preferences
from trayagent.agent.queries import Queries
from trayagent.agent.queue.commands import Queue, Trash, Undo
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.pool import Limits, Pool
from trayagent.agent.queue.video_pages import Pages
from trayagent.agent.status import Keeper, counted
from trayagent.model.config import Config
from trayagent.net.api_client import ApiClient
from trayagent.net.gateway import Gateway
from trayagent.net.request import Client
from trayagent.settings import Home
from trayagent.sites.engine import Engine
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
    preferences: Preferences,
    notifier: Shows,
    db: Database,
    wires: Wires,
) -> tuple[Agent, dict[str, Service]]:
    """All parts, each given what it needs, and the services that run as long as the agent does."""
    config = preferences.config
    secrets = SecretFiles(home.secrets_dir / "downloads")
    await db.run(_sweep, secrets)
    bus, bell, trash = Bus(), asyncio.Event(), Trash()
    keeper = Keeper(bus, await db.run(counted, config.downloads.workers, __version__))
    db.when_late(partial(_look_again, keeper, bell))
    transfer = Transfer(wires.client, home.data / "settled", config.downloads)
    intake = Intake(db, bus, secrets, bell.set)
    engine = Engine(
        wires.gateway,
        Releases(home.data / "sites"),
        config,
        environ=environ,
        throttle=transfer.throttle,
    )
    library = Library(
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
        Worker(transfer, secrets, library.resolvers, Pages(transfer, engine, intake)),
        secrets=secrets,
        folder=Path(config.downloads.folder),
        limits=_limits(config),
        bell=bell,
    )
    queue = Queue(
        db,
        bus,
        pool,
        secrets=secrets,
        trash=trash,
        discard=transfer.discard,
        forget=engine.discard,
    )
    announcer = Announcer(bus, notifier, config.notifications.level)
    own = OwnToken.load(home.token)
    agent = Agent(
        bus=bus,
        intake=intake,
        queue=queue,
        queries=Queries(db, keeper, pool.cooling),
        keeper=keeper,
        announcer=announcer,
        clients=await Clients.open(db, bus, own, home.secrets_dir / "clients.key"),
        library=library,
        undo=Undo(db, queue, trash),
        preferences=preferences,
        version=__version__,
    )
    preferences.follow(lambda config: keeper.employ(config.downloads.workers))
    _follow(preferences, pool, transfer, announcer, library, engine)
    drops = Drops(db, bus, intake, Path(config.drop.folder), poll=config.drop.poll)
    return agent, {
        "pool": pool.run,
        "keeper": partial(keeper.run, db),
        "announcer": announcer.run,
        "hasher": Hasher(db, bus).run,
        "library": library.run,
        "drops": drops.run,
        "undo": agent.undo.run,
    }


def _sweep(conn: sqlite3.Connection, secrets: SecretFiles) -> None:
    secrets.sweep(partial(downloads.is_in_flight, conn))


def _look_again(keeper: Keeper, bell: asyncio.Event) -> None:
    """Something was saved after whoever asked had been told no: it counts, and may be work."""
    keeper.doubt()
    bell.set()


def _limits(config: Config) -> Limits:
    return Limits(config.downloads.workers, config.downloads.per_host, config.downloads.retries)


def _follow(
    preferences: Preferences,
    pool: Pool,
    transfer: Transfer,
    announcer: Announcer,
    library: Library,
    engine: Engine,
) -> None:
    """Changed settings take effect at once."""

    def apply(config: Config) -> None:
        pool.limit(_limits(config), Path(config.downloads.folder))
        transfer.configure(config.downloads)
        announcer.level = config.notifications.level
        library.configure(config)
        engine.configure(config)

    preferences.follow(apply)
