"""`logs`: what the agent wrote down."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO

import click

from trayagent.cli.exits import Exit
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen, printable_line
from trayagent.model.errors import TrayagentError

TAIL_BYTES = 1 << 20
"""Bytes read from the end of a log to find its last lines."""


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    metavar="N",
    default=50,
    show_default=True,
    help="How many last lines.",
)
@click.option("--path", "only_path", is_flag=True, help="Only say where the logs are.")
@json_option
@pass_screen
def logs(screen: Screen, follow: bool, lines: int, only_path: bool) -> int:
    """Show the last lines of the log."""
    path = home().logs / "trayagent.log"
    if only_path:
        if screen.json:
            screen.data({"path": str(path.parent)})
        else:
            screen.say(str(path.parent))
        return Exit.OK
    if not path.exists():
        raise TrayagentError(
            "no_log", f"There is no log yet in {path.parent}.", "Start the agent: trayagent run"
        )
    with path.open("rb") as log:
        for line in tail(log, lines):
            _say(screen, line)
        if follow:
            _follow(screen, path, log)
    return Exit.OK


def _say(screen: Screen, line: str) -> None:
    if screen.json:
        screen.line({"line": line})
    else:
        screen.raw(f"{printable_line(line)}\n")


def tail(log: BinaryIO, count: int) -> list[str]:
    """The last `count` lines; leaves the file at its end."""
    # A line longer than what is read is shown without its beginning; a log has none.
    end = log.seek(0, 2)
    log.seek(max(0, end - TAIL_BYTES))
    lines = log.read(end).decode("utf-8", "replace").splitlines()
    return lines[-count:] if count else []


def _follow(screen: Screen, path: Path, log: BinaryIO) -> None:
    while True:
        # The agent hands over whole lines, so a read hardly ever ends within one.
        fresh = log.read()
        for line in fresh.decode("utf-8", "replace").splitlines():
            _say(screen, line)
        if fresh:
            continue
        # A log that is full was renamed, and a new, shorter one has its name. For a moment there is none.
        try:
            is_rotated = path.stat().st_size < log.tell()
        except OSError:
            is_rotated = False
        if is_rotated:
            log.close()
            log = path.open("rb")
        else:
            time.sleep(0.5)
