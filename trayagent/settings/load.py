"""Reading settings: flag > environment > config.toml > default, and saying which it was."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from trayagent.model.errors import ConfigError
from trayagent.model.settings import Config
from trayagent.settings import rules, schema
from trayagent.settings.home import Home
from trayagent.settings.schema import Raw

_VARIABLE: Final = re.compile(r"TRAYAGENT_([A-Z0-9]+)__([A-Z0-9_]+)")
_FILE: Final = "config.toml"
HIDDEN: Final = "(hidden)"
"""What `shown` says instead of a secret; writing it back leaves the secret as it is."""


def load(home: Home, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Config:
    """The settings in force; `flags` maps `section.key` to text.

    Raises ConfigError with all problems at once. Folders come back absolute.
    """
    return build(home, read(home.config), environ, flags or {})


def origins(
    home: Home, environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Every `section.key` -> where its value comes from: a flag, a variable, `config.toml` or `default`."""
    problems: list[str] = []
    written = _gather(read(home.config), environ, flags or {}, problems)
    return {key: written[key].where if key in written else "default" for key in schema.all_keys()}


def shown(config: Config) -> dict[str, Any]:
    """The settings as JSON-ready values; a key or password that somebody wrote in them stays hidden."""
    values: dict[str, Any] = msgspec.to_builtins(config)
    values["network"]["proxy"] = re.sub(r"//[^/@]*@", f"//{HIDDEN}@", config.network.proxy)
    for source in values["sources"]:
        for key in schema.FOREIGN[source["type"]]:
            del source[key]
        if not source.get("api_key", "").startswith(("env:", "keyring:")) and source.get("api_key"):
            source["api_key"] = HIDDEN
        for table in source.get("auth", {}).values():
            table.update(
                {name: HIDDEN for name, value in table.items() if "{secret:" not in str(value)}
            )
    return values


def read(path: Path) -> dict[str, Any]:
    """The plain values of a settings file; empty if there is none. Raises ConfigError if it is no TOML."""
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError([f"{path} cannot be read: {error.strerror}."]) from error


def parse(data: bytes) -> dict[str, Any]:
    """The plain values of TOML; raises ConfigError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([f"{_FILE} is not valid TOML: {error}."]) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"{_FILE} is not valid TOML: {error}."
        if path := _backslashed(text, str(error)):
            problem += f" Write paths in single quotes: '{path}'."
        raise ConfigError([problem]) from error


def _backslashed(text: str, said: str) -> str | None:
    """What stands in double quotes, with a backslash, in the line of which TOML's reader complained."""
    where = re.search(r"at line (\d+)", said)
    line = text.split("\n")[int(where[1]) - 1] if where else ""
    quoted = re.search(r'"([^"\\\n]*\\[^"\n]*)"', line)
    return quoted[1] if quoted else None


_QUOTES: Final = r"A path with backslashes goes in single quotes: 'C:\Users\me'."
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def build(
    home: Home, table: Mapping[str, Any], environ: Mapping[str, str], flags: Mapping[str, str]
) -> Config:
    """One Config of raw values; raises ConfigError with all problems at once."""
    problems: list[str] = []
    written = _gather(table, environ, flags, problems)
    values: dict[str, dict[str, Any]] = {section: {} for section in schema.SECTIONS}
    for key, raw in written.items():
        if isinstance(raw.value, str) and _CONTROL.search(raw.value):
            # In double quotes TOML reads \t as a tab: nobody means that.
            problems.append(f"{key} holds a control character ({raw.where}). {_QUOTES}")
            continue
        value = schema.convert(key, raw, problems)
        section, _, name = key.partition(".")
        if value is not msgspec.UNSET:
            values[section][name] = value
    sources = schema.sources(table.get("sources", []), problems)
    sections: dict[str, Any] = {
        section: struct(**values[section]) for section, struct in schema.SECTIONS.items()
    }
    config = _with_folders(home, Config(**sections, sources=sources), written, problems)
    allowed = tuple(rules.host_port(entry) or entry for entry in config.network.allow)
    network = msgspec.structs.replace(config.network, allow=allowed)
    config = msgspec.structs.replace(config, network=network)
    problems += [
        f"{sentence[:-1]} ({written[key].where})." if key in written else sentence
        for key, sentence in rules.broken(config)
    ]
    if problems:
        raise ConfigError(problems)
    return config


def _gather(
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    problems: list[str],
) -> dict[str, Raw]:
    """The value of every key that was written somewhere, the strongest place last."""
    known = schema.all_keys()
    written: dict[str, Raw] = {}
    for key, raw in [*_of_file(table), *_of_environment(environ), *_of_flags(flags)]:
        if key in known:
            written[key] = raw
        elif key in schema.SECTIONS:
            problems.append(f"{key} must be a section, headed [{key}] ({raw.where}).")
        else:
            problems.append(schema.unknown(key, raw, [*known, *schema.SECTIONS, "sources"]))
    return written


def _of_file(table: Mapping[str, Any]) -> Iterator[tuple[str, Raw]]:
    for section, content in table.items():
        if section == "sources":
            continue
        if isinstance(content, Mapping) and section in schema.SECTIONS:
            for name, value in content.items():
                yield f"{section}.{name}", Raw(value, _FILE)
        else:
            yield section, Raw(content, _FILE)


def _of_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Raw]]:
    for variable, text in environ.items():
        match = _VARIABLE.fullmatch(variable.upper() if os.name == "nt" else variable)
        if match:
            yield f"{match[1]}.{match[2]}".lower(), Raw(text, variable, lax=True)


def _of_flags(flags: Mapping[str, str]) -> Iterator[tuple[str, Raw]]:
    for key, text in flags.items():
        yield key, Raw(text, f"--{key.rpartition('.')[2].replace('_', '-')}", lax=True)


def _with_folders(
    home: Home, config: Config, written: Mapping[str, Raw], problems: list[str]
) -> Config:
    places = {"downloads": home.downloads, "drop": home.drop, "library": home.library}
    sections: dict[str, Any] = {}
    for section, default in places.items():
        text = getattr(config, section).folder
        folder = Path(text).expanduser() if text else default
        if not folder.is_absolute():
            if not home.portable:
                where = written[f"{section}.folder"].where
                problems.append(f'{section}.folder is "{text}", but must be a full path ({where}).')
            folder = home.data / folder
        sections[section] = msgspec.structs.replace(
            getattr(config, section), folder=os.path.normpath(folder)
        )
    return msgspec.structs.replace(config, **sections)
