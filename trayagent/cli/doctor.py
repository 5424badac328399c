"""`doctor`: what works here, what does not, and the line that mends it."""

from __future__ import annotations

import io
import json
import os
import platform
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from trayagent.cli.exits import Exit
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.screen import Screen
from trayagent.model.check import Check
from trayagent.model.errors import ConfigError

if TYPE_CHECKING:
    from trayagent.settings.home import Home

LOG_BYTES = 1 << 20
"""The end of each log that a report holds."""


@click.command()
@click.option("--report", is_flag=True, help="Make a zip for a bug report, without a secret in it.")
@json_option
@pass_screen
def doctor(screen: Screen, report: bool) -> int:
    """Check what trayagent needs, and say how to mend what is missing."""
    from trayagent.cli.checks import all_checks

    found = list(all_checks(home(), os.environ))
    path = _write_report(home(), found) if report else None
    if screen.json:
        screen.data({"checks": msgspec.to_builtins(found), "report": str(path) if path else None})
    else:
        _tell(screen, found)
        if path:
            screen.say(
                f"\nThe report is {path}. It holds no secret; look into it before you send it."
            )
    return Exit.ERROR if any(check.verdict == "problem" for check in found) else Exit.OK


def _tell(screen: Screen, checks: Sequence[Check]) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        screen.say(f"{check.verdict:8} {check.name:{width}}  {check.detail}", check.verdict)
        if check.mend and check.verdict != "ok":
            screen.say(f"{'':8} {'':{width}}  → {check.mend}")


def _write_report(place: Home, checks: Sequence[Check]) -> Path:
    path = Path(f"trayagent-report-{time.strftime('%Y%m%d-%H%M%S')}.zip").absolute()
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as report:
        for name, text in _parts(place, checks):
            report.writestr(name, _without_user(text))
    return path


def _parts(place: Home, checks: Sequence[Check]) -> Iterator[tuple[str, str]]:
    yield "doctor.json", _pretty(msgspec.to_builtins(checks))
    yield (
        "system.json",
        _pretty(
            {
                "platform": platform.platform(),
                "python": platform.python_version(),
                "machine": platform.machine(),
            }
            | {
                name: os.environ.get(name, "")
                for name in ("XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE", "LANG")
            }
        ),
    )
    yield "settings.json", _settings(place)
    for log in sorted(place.logs.glob("*.log*")):
        yield f"logs/{log.name}", _end_of(log)


def _settings(place: Home) -> str:
    from trayagent import settings

    try:
        return _pretty(settings.shown(settings.load(place, os.environ)))
    except ConfigError as error:
        return "\n".join(error.problems)


def _end_of(log: Path) -> str:
    from trayagent.logs import redacted

    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - LOG_BYTES))
        return redacted(file.read().decode("utf-8", "replace"))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _without_user(text: str) -> str:
    """Who you are is nobody's business: your own folder reads `~`."""
    return text.replace(str(Path.home()), "~")
