"""`source`: the image libraries we mirror."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from trayagent.cli.client import path_segment
from trayagent.cli.config import change
from trayagent.cli.exits import Exit, MisuseError
from trayagent.cli.options import (
    agent,
    all_rows,
    first_rows,
    home,
    json_option,
    limit_option,
    pass_screen,
)
from trayagent.cli.output import Screen
from trayagent.model.wording import show_local_time, show_size

MOST_SECRET = 100_000
"""Characters of a secret as it is; the agent takes little more in one request."""
ITEM_STATES = ("missing", "present", "gone", "failed", "ignored")


@click.group()
def source() -> None:
    """Image libraries: list, add, sign in, look inside."""


@source.command("list")
@json_option
@pass_screen
def listing(screen: Screen) -> None:
    """List the sources and how their last sync went."""
    with agent() as running:
        sources = running.get("sources")["sources"]
    if screen.json:
        screen.data({"sources": sources})
    elif sources:
        head = ["SOURCE", "TYPE", "ITEMS", "HERE", "MISSING", "GONE", "LAST SYNC"]
        screen.table([_source_row(each) for each in sources], head=head)
    else:
        screen.say("No image source is set up yet. Add one: trayagent source add NAME")


@source.command()
@click.argument("name")
@click.option(
    "--type", "kind", type=click.Choice(["flow", "json"]), default="flow", show_default=True
)
@click.option("--every", metavar="TIME", help="Sync by itself: 6h, 1d, …")
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Its settings, as TOML.",
)
@json_option
@pass_screen
def add(screen: Screen, name: str, kind: str, every: str | None, file: str | None) -> int:
    """Add a source; one of type json needs its settings --from a file.

    The file holds the keys of one [[sources]] entry: base, list, page, item, fetch, auth.
    """
    if kind == "json" and file is None:
        raise MisuseError(
            "A json source needs its settings: --from FILE",
            "They are explained in docs/configuration.md.",
        )
    # What was typed counts for more than the file, which may be somebody else's with another name.
    entry = {**(_settings_in(Path(file)) if file else {}), "name": name, "type": kind}
    entry |= {"every": every} if every else {}
    from trayagent.settings.load import read_file

    # What is written, not what is in force: the whole list is written back.
    written = read_file(home().config).get("sources", [])
    known = list(written) if isinstance(written, list) else []
    if any(each.get("name") == name for each in known):
        raise MisuseError(f"There is already a source named {name}.")
    change({"sources": [*known, entry]})
    if screen.json:
        screen.data({"source": name})
    else:
        screen.say(
            f"Added {name}. Next: trayagent source login {name}, then: trayagent sync {name}"
        )
    return Exit.OK


@source.command()
@click.argument("name")
@click.option("--stdin", is_flag=True, help="Read it from standard input.")
@json_option
@pass_screen
def login(screen: Screen, name: str, stdin: bool) -> None:
    """Sign in: give a source its cookie or token.

    Takes a cookie value, a Cookie header, cookies.txt, a JSON export of cookies, or a request copied
    from the developer tools (curl, fetch); only the source's own cookies are taken. The secret is kept
    in the system's keyring, or in a file that only you can read.
    """
    with agent() as running:
        # A source that does not exist: said before anything is pasted.
        running.get(f"sources/{path_segment(name)}")
        if stdin:
            from trayagent.lists.text import decode

            # What browsers export, and PowerShell pipes, is not always UTF-8: one odd cookie must not cost all.
            secret = decode(sys.stdin.buffer.read())
        elif sys.stdin.isatty():
            screen.say("Paste the session cookie or token; it is not shown.")
            secret = str(click.prompt("Secret", hide_input=True, err=True))
        else:
            # Only a terminal can hide what is typed.
            raise MisuseError(
                "Nobody can type the secret here.", "Give it on standard input: --stdin"
            )
        if not secret.strip():
            raise MisuseError("Nothing was given.")
        # All cookies of a browser: most have no business with the agent.
        if len(secret) > MOST_SECRET:
            from trayagent.sources.pasted_cookies import keep_only_sessions

            secret = keep_only_sessions(secret) or secret
        found = running.post(f"sources/{path_segment(name)}/login", {"secret": secret.strip()})
    until = f", until {show_local_time(found['until'])}" if found["until"] else ""
    _print_answer(
        screen, found, f"Signed in as {found['account']}{until}. To sync: trayagent sync {name}"
    )


@source.command()
@click.argument("name")
@json_option
@pass_screen
def logout(screen: Screen, name: str) -> None:
    """Forget a source's cookie or token; its files stay."""
    with agent() as running:
        found = running.post(f"sources/{path_segment(name)}/logout")
    _print_answer(screen, found, f"Signed out of {name}. Its files stay.")


@source.command()
@click.argument("name")
@click.option("--state", type=click.Choice(ITEM_STATES), help="Only items in this state.")
@limit_option
@json_option
@pass_screen
def items(screen: Screen, name: str, state: str | None, limit: int) -> None:
    """List a source's items, newest first."""
    with agent() as running:
        found, more = first_rows(
            all_rows(running, f"sources/{path_segment(name)}/items", state=state), limit
        )
    if screen.json:
        screen.data({"items": found, "more": more})
        return
    lines = [
        [
            item["state"],
            show_local_time(item["created_at"]),
            show_size(item["size"]) if item["size"] else "",
            item["name"],
        ]
        for item in found
    ]
    screen.table(lines, head=["STATE", "CREATED", "SIZE", "NAME"], state=0)
    if more:
        screen.say(f"There are more: trayagent source items {name} --limit {limit * 10}")
    if not found:
        screen.say("None. To read the list: trayagent sync --list-only")


def _source_row(source: dict[str, Any]) -> list[str]:
    # What stands in the last column: what to do first, else why it failed, else how it ended.
    last = source["last_run"]
    if last is None:
        how = (
            "never" if source["signed_in"] else f"sign in: trayagent source login {source['name']}"
        )
    elif last["error"]:
        how = f"{last['error']['message']} {last['error']['action']}"
    else:
        how = last["state"]
    counts = [f"{source[key]:,}" for key in ("items", "present", "missing", "gone")]
    return [source["name"], source["type"], *counts, how]


def _settings_in(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        json.dumps(table)  # it travels to the agent as JSON, which has no dates
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MisuseError(f"{file} is not valid TOML: {error}.") from error
    except TypeError as error:
        raise MisuseError(f"{file} has a date or a time; no setting is one.") from error
    # Either the keys of one entry, or a whole [[sources]] copied from somebody's config.toml.
    entries = table.get("sources")
    if entries is None:
        return table
    if not isinstance(entries, list) or len(entries) != 1:
        raise MisuseError(f"{file} must describe exactly one source.")
    found: dict[str, Any] = entries[0]
    return found


def _print_answer(screen: Screen, found: dict[str, Any], text: str) -> None:
    if screen.json:
        screen.data(found)
    else:
        screen.say(text)
