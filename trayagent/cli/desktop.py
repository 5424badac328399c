"""`open`, `dashboard`, `pair`, `bookmarklet`, `autostart`: what happens outside the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import click

from trayagent.cli.client import AgentClient, path_segment
from trayagent.cli.exits import Exit, MisuseError
from trayagent.cli.options import agent, home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.wording import clock
from trayagent.model.errors import TrayagentError
from trayagent.model.wording import show_local_time


@click.command("open")
@click.argument("id", required=False)
def open_(id: str | None) -> None:
    """Open a downloaded file, or the downloads folder."""
    from trayagent.desktop import opener

    if id is None:
        from trayagent.settings import load

        opener.open_folder(load(home(), os.environ).downloads.folder)
        return
    with agent() as running:
        download = running.get(f"downloads/{path_segment(id)}")
    path = Path(download["path"]) if download["path"] else None
    if download["state"] != "completed" or path is None:
        raise TrayagentError(
            "not_complete",
            f"{id} is not complete yet ({download['state']}).",
            f"See: trayagent why {id}",
        )
    if not path.exists():
        # A person may have moved it: that is no failure of the download.
        raise TrayagentError(
            "gone",
            f"The file is not there any more: {path}",
            "Fetch it again: trayagent add --again URL",
        )
    opener.open_file(path)


@click.command()
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print its address instead; good for two minutes, once.",
)
@json_option
@pass_screen
def dashboard(screen: Screen, only_print: bool) -> None:
    """Open the dashboard in the browser."""
    with agent() as running:
        # An address has its code in it, good for one use: printed for whoever asked for it as text, handed
        # over in a file that only we can read where a browser is started.
        if screen.json:
            screen.data({"url": dashboard_url(running)})
        elif only_print or not can_show(os.environ):
            screen.say(dashboard_url(running))
        else:
            raise_dashboard(running)


@click.command()
@click.option(
    "--print",
    "only_print",
    is_flag=True,
    help="Print the address and code instead of opening a browser.",
)
@click.option("--list", "show_list", is_flag=True, help="Say which browsers are paired.")
@click.option("--revoke", metavar="CLIENT", help="Lock a paired browser out, at once.")
@json_option
@pass_screen
def pair(screen: Screen, only_print: bool, show_list: bool, revoke: str | None) -> int:
    """Pair the browser extension with this agent."""
    if sum((only_print, show_list, revoke is not None)) > 1:
        raise MisuseError("--print, --list and --revoke do not go together.")
    with agent() as running:
        if show_list:
            # Sessions are our own dashboards; a person has paired the others.
            clients = [c for c in running.get("clients")["clients"] if c["kind"] != "session"]
            if screen.json:
                screen.data({"clients": clients})
            elif clients:
                rows = [
                    [c["id"], c["name"], show_local_time(c.get("last_seen")), c.get("origin") or ""]
                    for c in clients
                ]
                screen.table(rows, head=["CLIENT", "NAME", "LAST SEEN", "ORIGIN"])
            else:
                screen.say("No browser is paired yet. To pair one: trayagent pair")
        elif revoke is not None:
            running.ask("DELETE", f"clients/{path_segment(revoke)}")
            screen.say(f"{revoke} is locked out.")
        else:
            # Where a window can open, the code goes there by a page that only we can read: a command
            # line, with its arguments, is seen by every program of this machine.
            shown = not (screen.json or only_print) and can_show(os.environ)
            code = running.post("clients/codes", {"file": shown})
            if screen.json:
                screen.data(code)
            elif not shown:
                screen.say("Open this in the browser that has the extension:")
                screen.say(code["url"])
                screen.say(f"It is good once, until {clock(code['expires_at'])}.")
            else:
                from trayagent.desktop import opener

                opener.open_page(code["file"])
                screen.say(
                    "The browser shows how to go on. Nothing there? Use: trayagent pair --print"
                )
    return Exit.OK


@click.command()
@json_option
@pass_screen
def bookmarklet(screen: Screen) -> None:
    """Print the bookmarklet: save it as a bookmark's address."""
    from trayagent.cli.client import read_runtime

    # The port in use, not the one of the settings, which may have been taken.
    runtime = read_runtime(home())
    if runtime is not None:
        port = urlsplit(runtime["url"]).port or 80
    else:
        from trayagent.settings import load

        port = load(home(), os.environ).hook.port
    text = (
        resources.files("trayagent.hook")
        .joinpath("static/bookmarklet.txt")
        .read_text("utf-8")
        .strip()
    )
    address = text.replace("PORT", str(port))
    if screen.json:
        screen.data({"bookmarklet": address, "port": port})
    else:
        screen.raw(f"{address}\n")


@click.command()
@click.argument("what", type=click.Choice(["on", "off", "status"]), default="status")
@json_option
@pass_screen
def autostart(screen: Screen, what: str) -> None:
    """Start the agent with the session: on, off or status."""
    from trayagent.desktop import autostart

    entry = autostart.session_entry()
    if what == "on":
        entry.enable()
    elif what == "off":
        entry.disable()
    state = entry.status()
    if screen.json:
        screen.data({"enabled": state.enabled, "path": str(state.path) if state.path else None})
    else:
        screen.say(
            f"The agent {'starts' if state.enabled else 'does not start'} with your session."
        )


def can_show(environ: Mapping[str, str]) -> bool:
    """Whether a window can appear where this runs."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def dashboard_url(running: AgentClient) -> str:
    """The dashboard's address with a one-time code."""
    return str(running.post("sessions/codes")["url"])


def raise_dashboard(running: AgentClient) -> None:
    """Show the dashboard in the browser."""
    from trayagent.desktop import opener

    opener.open_page(running.post("sessions/codes", {"file": True})["file"])
