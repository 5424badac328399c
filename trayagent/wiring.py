"""The parts of an agent, each given what it needs: the only place that builds them.

Read `build` as the list of parts. A part gets the others through its constructor and finds none by
itself. `app.serve` opens what has to be closed again (database, ways out) and runs the services.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct

from trayagent import __version__
from trayagent.agent import Agent
from trayagent.agent.access import Clients, OwnToken
from trayagent.agent.announcer import Announcer, NoticeDisplay
from trayagent.agent.bus import Bus
from trayagent.agent.drops.reader import DropReader
from trayagent.agent.history import History
from trayagent.agent.intake import Intake
from trayagent.agent.library.album_files import AlbumFiles
from trayagent.agent.library.libraries import Libraries
from trayagent.agent.library.verify import Hasher
from trayagent.agent.listings import Listings
from trayagent.agent.live_settings import LiveSettings
from trayagent.agent.mover import Mover
from trayagent.agent.page_looks import PageLooks
from trayagent.agent.previews import Previews
from trayagent.agent.queries import Queries
from trayagent.agent.queue.commands import BatchUndo, QueueCommands, Trash
from trayagent.agent.queue.elsewhere import Elsewhere
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.lineup import PoolLimits
from trayagent.agent.queue.pool import Pool
from trayagent.agent.queue.video_pages import VideoPages
from trayagent.agent.speed import SpeedControl
from trayagent.agent.status import LiveStatus
from trayagent.agent.webhooks import Webhooks
from trayagent.agent.when_done import WhenDoneControl
from trayagent.engines.aria2 import Aria2
from trayagent.model.bucket_address import BucketAddress, is_bucket
from trayagent.model.engine_choice import choose_elsewhere
from trayagent.model.folder_rules import FolderRules
from trayagent.model.settings import Config, EngineSettings
from trayagent.net.api_client import ApiClient
from trayagent.net.gateway import Gateway
from trayagent.net.request import HttpClient
from trayagent.settings import Home
from trayagent.sites.engine import YtDlpEngine
from trayagent.sites.update import Releases
from trayagent.sources import build as sources
from trayagent.store import downloads
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles, Vault
from trayagent.targets.bucket import BucketTarget
from trayagent.targets.bucket_access import bucket_access
from trayagent.targets.folder import FolderTarget
from trayagent.transfer.transfer import Transfer

Service = Callable[[], Awaitable[None]]
"""What runs as long as the agent does, until it is cancelled."""


class WaysOut(Struct, frozen=True):
    """To other machines: for files, for APIs, and the gateway for the page engine."""

    client: HttpClient
    apis: ApiClient
    gateway: Gateway


async def build(
    home: Home,
    environ: Mapping[str, str],
    live_settings: LiveSettings,
    notifier: NoticeDisplay,
    db: Database,
    ways_out: WaysOut,
) -> tuple[Agent, dict[str, Service]]:
    """The parts that hook and desktop are given, and the services by name. Raises StoreUnavailableError."""
    config = live_settings.config
    secrets = SecretFiles(home.secrets_dir / "downloads")
    await db.run(downloads.sweep_secrets, secrets)
    bus, bell, vault = Bus(), asyncio.Event(), Vault.open(home.data, environ)
    intake = Intake(db, bus, secrets, bell.set, engines=config.engines)
    transfer = Transfer(ways_out.client, home.data / "settled", config.downloads)
    engine = _page_engine(home, environ, config, ways_out, transfer)
    libraries = _libraries(home, environ, ways_out, db, bus, intake, vault=vault, config=config)
    worker = Worker(transfer, secrets, libraries.resolvers, VideoPages(transfer, engine, intake))
    limits, folder = _limits(config), Path(config.downloads.folder)
    pool = Pool(db, bus, worker, secrets=secrets, folder=folder, limits=limits, bell=bell)
    live_status = await _live_status(db, bus, bell, config)
    elsewhere = Elsewhere(db, bus, secrets, partial(_engine, ways_out, vault, environ), config)
    trash, queries = Trash(), Queries(db, live_status, pool.cool_until, elsewhere.waits_for)
    queue = QueueCommands(
        db,
        bus,
        pool,
        secrets=secrets,
        trash=trash,
        discard=transfer.discard,
        discard_page=engine.discard,
        choose_engine=lambda new: choose_elsewhere(new, intake.engines),
    )
    agent = Agent(
        bus=bus,
        intake=intake,
        queue=queue,
        queries=queries,
        listings=Listings(db, bus, queries),
        page_looks=PageLooks(engine),
        previews=Previews(db, home.data / "previews"),
        live_status=live_status,
        announcer=Announcer(bus, notifier, config.notifications.level),
        clients=await _clients(home, db, bus),
        when_done=WhenDoneControl(bus, live_status),
        library=libraries,
        album_files=AlbumFiles(db, trash),
        speed_control=SpeedControl(db, bus, transfer.limit),
        undo=BatchUndo(db, queue, trash),
        elsewhere=elsewhere,
        mover=Mover(db, bus, transfer.in_thread, folder, _target(config, transfer, vault, environ)),
        history=History(db, bus, config.history),
        webhooks=Webhooks(db, bus, ways_out.apis, config.hooks, partial(_secret, vault, environ)),
        live_settings=live_settings,
        version=__version__,
    )
    follow = partial(_apply, agent, pool, worker, transfer, engine)
    follow(config)
    live_settings.follow(follow)
    return agent, await _services(agent, db, pool, config)


async def _clients(home: Home, db: Database, bus: Bus) -> Clients:
    key_file = home.secrets_dir / "clients.key"
    return await Clients.open(db, bus, OwnToken.load(home.token), key_file)


async def _services(agent: Agent, db: Database, pool: Pool, config: Config) -> dict[str, Service]:
    bus = agent.bus
    drops = DropReader(db, bus, agent.intake, Path(config.drop.folder), poll=config.drop.poll)
    # In the order in which they start; they end in the reverse order. `prepare` comes before any of
    # them runs: what the pool finishes from now on is noted for the mover and the webhook.
    await agent.mover.prepare()
    await agent.webhooks.prepare()
    return {
        "pool": pool.run,
        "mover": agent.mover.run,
        "elsewhere": agent.elsewhere.run,
        "history": agent.history.run,
        "webhooks": agent.webhooks.run,
        "live_status": partial(agent.live_status.run, db),
        "announcer": agent.announcer.run,
        "hasher": Hasher(db, agent.bus).run,
        "library": agent.library.run,
        "previews": agent.previews.run,
        "speed": agent.speed_control.run,
        "drops": drops.run,
        "undo": agent.undo.run,
    }


async def _live_status(db: Database, bus: Bus, bell: asyncio.Event, config: Config) -> LiveStatus:
    start = await db.run(
        downloads.starting_status, time.time(), config.downloads.workers, __version__
    )
    live_status = LiveStatus(bus, start)

    def look_again() -> None:
        live_status.recount_soon()
        bell.set()

    # A write that came through after its caller had given up on it: nobody publishes it, but it
    # counts, and may be work.
    db.when_late(look_again)
    return live_status


def _page_engine(
    home: Home,
    environ: Mapping[str, str],
    config: Config,
    ways_out: WaysOut,
    transfer: Transfer,
) -> YtDlpEngine:
    releases = Releases(home.data / "sites")
    # One speed limit for both: what the page engine fetches counts in the same sum.
    throttle = transfer.throttle
    return YtDlpEngine(ways_out.gateway, releases, config, environ=environ, throttle=throttle)


def _libraries(
    home: Home,
    environ: Mapping[str, str],
    ways_out: WaysOut,
    db: Database,
    bus: Bus,
    intake: Intake,
    *,
    vault: Vault,
    config: Config,
) -> Libraries:
    libraries = Libraries(
        db,
        bus,
        intake,
        build=lambda source, secrets: sources.build(source, ways_out.apis, secrets, environ),
        vault=vault,
        thumbnails=home.data / "thumbnails",
    )
    libraries.configure(config)
    return libraries


def _engine(
    ways_out: WaysOut, vault: Vault, environ: Mapping[str, str], settings: EngineSettings
) -> Aria2:
    secret = partial(_secret, vault, environ, settings.secret)
    return Aria2(settings, ways_out.apis, secret)


def _target(
    config: Config, transfer: Transfer, vault: Vault, environ: Mapping[str, str]
) -> FolderTarget | BucketTarget | None:
    """Where `[move]` sends finished files to; None: they stay."""
    if not config.move.to:
        return None
    if not is_bucket(config.move.to):
        return FolderTarget(Path(config.move.to), transfer.in_thread)
    address = BucketAddress.parse(config.move.to)
    access = partial(
        bucket_access, config, partial(_secret, vault, environ), environ, transfer.in_thread
    )
    return BucketTarget(address, access, environ, transfer.in_thread)


async def _secret(vault: Vault, environ: Mapping[str, str], text: str) -> str:
    """What `env:NAME`, `keyring:NAME` or a secret itself in the settings stands for; empty: none."""
    kind, _, name = text.partition(":")
    if kind == "env":
        return environ.get(name, "")
    if kind == "keyring":
        return await vault.get(name) or ""
    return text


def _limits(config: Config) -> PoolLimits:
    return PoolLimits(config.downloads.workers, config.downloads.per_host, config.downloads.retries)


def _apply(
    agent: Agent,
    pool: Pool,
    worker: Worker,
    transfer: Transfer,
    engine: YtDlpEngine,
    config: Config,
) -> None:
    """Changed settings take effect at once; the drop folder and the port do at the next start."""
    agent.live_status.set_workers(config.downloads.workers)
    pool.set_limits(_limits(config), Path(config.downloads.folder))
    worker.folder_rules = FolderRules.of(config.folders, Path(config.downloads.folder))
    transfer.configure(config.downloads)
    agent.speed_control.configure(config)  # after the transfer's own limit: this one counts
    agent.announcer.level = config.notifications.level
    agent.library.configure(config)
    agent.elsewhere.configure(config)
    agent.history.configure(config.history)
    agent.webhooks.configure(config.hooks)
    agent.intake.engines = config.engines
    engine.configure(config)
