"""`list`, `status`, `show`, `why`: how downloads, batches and the agent stand."""

from __future__ import annotations

import time
from typing import Any

import click

from trayagent.cli.client import path_segment
from trayagent.cli.options import (
    agent,
    all_rows,
    first_rows,
    json_option,
    limit_option,
    pass_screen,
)
from trayagent.cli.output import Screen
from trayagent.cli.wording import amount, clock, download_name, error_of, note_of, reason_of
from trayagent.model.wording import show_count, show_local_time, show_speed

STATES = ("queued", "active", "paused", "completed", "failed", "cancelled")


@click.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only downloads in this state.")
@click.option("--batch", metavar="ID", help="Only downloads of this batch.")
@click.option(
    "--search", "q", metavar="TEXT", help="Only downloads whose name or address has this in it."
)
@limit_option
@json_option
@pass_screen
def listing(
    screen: Screen, state: str | None, batch: str | None, q: str | None, limit: int
) -> None:
    """List downloads, newest first."""
    with agent() as running:
        found, more = first_rows(
            all_rows(running, "downloads", state=state, batch=batch, q=q), limit
        )
    if screen.json:
        screen.data({"downloads": found, "more": more})
        return
    if not found:
        screen.say(
            "Nothing here yet. Add a download: trayagent add URL"
            if not (state or batch or q)
            else "None."
        )
        return
    lines = [
        # Two blanks before the note: where a line is too long, the note is cut first (`output.shorten`).
        [
            d["id"],
            d["state"],
            amount(d),
            show_speed(d["speed"]),
            f"{download_name(d)}  {note_of(d)}",
        ]
        for d in found
    ]
    screen.table(lines, head=["ID", "STATE", "SIZE", "SPEED", "NAME"], state=1)
    if more:
        screen.say(f"There are more: trayagent list --limit {limit * 10}")


@click.command()
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@json_option
@pass_screen
def status(screen: Screen, watch: bool) -> None:
    """Say what the agent is doing."""
    with agent() as running:
        last: Any = None
        while True:
            now = running.get("status")
            current = running.get("downloads", state="active", limit=100)["downloads"]
            # A program that watches is told of changes; while something moves, every second is one.
            if now != last or current:
                _print_status(screen, now, current, watch)
            if not watch:
                return
            last = now
            time.sleep(1)


@click.command()
@click.argument("id")
@json_option
@pass_screen
def show(screen: Screen, id: str) -> None:
    """Show everything about one download or batch."""
    with agent() as running:
        found = running.get(
            f"{'batches' if id.startswith('b') else 'downloads'}/{path_segment(id)}"
        )
    if screen.json:
        screen.data(found)
        return
    facts = []
    for key, value in found.items():
        name = key.replace("_", " ")
        # 1. What is empty says nothing.
        # 2. An error is a sentence, a moment a local time, counts are words.
        # 3. Any other text or number, as it is; of what is nested the JSON has all.
        if value is None or value in ("", [], {}):
            continue
        if key == "error":
            facts.append([name, error_of(found)])
        elif key.endswith("_at") or key == "not_before":
            facts.append([name, show_local_time(value)])
        elif key == "counts":
            facts.append([name, ", ".join(f"{n:,} {what}" for what, n in value.items())])
        elif not isinstance(value, (list, dict)):
            facts.append([name, f"{value:,}" if type(value) is int else str(value)])
    screen.facts(facts)


@click.command()
@click.argument("id")
@json_option
@pass_screen
def why(screen: Screen, id: str) -> None:
    """Say why a download failed or waits, and what to do."""
    with agent() as running:
        download = running.get(f"downloads/{path_segment(id)}")
    message, action = reason_of(download)
    if screen.json:
        code = download["error"]["code"] if download["error"] else None
        screen.data(
            {
                "id": id,
                "state": download["state"],
                "code": code,
                "message": message,
                "action": action,
            }
        )
        return
    screen.say(message, download["state"])
    if action:
        screen.say(action)


def _print_status(
    screen: Screen, status: dict[str, Any], current: list[dict[str, Any]], watch: bool
) -> None:
    if screen.json:
        (screen.line if watch else screen.data)(status)
        return
    if watch and screen.live:
        click.clear()  # a picture that is drawn anew; on a pipe each one follows the last
    pace = show_speed(status["speed"])
    workers = f"{status['active']} of {show_count(status['workers'], 'worker')}"
    hint = "   (trayagent list --state failed)" if status["failed"] else ""
    rows = [
        ["active", f"{workers}, {pace}" if pace else workers],
        ["queued", f"{status['queued']:,}"],
        ["completed", f"{status['completed']:,}"],
        ["failed", f"{status['failed']:,}{hint}"],
    ]
    if status["paused"]:
        until = status["paused_until"]
        rows.append(["paused", f"until {clock(until)}" if until else "until: trayagent resume"])
    screen.table(rows)
    if current:
        screen.say()
        screen.table(
            [[d["id"], amount(d), show_speed(d["speed"]), download_name(d)] for d in current]
        )
