"""`config`: read and change the settings, also while no agent runs."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from trayagent.cli.client import AgentClient
from trayagent.cli.exits import MisuseError, NotRunningError
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.model.errors import ConfigError


@click.group()
def config() -> None:
    """Read and change the settings."""


@config.command()
@json_option
@pass_screen
def path(screen: Screen) -> None:
    """Say where the settings file is."""
    if screen.json:
        screen.data({"path": str(home().config)})
    else:
        screen.say(str(home().config))


@config.command()
@click.option("--origin", is_flag=True, help="Also say where each value comes from.")
@json_option
@pass_screen
def show(screen: Screen, origin: bool) -> None:
    """Show all settings in force."""
    from trayagent import settings

    values = settings.visible_values(settings.load(home(), os.environ))
    origins = settings.origins(home(), os.environ) if origin else {}
    if screen.json:
        screen.data({"values": values, "origins": origins} if origin else values)
        return
    rows = [
        [key, _as_text(value), *([origins.get(key, "config.toml")] if origin else [])]
        for key, value in flat(values)
    ]
    screen.table(rows)


@config.command()
@click.argument("key")
@json_option
@pass_screen
def get(screen: Screen, key: str) -> None:
    """Print one setting, like downloads.workers."""
    from trayagent import settings

    values = dict(flat(settings.visible_values(settings.load(home(), os.environ))))
    if key not in values:
        raise ConfigError([_unknown(key)])
    if screen.json:
        screen.data(values[key])
    else:
        screen.say(_as_text(values[key]))


@config.command("set")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--default", "reset", is_flag=True, help="Back to the default.")
@json_option
@pass_screen
def set_(screen: Screen, key: str, value: str | None, reset: bool) -> None:
    """Change one setting; a running agent follows at once where it can."""
    if (value is None) != reset:
        raise MisuseError("Say the new value: trayagent config set KEY VALUE, or --default")
    from trayagent.settings import schema

    # Checked here first, so that a mistake is said as one of this command, not of the file. None stands
    # for the default: its line goes out of the file.
    new: Any = None
    if value is not None:
        if key not in schema.all_keys() and not _is_site(key):
            raise ConfigError([_unknown(key)])
        problems: list[str] = []
        raw = schema.RawValue(value, "your command", is_text=True)
        new = value if _is_site(key) else schema.convert(key, raw, problems)
        if problems:
            raise ConfigError(problems)
    section, _, name = key.partition(".")
    # Settings have tuples, since they are frozen; the file, and JSON, have lists.
    change({section: {name: list(new) if isinstance(new, tuple) else new}})
    if screen.json:
        screen.data({"key": key, "value": value})
    else:
        screen.say(f"{key} is the default again." if value is None else f"{key} = {value}")


@config.command()
@json_option
@pass_screen
def validate(screen: Screen) -> None:
    """Check the settings; says all problems at once."""
    from trayagent import settings

    settings.load(home(), os.environ)
    if screen.json:
        screen.data({"ok": True})
    else:
        screen.say("The settings are all right.", "ok")


def change(changes: dict[str, Any]) -> None:
    """Write settings: through the agent if it runs, so that it follows them, else straight to the file."""
    from trayagent import settings

    # Never both: two writers of one file would each undo what the other has just changed.
    try:
        running = AgentClient.of(home())
    except NotRunningError:
        home().prepare()
        settings.change(home(), os.environ, changes)
        return
    try:
        running.ask("PATCH", "config", changes)
    finally:
        running.close()


def flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """`section.key` and value, in the order of the settings file; sources and engines by their names."""
    found = []
    for section, content in values.items():
        if isinstance(content, list | tuple):  # `sources` and `engines`
            found += [
                (f"{section}.{one['name']}.{key}", value)
                for one in content
                for key, value in one.items()
            ]
        else:
            # Folders of sites stand right in their section: `folders.example.com`.
            sites = content.get("sites") if section == "folders" else None
            rows = {key: value for key, value in content.items() if not sites or key != "sites"}
            found += [
                (f"{section}.{key}", value) for key, value in {**rows, **(sites or {})}.items()
            ]
    return found


def _is_site(key: str) -> bool:
    """Whether the key is that of a site's folder."""
    section, _, name = key.partition(".")
    return section == "folders" and "." in name


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unknown(key: str) -> str:
    from trayagent.settings import schema

    return schema.unknown_key_sentence(key, schema.RawValue("", "your command"), schema.all_keys())
