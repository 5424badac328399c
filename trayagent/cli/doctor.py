"""`doctor`: what works here, what does not, and the line that mends it.

Each check looks at one thing and returns a Check: a verdict (ok, warning, problem), a sentence, and how
to mend it. A check never raises, and none needs the agent. A problem makes the exit code 1; a warning
is something to know.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click
import msgspec

from trayagent import __version__
from trayagent.cli.client import AgentClient
from trayagent.cli.exits import Exit, NotRunningError
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.model.bucket_address import is_bucket
from trayagent.model.diagnosis import Check
from trayagent.model.errors import SENTENCES, ConfigError, TrayagentError
from trayagent.model.units import parse_size
from trayagent.model.wording import show_size

if TYPE_CHECKING:
    from trayagent.model.settings import Config
    from trayagent.settings.home import Home


OLD_ENGINE_DAYS: Final = 60
"""Days after which the page engine is called old; sites change in weeks."""
MOST_LOG_BYTES = 1 << 20
"""The end of each log that a report holds."""


@click.command()
@click.option("--report", is_flag=True, help="Make a zip for a bug report, without a secret in it.")
@json_option
@pass_screen
def doctor(screen: Screen, report: bool) -> int:
    """Check what trayagent needs, and say how to mend what is missing."""
    found = list(all_checks(home(), os.environ))
    path = _write_report(home(), found) if report else None
    if screen.json:
        screen.data({"checks": msgspec.to_builtins(found), "report": str(path) if path else None})
    else:
        width = max(len(check.name) for check in found)
        for check in found:
            screen.say(f"{check.verdict:8} {check.name:{width}}  {check.detail}", check.verdict)
            if check.mend and check.verdict != "ok":
                screen.say(f"{'':8} {'':{width}}  → {check.mend}")
        if path:
            screen.say(
                f"\nThe report is {path}. It holds no secret; look into it before you send it."
            )
    return Exit.ERROR if any(check.verdict == "problem" for check in found) else Exit.OK


def _write_report(place: Home, checks: Sequence[Check]) -> Path:
    path = Path(f"trayagent-report-{time.strftime('%Y%m%d-%H%M%S')}.zip").absolute()
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as report:
        for name, text in _parts(place, checks):
            # Settings and logs have no secrets in them by now. A user's name stands in every path, and
            # is nobody's business: the own folder reads `~`.
            report.writestr(name, text.replace(str(Path.home()), "~"))
    return path


def _parts(place: Home, checks: Sequence[Check]) -> Iterator[tuple[str, str]]:
    from trayagent import settings
    from trayagent.logs import without_secrets

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
    try:
        seen = settings.visible_values(settings.load(place, os.environ))
        yield "settings.json", _pretty(seen)
    except ConfigError as error:
        # Broken settings may be what the report is about. The file itself may hold secrets: only what
        # is wrong with it goes along.
        yield "settings.json", "\n".join(error.problems)
    for log in sorted(place.logs.glob("*.log*")):
        with log.open("rb") as file:
            # The end of each log: there stands what went wrong, and a report should fit into a mail.
            file.seek(max(0, file.seek(0, io.SEEK_END) - MOST_LOG_BYTES))
            yield f"logs/{log.name}", without_secrets(file.read().decode("utf-8", "replace"))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def all_checks(home: Home, environ: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in the order in which a person should mend what they find."""
    from trayagent import settings

    yield versions()
    config: Config | None = None
    try:
        config = settings.load(home, environ)
        yield Check("settings", "ok", f"All right: {home.config}")
    except ConfigError as error:
        yield Check("settings", "problem", " ".join(error.problems), f"Edit {home.config}")
    yield from agent(home, config)
    yield other_users()
    yield logs(home)
    if config is not None:
        yield from folders(config)
        yield from bucket(config.move.to)
    yield database(home)
    yield keyring(home, environ)
    yield from desktop()
    yield page_engine(home)
    yield confinement()
    yield ffmpeg()


def versions() -> Check:
    """Which we are."""
    return Check(
        "version",
        "ok",
        f"trayagent {__version__}, Python {platform.python_version()}, {platform.platform()}",
    )


def agent(home: Home, config: Config | None) -> Iterator[Check]:
    """Whether the agent runs, its hook answers, and the bookmarklet still finds it."""
    try:
        running = AgentClient.of(home)
        status = running.get("status")
        running.close()
    except NotRunningError as error:
        yield Check("agent", "warning", error.message, "trayagent run")
        return
    except TrayagentError as error:
        yield Check(
            "agent", "problem", error.message, error.action or "trayagent quit, then: trayagent run"
        )
        return
    yield Check("agent", "ok", f"It runs at {running.url}, version {status['version']}.")
    # An update replaces the files; what runs is the old program until it is started anew.
    if status["version"] != __version__:
        yield Check(
            "agent version",
            "warning",
            f"The agent is {status['version']}, this command {__version__}.",
            "trayagent quit, then: trayagent run",
        )
    # A bookmark holds the port that the settings name; where that was taken, the agent took another one.
    wanted = config.hook.port if config else 0
    if wanted and urlsplit(running.url).port != wanted:
        yield Check(
            "port",
            "warning",
            f"Port {wanted} was taken; a bookmarklet made for it does not reach us.",
            "Save it anew: trayagent bookmarklet",
        )


def other_users() -> Check:
    """Whether the hook can tell this user's programs from those of others."""
    from trayagent.net.peer_user import can_tell

    if can_tell():
        return Check("other users", "ok", "Programs of other users of this machine are refused.")
    return Check(
        "other users",
        "warning",
        "This system does not say whose program connects; the token alone keeps others out.",
    )


def logs(home: Home) -> Check:
    """Whether a log can be kept."""
    from trayagent.logs import prepare

    # The same function as at a start: what it cannot do now, the agent could not do either.
    problem = prepare(home.logs)
    if problem is None:
        return Check("logs", "ok", f"They are in {home.logs}.")
    return Check("logs", "warning", f"No log is kept: {problem}", "Move it away, then start again.")


def folders(config: Config) -> Iterator[Check]:
    """Whether we can write where files are to go, and whether there is room."""
    keep = parse_size(config.downloads.keep_free)
    places = {
        "downloads": config.downloads.folder,
        "drop": config.drop.folder,
        "library": config.library.folder,
    }
    for name, text in places.items():
        yield folder(f"{name} folder", Path(text), keep)


def folder(name: str, path: Path, keep_free: int) -> Check:
    """One folder; one that does not exist yet is judged by where it would be made."""
    # Nothing is made here: a doctor that makes folders would hide that they were missing.
    there = next((place for place in (path, *path.parents) if place.exists()), path)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        return Check(
            name,
            "problem",
            f"We cannot write to {there}: {reason}.",
            "Change its permissions, or use another folder.",
        )
    free = shutil.disk_usage(there).free
    if free < keep_free:
        return Check(
            name,
            "problem",
            f"Only {show_size(free)} are free at {path}; downloads wait.",
            "Free some space.",
        )
    note = "" if path.exists() else " (made when it is needed)"
    return Check(name, "ok", f"{path}{note}, {show_size(free)} free.")


def database(home: Home) -> Check:
    """Whether the database is sound."""
    from trayagent.store.database import damage

    if not home.database.exists():
        return Check("database", "ok", "None yet; the first start makes it.")
    found = damage(home.database)
    if found is None:
        return Check("database", "ok", f"Sound: {home.database}")
    return Check(
        "database",
        "problem",
        f"{home.database}: {found}.",
        "Restart trayagent: it keeps the damaged file aside.",
    )


def keyring(home: Home, environ: Mapping[str, str]) -> Check:
    """Where secrets of sources go."""
    from trayagent.store.secrets import Vault

    if Vault.open(home.data, environ).kind() == "keyring":
        return Check("keyring", "ok", "Secrets are kept in the system's keyring.")
    # A file that somebody asked for is no fault.
    if environ.get("TRAYAGENT_SECRETS") == "file":
        return Check("keyring", "ok", "Secrets are kept in a file, as TRAYAGENT_SECRETS says.")
    mend = "sudo apt install gnome-keyring" if sys.platform == "linux" else ""
    return Check(
        "keyring", "warning", "No keyring; secrets are kept in a file that only you can read.", mend
    )


def desktop() -> Iterator[Check]:
    """Tray, notifications, autostart."""
    from trayagent.desktop.doctor import checks

    yield from checks()


def page_engine(home: Home) -> Check:
    """Whether video pages can be fetched, and how old what does it is."""
    from trayagent.sites.update import Releases

    found = Releases(home.data / "sites").version()
    if found is None:
        return Check(
            "video pages",
            "warning",
            "Video pages cannot be fetched; direct links can.",
            "pip install 'trayagent[sites]'",
        )
    # yt-dlp's versions are dates; one that is not (a build of somebody's own) has no age.
    age = 0
    with contextlib.suppress(ValueError):
        year, month, day = (int(part) for part in found.split(".")[:3])
        age = (datetime.now(UTC).date() - date(year, month, day)).days
    if age > OLD_ENGINE_DAYS:
        return Check(
            "video pages",
            "warning",
            f"yt-dlp {found} is {age} days old; sites change in weeks.",
            "trayagent sites update",
        )
    return Check("video pages", "ok", f"yt-dlp {found}.")


def bucket(to: str) -> Iterator[Check]:
    """Whether what speaks with a bucket is here, where files are to move to one; it is asked by the agent only."""
    if not is_bucket(to):
        return
    sentence, action = SENTENCES["needs_buckets_extra"]
    # Not imported: its threads are for a process of their own.
    if importlib.util.find_spec("obstore") is None:
        yield Check("bucket", "problem", sentence, action)
    else:
        yield Check("bucket", "ok", f"Finished files move to {to}.")


def confinement() -> Check:
    """What keeps the page engine to its own folder and to us."""
    from trayagent.sites.landlock import holds

    held = holds()
    if held:
        return Check("page engine", "ok", f"The system confines it: {held}.")
    return Check(
        "page engine",
        "warning",
        "This system cannot confine it; it runs in a process of its own, without our secrets.",
    )


def ffmpeg() -> Check:
    """Whether separate pictures and sound can be merged."""
    found = shutil.which("ffmpeg")
    if found:
        return Check("ffmpeg", "ok", f"Found: {found}")
    how = {"linux": "sudo apt install ffmpeg", "darwin": "brew install ffmpeg"}.get(
        sys.platform, "winget install ffmpeg"
    )
    return Check(
        "ffmpeg", "warning", "Not found: the best quality of some video pages needs it.", how
    )
