"""`engine`: download programs on other machines, as the running agent knows them."""

from __future__ import annotations

import click

from trayagent.cli.client import path_segment
from trayagent.cli.exits import Exit
from trayagent.cli.options import agent, json_option, pass_screen
from trayagent.cli.output import Screen


@click.group()
def engine() -> None:
    """Engines on other machines (aria2): list, test."""


@engine.command("list")
@json_option
@pass_screen
def listing(screen: Screen) -> None:
    """List the engines of the settings and how they are."""
    with agent() as running:
        engines = running.get("engines")["engines"]
    if screen.json:
        screen.data({"engines": engines})
    elif engines:
        rows = [[one["name"], one["state"], str(one["under_way"]), one["url"]] for one in engines]
        screen.table(rows, head=["ENGINE", "STATE", "DOWNLOADS", "ADDRESS"])
    else:
        screen.say("No engine is set up. How to: docs/elsewhere.md")


@engine.command("test")
@click.argument("name", required=False)
@json_option
@pass_screen
def test(screen: Screen, name: str | None) -> Exit:
    """Ask an engine now whether it answers; without a NAME, all of them."""
    with agent() as running:
        names = [name] if name else [one["name"] for one in running.get("engines")["engines"]]
        tested = [
            running.ask("POST", f"engines/{path_segment(one)}/test", {}) for one in names if one
        ]
    if screen.json:
        screen.data({"engines": tested})
    for one in () if screen.json else tested:
        if one["state"] == "ready":
            screen.say(f"{one['name']} answers: {one['type']} {one['version']}.")
        else:
            screen.say(f"{one['name']}: {one['message']}")
    return Exit.OK if all(one["state"] == "ready" for one in tested) else Exit.ERROR
