"""`connect`: the address and secret that a program made for aria2 or MeTube needs to work with us."""

from __future__ import annotations

import click

from trayagent.cli.client import path_segment
from trayagent.cli.exits import Exit, MisuseError
from trayagent.cli.options import agent, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.model.errors import NotFoundError


@click.command()
@click.argument("kind", type=click.Choice(["aria2", "metube"]))
@click.option("--name", default="", help="Your word for the program; each name has its own secret.")
@click.option("--print", "only_print", is_flag=True, help="Print address and secret, a line each.")
@click.option("--revoke", is_flag=True, help="Lock these programs out, at once; with --name, one.")
@json_option
@pass_screen
def connect(screen: Screen, kind: str, name: str, only_print: bool, revoke: bool) -> int:
    """Let programs made for aria2 or MeTube use this agent.

    Says the address and the secret to type in there, and makes them where there are none.
    """
    if only_print and revoke:
        raise MisuseError("--print and --revoke do not go together.")
    with agent() as running:
        if revoke:
            found = [
                client
                for client in running.get("clients")["clients"]
                if client["kind"] == kind and name in ("", client["name"])
            ]
            if not found:
                raise NotFoundError(
                    "not_found", "There is no such client.", "See: trayagent pair --list"
                )
            for client in found:
                running.ask("DELETE", f"clients/{path_segment(client['id'])}")
                screen.say(f"{client['name']} is locked out.")
            return Exit.OK
        connection = running.post("clients", {"kind": kind, "name": name})
    if screen.json:
        screen.data(connection)
    elif only_print:
        screen.raw(f"{connection['url']}\n")
        if kind == "aria2":  # of MeTube's clients it is a part of the address
            screen.raw(f"{connection['secret']}\n")
    else:
        if kind == "aria2":
            screen.say("Type this into the program, where it asks for aria2's JSON-RPC:")
            screen.say(f"  address  {connection['url']}")
            screen.say(f"  secret   {connection['secret']}")
        else:
            screen.say("Type this into the program, where it asks for MeTube's address:")
            screen.say(f"  {connection['url']}")
        screen.say("Whoever has it may add downloads and see them; it works on this computer only.")
        screen.say(f"To lock it out again: trayagent connect {kind} --revoke")
    return Exit.OK
