"""The only place that builds things; `serve` is the life of the agent, read from top to bottom."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from trayagent import __version__, logs
from trayagent.agent.agent import Agent
from trayagent.agent.announcer import Announcer
from trayagent.agent.bus import Bus
from trayagent.agent.clients import Clients
from trayagent.agent.drops import Drops
from trayagent.agent.hasher import Hasher
from trayagent.agent.intake import Intake
from trayagent.agent.keeper import Keeper, counted
from trayagent.agent.library import Library
from trayagent.agent.owntoken import OwnToken
from trayagent.agent.pool import Limits, Pool
from trayagent.agent.preferences import Preferences
from trayagent.agent.queries import Queries
from trayagent.agent.queue import Queue
from trayagent.agent.trash import Trash
from trayagent.agent.undo import Undo
from trayagent.agent.worker import Worker
from trayagent.desktop.notifier import Notifier, NullNotifier
from trayagent.hook.door import Door, bind
from trayagent.hook.server import Hook
from trayagent.instance import AlreadyRunningError, announced, only_one
from trayagent.loopthread import LoopThread
from trayagent.model.config import Config
from trayagent.net.client import Client
from trayagent.net.client import Limits as Patience
from trayagent.settings import Home, change, load
from trayagent.sources.build import build
from trayagent.store import claims, downloads, facts
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles
from trayagent.store.vault import Vault
from trayagent.transfer.fetch import Transfer

__all__ = ["AlreadyRunningError", "Running", "run", "serve"]

log = logging.getLogger(__name__)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """A running agent, as the desktop gets it once everything is ready."""

    agent: Agent
    home: Home
    port: int
    quit: Callable[[], None]
    """Ends the agent; loop-only, and harmless when done twice."""


Ready = Callable[[Running], None]
Service = Callable[[], Awaitable[None]]


async def serve(
    home: Home,
    environ: Mapping[str, str],
    preferences: Preferences,
    notifier: Notifier,
    ready: Ready,
    *,
    beside: Mapping[str, Service] = MappingProxyType({}),
) -> None:
    """Run the agent until it is asked to quit. Start failures are raised before `ready` is called.

    `beside` are services that run as long as the agent does.
    """
    quitting = asyncio.Event()
    async with AsyncExitStack() as stack:
        db = Database.open(home.database)
        stack.callback(db.close)
        door = bind(preferences.config.hook.port, await _last_port(db))
        stack.callback(door.close)
        await db.run(facts.set_fact, "port", str(door.port))
        client = await stack.enter_async_context(_client(preferences.config, door))
        agent, services = await _build(home, environ, preferences, notifier, db, client)
        hook = Hook(agent, quit=quitting.set)
        services |= {**beside, "hook": partial(hook.serve, door)}

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_named(run), name=name) for name, run in services.items()]
            with announced(home, door.port):
                log.info("trayagent %s is ready on port %d", __version__, door.port)
                ready(Running(agent, home, door.port, quitting.set))
                await quitting.wait()
            for task in reversed(tasks):
                task.cancel()
    log.info("trayagent has ended")


async def _build(
    home: Home,
    environ: Mapping[str, str],
    preferences: Preferences,
    notifier: Notifier,
    db: Database,
    client: Client,
) -> tuple[Agent, dict[str, Service]]:
    """All parts, each given what it needs, and the services that run as long as the agent does."""
    config = preferences.config
    secrets = SecretFiles(home.secrets_dir / "downloads")
    await db.run(_recover, secrets)
    bus, bell, trash = Bus(), asyncio.Event(), Trash()
    keeper = Keeper(bus, await db.run(counted, config.downloads.workers, __version__))
    transfer = Transfer(client, config.downloads)
    intake = Intake(db, bus, secrets, bell.set)
    library = Library(
        db,
        bus,
        intake,
        build=lambda source, secrets: build(source, client, secrets, environ),
        vault=Vault.open(home.data, environ),
        thumbnails=home.data / "thumbnails",
    )
    library.configure(config)
    pool = Pool(
        db,
        bus,
        Worker(transfer, secrets, library.resolvers),
        secrets=secrets,
        folder=Path(config.downloads.folder),
        limits=_limits(config),
        bell=bell,
    )
    queue = Queue(db, bus, pool, secrets=secrets, trash=trash, discard=transfer.discard)
    announcer = Announcer(bus, notifier, config.notifications.level)
    own = OwnToken.load(home.token)
    agent = Agent(
        bus=bus,
        intake=intake,
        queue=queue,
        queries=Queries(db, keeper),
        keeper=keeper,
        announcer=announcer,
        clients=await Clients.open(db, bus, own, home.secrets_dir / "clients.key"),
        library=library,
        undo=Undo(db, queue, trash),
        preferences=preferences,
        version=__version__,
    )
    preferences.follow(partial(_apply, pool, transfer, announcer, library))
    drops = Drops(db, bus, intake, Path(config.drop.folder), poll=config.drop.poll)
    return agent, {
        "pool": pool.run,
        "announcer": announcer.run,
        "hasher": Hasher(db, bus).run,
        "library": library.run,
        "drops": drops.run,
    }


async def _named(run: Callable[[], Awaitable[None]]) -> None:
    await run()


async def _last_port(db: Database) -> int | None:
    value = await db.read(facts.fact, "port")
    return int(value) if value else None


def _recover(conn: sqlite3.Connection, secrets: SecretFiles) -> None:
    claims.requeue_active(conn)
    secrets.sweep(partial(downloads.in_flight, conn))


def _client(config: Config, door: Door | None) -> Client:
    patience = Patience(connections_per_host=config.downloads.connections_per_host)
    return Client(config.network, patience, own_ports=lambda: (door.port,) if door else ())


def _limits(config: Config) -> Limits:
    return Limits(config.downloads.workers, config.downloads.per_host, config.downloads.retries)


def _apply(
    pool: Pool, transfer: Transfer, announcer: Announcer, library: Library, config: Config
) -> None:
    pool.limit(_limits(config), Path(config.downloads.folder))
    transfer.configure(config.downloads)
    announcer.level = config.notifications.level
    library.configure(config)


# -- ways to run it


def run(
    home: Home, environ: Mapping[str, str], flags: Mapping[str, str], *, tray: str, say: Say
) -> int:
    """Run the agent until it is asked to quit; returns the exit code.

    Raises AlreadyRunningError, ConfigError, and what keeps it from starting.
    """
    with ExitStack() as stack:
        home.prepare()
        stack.enter_context(only_one(home))
        config = load(home, environ, flags)
        stack.callback(logs.stop, logs.start(home.logs))
        preferences = Preferences(config, lambda changes: change(home, environ, changes, flags))
        if tray == "none":
            return run_headless(home, environ, preferences, say)
        return run_desktop(home, environ, preferences, tray, say)


def run_headless(home: Home, environ: Mapping[str, str], preferences: Preferences, say: Say) -> int:
    """Everything but a tray; notices go to the log and the event stream."""

    def ready(running: Running) -> None:
        _on_signals(running.quit)
        say(_greeting(running))

    asyncio.run(serve(home, environ, preferences, NullNotifier(), ready))
    return 0


def _on_signals(quit: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, quit)
        except (NotImplementedError, ValueError):  # Windows: only the plain way exists
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(quit))


def _greeting(running: Running) -> str:
    config = running.agent.preferences.config
    return (
        f"trayagent {__version__} is running at http://127.0.0.1:{running.port}\n"
        f"  downloads go to   {config.downloads.folder}\n"
        f"  drop lists into   {config.drop.folder}\n"
        "  Ctrl-C ends it; downloads go on at the next start."
    )


def run_desktop(
    home: Home, environ: Mapping[str, str], preferences: Preferences, tray: str, say: Say
) -> int:
    """The agent on a loop of its own thread; the main thread belongs to the tray."""
    from trayagent.desktop.clicks import Clicks
    from trayagent.desktop.notifier import choose_notifier
    from trayagent.desktop.tray.backend import choose_tray

    clicks = Clicks()
    notifier = choose_notifier(clicks.follow)
    started: list[Running] = []

    async def main(announce: Callable[[], None]) -> None:
        def ready(running: Running) -> None:
            started.append(running)
            announce()

        beside = {"clicks": clicks.run}
        try:
            await serve(home, environ, preferences, notifier, ready, beside=beside)
        finally:
            await notifier.close()

    thread = LoopThread(main)
    thread.start()
    running = started[0]
    icon = choose_tray(tray, clicks)
    clicks.attach(running.agent, running.port, thread.post, running.quit, icon)

    def end_with_the_loop() -> None:
        thread.join()
        icon.stop()

    threading.Thread(target=end_with_the_loop, name="end", daemon=True).start()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: thread.post(running.quit))
    say(_greeting(running))
    icon.run()
    thread.post(running.quit)
    error = thread.join()
    if error is not None:
        raise error
    return 0
