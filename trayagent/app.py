"""The life of the agent, read from top to bottom in `serve`, and the ways to run it.

    run           what every way shares: signals, one agent for each home, the log, the settings
    run_headless  the loop on the main thread; notices go to the event stream alone
    run_desktop   the loop in a thread of its own; the main thread belongs to the tray

What a part is given stands in `wiring`. A kill and a clean end lead to the same state: what happens
at every start is the recovery.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Self

from msgspec import Struct

from trayagent import __version__, logs
from trayagent.agent import Agent
from trayagent.agent.live_settings import LiveSettings
from trayagent.desktop import power
from trayagent.desktop.local_desktop import LocalDesktop
from trayagent.desktop.notifier import Notifier, NullNotifier
from trayagent.desktop.tray.tray import Tray
from trayagent.hook.listener import bind
from trayagent.hook.server import HookServer
from trayagent.instance import AlreadyRunningError, only_one, runtime_file
from trayagent.loopthread import LoopThread
from trayagent.net.api_client import ApiClient
from trayagent.net.gateway import Gateway
from trayagent.net.request import client_for
from trayagent.settings import Home, change, load
from trayagent.store import facts
from trayagent.store.database import Database
from trayagent.transfer import memory
from trayagent.wiring import Service, WaysOut, build

__all__ = ["AlreadyRunningError", "Running", "run", "serve"]

log = logging.getLogger(__name__)

MOST_OPEN_FILES: Final = 4096
"""Files and connections at once, where the system lets us."""
MOST_NEW_OBJECTS: Final = 5_000
"""New objects between two looks for cycles, which stop all threads: so one takes a millisecond or two."""

Say = Callable[[str], None]


class Running(Struct, frozen=True):
    """A running agent, as the desktop gets it once everything is ready."""

    agent: Agent
    home: Home
    port: int
    quit: Callable[[], None]
    """Ends the agent; loop-only, and harmless when done twice."""


Ready = Callable[[Running], None]


async def serve(
    home: Home,
    environ: Mapping[str, str],
    live_settings: LiveSettings,
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
        # Bound early, so that a port in use ends the start at once; it accepts nobody before the
        # hook runs, when all that it asks for is there.
        # The port of the last run comes first: bookmarks and paired programs know us by it.
        last_port = await db.read(facts.fact, facts.PORT)
        listener = bind(live_settings.config.hook.port, int(last_port) if last_port else None)
        stack.callback(listener.close)
        await db.run(facts.set_fact, facts.PORT, str(listener.port))
        network = live_settings.config.network
        memory.share()
        # No way out leads back to our own port: a page could have us ask ourselves.
        own_ports = (listener.port,)
        client = client_for(live_settings.config, own_ports)
        apis = ApiClient(network, own_ports=own_ports, cooldown=client.cooldown)
        ways_out = WaysOut(
            stack.enter_context(client),
            await stack.enter_async_context(apis),
            await stack.enter_async_context(Gateway(network, own_ports=own_ports)),
        )
        agent, services = await build(home, environ, live_settings, notifier, db, ways_out)
        desktop = LocalDesktop(home)
        await asyncio.to_thread(desktop.refresh_extension)
        hook = HookServer(agent, quit=quitting.set, desktop=desktop)
        # The hook comes last, so it ends first: no request meets a part that has ended.
        services["when_done"] = partial(agent.when_done.run, power.carry_out)
        services |= {**beside, "hook": partial(hook.serve, listener)}

        async with asyncio.TaskGroup() as group:
            # A service that dies takes the group, and the agent, down visibly.
            tasks = [
                group.create_task(_run_service(run), name=name) for name, run in services.items()
            ]
            with runtime_file(home, listener.port):
                log.info("trayagent %s is ready on port %d", __version__, listener.port)
                ready(Running(agent, home, listener.port, quitting.set))
                await quitting.wait()
            for task in reversed(tasks):
                task.cancel()
    log.info("trayagent has ended")


async def _run_service(run: Service) -> None:
    # A task wants a coroutine; a service is whatever can be awaited.
    await run()


# -- ways to run it


def run(
    home: Home, environ: Mapping[str, str], flags: Mapping[str, str], *, tray: str, say: Say
) -> int:
    """Run the agent until it is asked to quit; returns the exit code.

    Raises AlreadyRunningError, ConfigError, and what keeps it from starting.
    """
    _set_bounds()
    with ExitStack() as stack:
        ending = stack.enter_context(Ending())
        home.prepare()
        stack.enter_context(only_one(home))
        stack.callback(logs.stop, logs.start(home.logs))
        # After the log has begun: without a console, it is all that can tell why there is no agent.
        stack.enter_context(_log_failure())
        config = load(home, environ, flags)
        live_settings = LiveSettings(config, lambda changes: change(home, environ, changes, flags))
        if tray == "none":
            return run_headless(home, environ, live_settings, say, ending)
        return run_desktop(home, environ, live_settings, tray, say, ending)


@contextmanager
def _log_failure() -> Iterator[None]:
    """Write down what ends the agent before its time; whoever started it may not see us."""
    try:
        yield
    except Exception as error:
        log.error("trayagent ends: %s", error)
        raise


def _set_bounds() -> None:
    """Files enough for many clients at once, and no memory with secrets dumped to the disk."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = MOST_OPEN_FILES
    if hard != resource.RLIM_INFINITY:
        enough = min(enough, hard)
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Ending:
    """The signals that end the agent.

        phase     a signal
        --------  -----------------------------------------------------------
        starting  is followed once it runs: what it began is then put away
        running   asks it to quit, as often as it comes
        over      does nothing: the outcome is fixed, the process on its way

    A start that fails leaves the signals as they were. Signals go to the main thread alone.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._is_asked = False
        self._quit: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
                if hasattr(signal, name):
                    number = getattr(signal, name)
                    self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if error is not None else signal.SIG_IGN)

    def follow(self, quit: Callable[[], None]) -> None:
        """From now on a signal calls `quit`, in the main thread; one that came before does so at once."""
        self._quit = quit
        if self._is_asked:
            quit()

    def _ask(self, _number: int, _frame: object) -> None:
        self._is_asked = True
        if self._quit is not None:
            self._quit()

    def __repr__(self) -> str:
        return f"<Ending{' asked for' if self._is_asked else ''}>"


def run_headless(
    home: Home, environ: Mapping[str, str], live_settings: LiveSettings, say: Say, ending: Ending
) -> int:
    """Everything but a tray; notices go to the event stream alone."""

    def ready(running: Running) -> None:
        loop = asyncio.get_running_loop()

        def quit() -> None:
            with suppress(RuntimeError):  # the loop has ended, as was asked
                loop.call_soon_threadsafe(running.quit)

        ending.follow(quit)
        _set_aside_start()
        say(_greeting(running))

    asyncio.run(serve(home, environ, live_settings, NullNotifier(), ready))
    return 0


def _set_aside_start() -> None:
    """What the start made lasts: it is never looked through for cycles again.

    Such a look stops all threads: at these 50,000 objects for 40 ms, in which nobody gets an answer.
    """
    gc.freeze()
    gc.set_threshold(MOST_NEW_OBJECTS)


def _greeting(running: Running) -> str:
    config = running.agent.live_settings.config
    return (
        f"trayagent {__version__} is running at http://127.0.0.1:{running.port}\n"
        f"  downloads go to   {config.downloads.folder}\n"
        f"  drop lists into   {config.drop.folder}\n"
        "  Ctrl-C ends it; downloads go on at the next start."
    )


def run_desktop(
    home: Home,
    environ: Mapping[str, str],
    live_settings: LiveSettings,
    tray: str,
    say: Say,
    ending: Ending,
) -> int:
    """The agent on a loop of its own thread; the main thread belongs to the tray."""
    from trayagent.desktop.clicks import Clicks
    from trayagent.desktop.notifier import choose_notifier
    from trayagent.desktop.tray.choice import choose_tray

    clicks = Clicks()
    notifier = choose_notifier(clicks.follow)
    started: list[Running] = []

    async def main(announce: Callable[[], None]) -> None:
        def ready(running: Running) -> None:
            started.append(running)
            announce()

        beside = {"clicks": clicks.run}
        try:
            await serve(home, environ, live_settings, notifier, ready, beside=beside)
        finally:
            await notifier.close()

    thread = LoopThread(main)
    thread.start()
    try:
        running = started[0]
        icon = choose_tray(tray, clicks)
        notifier.balloon = icon.balloon
        clicks.attach(running.agent, running.port, thread.post, running.quit, icon)
        _set_aside_start()

        say(_greeting(running))
        _until_the_end(thread, running.quit, icon, ending)
    except BaseException:
        # No tray, or Ctrl-C: without a main thread the agent would run on, and nobody could end it.
        thread.stop()
        thread.join()
        raise
    return 0


def _until_the_end(
    thread: LoopThread, quit: Callable[[], None], icon: Tray, ending: Ending
) -> None:
    """Let the tray have the main thread; the end of either, or a signal, ends both."""

    def end_with_the_loop() -> None:
        thread.join()
        icon.stop()

    threading.Thread(target=end_with_the_loop, name="end", daemon=True).start()
    ending.follow(lambda: thread.post(quit))
    icon.run()
    thread.post(quit)
    error = thread.join()
    if error is not None:
        raise error
