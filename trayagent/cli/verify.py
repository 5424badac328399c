"""`verify`: are the saved files still what they were?"""

from __future__ import annotations

import time
from typing import Any, Final

import click

from trayagent.cli.client import Agent
from trayagent.cli.exits import Exit, InterruptedByUserError
from trayagent.cli.options import agent, json_option, pass_screen
from trayagent.cli.screen import Screen
from trayagent.cli.words import counted

PROBLEMS: Final = ("changed", "moved", "missing")


@click.command()
@click.option(
    "--repair", is_flag=True, help="Fetch again what is changed or missing, note what was moved."
)
@json_option
@pass_screen
def verify(screen: Screen, repair: bool) -> int:
    """Hash what was saved and compare: ok, changed, moved, missing."""
    with agent() as running:
        try:
            report = _run(running, repair, screen)
        except KeyboardInterrupt:
            running.ask("DELETE", "verify")
            raise InterruptedByUserError(
                "The check has stopped; to begin anew: trayagent verify"
            ) from None
    if screen.json:
        screen.data(report)
    else:
        _tell(screen, report)
    wrong = sum(report[kind] for kind in PROBLEMS) - report["repaired"]
    if report["state"] == "cancelled":
        return Exit.ERROR
    return Exit.SOME_FAILED if wrong > 0 else Exit.OK


def _run(running: Agent, repair: bool, screen: Screen) -> dict[str, Any]:
    with running.events() as events:
        running.post("verify", {"repair": repair})
        for event in events:
            if event.name == "verify.finished":
                found: dict[str, Any] = event.data
                return found
            if event.name == "verify.progress":
                screen.live_line(_pace(event.data))
    while True:
        report: dict[str, Any] = running.get("verify")
        if report["state"] != "running":
            return report
        time.sleep(1)


def _pace(report: dict[str, Any]) -> str:
    wrong = sum(report[kind] for kind in PROBLEMS)
    found = f", {counted(wrong, 'problem')}" if wrong else ""
    return f"Checking: {report['checked']:,} of {counted(report['total'], 'file')}{found}"


def _tell(screen: Screen, report: dict[str, Any]) -> None:
    screen.table(
        [
            [
                f["what"],
                f["path"] + (f" → {f['found']}" if f["found"] else ""),
                *(["repaired"] if f["repaired"] else []),
            ]
            for f in report["findings"]
        ],
    )
    ok = f"{report['ok']:,} ok"
    kinds = [f"{report[kind]:,} {kind}" for kind in PROBLEMS if report[kind]]
    screen.say(f"{counted(report['checked'], 'file')} checked: {', '.join([ok, *kinds])}.")
    if kinds and not report["repaired"]:
        screen.say("To mend what can be mended: trayagent verify --repair")
