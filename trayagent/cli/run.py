"""`run`, `quit`, `version`: the agent itself."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

import trayagent
from trayagent.cli.client import AgentClient, read_runtime
from trayagent.cli.exits import Exit, NotRunningError
from trayagent.cli.options import agent, home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.process import Process
from trayagent.model.errors import TrayagentError

TRAYS: Final = ("auto", "sni", "gtk", "xorg", "none")
STARTING_SECONDS: Final = 5.0
"""How long a second `run` waits until the first one answers."""
STOPPING_SECONDS: Final = 15.0
"""How long `quit` waits for an agent to end; it needs five at most."""


@click.command()
@click.option("--headless", is_flag=True, help="No tray icon, no windows: for servers.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="The hook's port; 0 for any free one.",
)
@click.option(
    "--tray",
    type=click.Choice(TRAYS),
    default="auto",
    show_default=True,
    help="How to show the icon.",
)
@click.option(
    "--home",
    "folder",
    metavar="DIR",
    help="Keep everything in this folder, as TRAYAGENT_HOME does.",
)
@pass_screen
def run(screen: Screen, headless: bool, port: int | None, tray: str, folder: str | None) -> int:
    """Start the agent (the same as trayagent alone)."""
    if folder:
        # Into the environment: what the agent starts, and its entry for the session, are to find it, too.
        os.environ["TRAYAGENT_HOME"] = str(Path(folder).expanduser().absolute())
    first = _running_agent()
    # Asking first costs milliseconds and no import of the agent; the lock that `app` takes is what decides.
    if first is None:
        from trayagent import app

        # A flag counts for more than the settings.
        flags = {} if port is None else {"hook.port": str(port)}
        try:
            return app.run(
                home(), os.environ, flags, tray="none" if headless else tray, say=screen.say
            )
        except app.AlreadyRunningError:
            pass
        # Another `run` was quicker and holds the lock; it may need a moment until it answers.
        deadline = time.monotonic() + STARTING_SECONDS
        while (first := _running_agent()) is None:
            if time.monotonic() > deadline:
                raise TrayagentError(
                    "starting", "Another trayagent is starting or ending.", "Try again in a moment."
                )
            time.sleep(0.05)
    # One agent a home: a second start means that a person wants to see the first.
    from trayagent.cli.desktop import can_show, raise_dashboard

    screen.say(f"trayagent is running already, at {first.url}")
    if not headless and can_show(os.environ):
        raise_dashboard(first)
    first.close()
    return Exit.OK


@click.command()
@pass_screen
def quit(screen: Screen) -> int:
    """Stop the agent; downloads are kept and go on at its next start."""
    with agent() as running:
        runtime = read_runtime(home())
        if runtime is None:  # it has just ended
            raise NotRunningError
        # Held before it is asked. The process lives a second or two longer than its file says, with its
        # files locked on Windows, and an installer that waits for us is about to replace them.
        with Process(runtime["pid"]) as process:
            running.post("quit")
            if not process.has_ended(STOPPING_SECONDS):
                raise TrayagentError(
                    "still_running",
                    "The agent has not ended yet.",
                    f"Its process id is {runtime['pid']}.",
                )
    screen.say("The agent has ended. Downloads go on when it runs again.")
    return Exit.OK


@click.command()
@json_option
@pass_screen
def version(screen: Screen) -> None:
    """Say which version this is."""
    commit = commit_of(Path(trayagent.__file__).parent)
    python = f"{platform.python_version()} on {platform.system()}"
    if screen.json:
        screen.data(
            {
                "version": trayagent.__version__,
                "commit": commit,
                "python": platform.python_version(),
            }
        )
    else:
        screen.say(
            f"trayagent {trayagent.__version__}{f' (commit {commit[:10]})' if commit else ''}, Python {python}"
        )


def commit_of(package: Path) -> str | None:
    """The commit this was built from (`commit.txt`, written by the packaging) or is checked out; None if unknown."""
    with suppress(OSError):
        return (package / "commit.txt").read_text("ascii").strip()
    # What HEAD names, without running git: `ref: refs/heads/main`, or a commit itself
    # (gitrepository-layout(5)). Three places, newest first:
    # 1. a detached HEAD holds the commit;
    # 2. a branch is a file of its own once something was committed to it;
    # 3. after a `git gc` or a clone it is a line of packed-refs.
    git = package.parent / ".git"
    with suppress(OSError):
        head = (git / "HEAD").read_text("utf-8").strip()
        ref = head.removeprefix("ref: ")
        if ref == head:
            return head
        if (git / ref).exists():
            return (git / ref).read_text("utf-8").strip()
        for line in (git / "packed-refs").read_text("utf-8").splitlines():
            if line.endswith(f" {ref}"):
                return line.partition(" ")[0]
    return None


def _running_agent() -> AgentClient | None:
    try:
        return AgentClient.of(home())
    except NotRunningError:
        return None
