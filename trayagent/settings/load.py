"""Reading settings: flag > environment > config.toml > default, and saying which it was."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from trayagent.files import read_shared
from trayagent.model.errors import ConfigError
from trayagent.model.folder_rules import full_path
from trayagent.model.settings import Config
from trayagent.settings import rules, schema
from trayagent.settings.home import Home
from trayagent.settings.schema import RawValue

_VARIABLE: Final = re.compile(r"TRAYAGENT_([A-Z0-9]+)__([A-Z0-9_]+)")
_FILE: Final = "config.toml"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_QUOTES: Final = r"A path with backslashes goes in single quotes: 'C:\Users\me'."
HIDDEN: Final = "(hidden)"
"""Stands in `visible_values` for a secret; writing it back leaves the secret as it is."""


def load(home: Home, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Config:
    """The settings in force; `flags` maps `section.key` to text.

    Raises ConfigError with all problems at once. Folders come back absolute.
    """
    return build_config(home, read_file(home.config), environ, flags or {})


def origins(
    home: Home, environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Every `section.key` -> where its value comes from: a flag, a variable, `config.toml` or `default`."""
    problems: list[str] = []
    # Problems are told by `load`; here a bad value still has its place.
    written = _gather(read_file(home.config), environ, flags or {}, problems)
    return {key: written[key].where if key in written else "default" for key in schema.all_keys()}


def visible_values(config: Config) -> dict[str, Any]:
    """The settings as JSON-ready values; a key or password that stands in them is hidden.

    A reference to a secret (`env:NAME`, `keyring:NAME`, `{secret:…}`) is none, and stays.
    """
    values: dict[str, Any] = msgspec.to_builtins(config)
    values["network"]["proxy"] = re.sub(r"//[^/@]*@", f"//{HIDDEN}@", config.network.proxy)
    # What a person wrote into the file by mistake is not passed on by us.
    for source in values["sources"]:
        for key in schema.KEYS_OF_OTHER_TYPES[source["type"]]:
            del source[key]
        if not source.get("api_key", "").startswith(("env:", "keyring:")) and source.get("api_key"):
            source["api_key"] = HIDDEN
        for table in source.get("auth", {}).values():
            table.update(
                {name: HIDDEN for name, value in table.items() if "{secret:" not in str(value)}
            )
    # An address of a webhook often holds a token in its path or query: it is shown without both.
    hooks = values["hooks"]
    if hooks["url"]:
        hooks["url"] = re.sub(r"(//[^/?]*)[/?].*", rf"\1/{HIDDEN}", hooks["url"])
    for engine in (*values["engines"], hooks, values["move"]):
        if engine["secret"] and not engine["secret"].startswith(("env:", "keyring:")):
            engine["secret"] = HIDDEN
    return values


def read_file(path: Path) -> dict[str, Any]:
    """The plain values of a settings file; empty if there is none. Raises ConfigError if it is no TOML."""
    try:
        return parse_toml(read_shared(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}."]) from error


def parse_toml(data: bytes) -> dict[str, Any]:
    """The plain values of TOML; raises ConfigError."""
    import tomllib  # most people have no settings file

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{_FILE} is not valid TOML: it is no UTF-8 text."]) from error
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError([f"{_FILE} has too many brackets inside each other."]) from error
    except (
        ValueError
    ) as error:  # TOMLDecodeError, or Python's own for a number of thousands of digits
        problem = f"{_FILE} is not valid TOML: {error}."
        # The most common mistake: a Windows path in double quotes, where a backslash is an escape.
        where = re.search(r"at line (\d+)", str(error))
        line = text.split("\n")[int(where[1]) - 1] if where else ""
        if path := re.search(r'"([^"\\\n]*\\[^"\n]*)"', line):
            problem += f" Write paths in single quotes: '{path[1]}'."
        raise ConfigError([problem]) from error


def build_config(
    home: Home, table: Mapping[str, Any], environ: Mapping[str, str], flags: Mapping[str, str]
) -> Config:
    """One Config of raw values; raises ConfigError with all problems at once.

    1. Gather what was written, and where.
    2. Convert each value for itself, so that one bad value does not hide the next.
    3. Fill in the folders, which depend on the home.
    4. Ask the rules. They see a whole Config: a default stands in for every value that is bad.
    """
    problems: list[str] = []
    written = _gather(table, environ, flags, problems)
    values: dict[str, dict[str, Any]] = {section: {} for section in schema.SECTIONS}
    for key, raw in written.items():
        if isinstance(raw.value, str) and _CONTROL.search(raw.value):
            # In double quotes TOML reads \t as a tab: nobody means that.
            problems.append(f"{key} holds a control character ({raw.where}). {_QUOTES}")
            continue
        # UNSET: a problem was noted, and the default stands in while the rest is judged.
        value = schema.convert(key, raw, problems)
        section, _, name = key.partition(".")
        if value is not msgspec.UNSET:
            values[section][name] = value
    sections: dict[str, Any] = {
        section: struct(**values[section]) for section, struct in schema.SECTIONS.items()
    }
    for array in schema.ARRAYS:
        sections[array] = schema.convert_array(array, table.get(array, []), problems)
    config = _with_folders(home, Config(**sections), written, problems)
    # Compared with hosts as they are connected to, later: in one way of writing.
    allowed = tuple(rules.host_port(entry) or entry for entry in config.network.allow)
    network = msgspec.structs.replace(config.network, allow=allowed)
    config = msgspec.structs.replace(config, network=network)
    problems += [
        f"{sentence[:-1]} ({written[key].where})." if key in written else sentence
        for key, sentence in rules.broken_rules(config)
    ]
    if problems:
        raise ConfigError(problems)
    return config


def _gather(
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    problems: list[str],
) -> dict[str, RawValue]:
    """The value of every key that was written somewhere; of several the last one counts."""
    found: list[tuple[str, RawValue]] = []
    # 1. The file; its arrays of tables are read by themselves.
    for section, content in table.items():
        if isinstance(content, Mapping) and section == "folders":
            found += _folder_rules(content)
        elif isinstance(content, Mapping) and section in schema.SECTIONS:
            found += [
                (f"{section}.{name}", RawValue(value, _FILE)) for name, value in content.items()
            ]
        elif section not in schema.ARRAYS:
            found.append((section, RawValue(content, _FILE)))
    # 2. The environment. Windows has variables in any case.
    for variable, text in environ.items():
        match = _VARIABLE.fullmatch(variable.upper() if os.name == "nt" else variable)
        if match:
            key = f"{match[1]}.{match[2]}".lower()
            found.append((key, RawValue(text, variable, is_text=True)))
    # 3. Flags.
    for key, text in flags.items():
        flag = f"--{key.rpartition('.')[2].replace('_', '-')}"
        found.append((key, RawValue(text, flag, is_text=True)))
    # An unknown variable is an error, too: a misspelt one would silently do nothing.
    known = schema.all_keys()
    written: dict[str, RawValue] = {}
    for key, raw in found:
        if key in known:
            written[key] = raw
        elif key in schema.SECTIONS:
            problems.append(f"{key} must be a section, headed [{key}] ({raw.where}).")
        else:
            candidates = [*known, *schema.SECTIONS, *schema.ARRAYS]
            problems.append(schema.unknown_key_sentence(key, raw, candidates))
    return written


def _folder_rules(content: Mapping[str, Any]) -> list[tuple[str, RawValue]]:
    """The keys of [folders]; those with a dot in them are sites, told from a misspelt type by it."""
    sites = {name: value for name, value in content.items() if "." in name}
    named = content.get("sites")
    sites.update(named if isinstance(named, Mapping) else {})
    found = [
        (f"folders.{name}", RawValue(value, _FILE))
        for name, value in content.items()
        if name not in sites and name != "sites"
    ]
    return [*found, ("folders.sites", RawValue(sites, _FILE))] if sites else found


def _with_folders(
    home: Home, config: Config, written: Mapping[str, RawValue], problems: list[str]
) -> Config:
    """Every folder absolute: the home's where none is set, `~` expanded.

    A relative folder has a meaning in a portable home only, whose place may change with the drive.
    """
    defaults = {"downloads": home.downloads, "drop": home.drop, "library": home.library}
    sections: dict[str, Any] = {}
    for section, default in defaults.items():
        text = getattr(config, section).folder
        folder = full_path(text) if text else default
        if not folder.is_absolute():
            if not home.portable or text.startswith("~"):
                where = written[f"{section}.folder"].where
                problems.append(f'{section}.folder is "{text}", but must be a full path ({where}).')
            folder = home.data / folder
        sections[section] = msgspec.structs.replace(
            getattr(config, section), folder=os.path.normpath(folder)
        )
    return msgspec.structs.replace(config, **sections)
