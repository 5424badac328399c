"""Changing config.toml: checked first, comments and order kept, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trayagent.files import read_shared, remove_shared, replace_shared
from trayagent.model.errors import ConfigError
from trayagent.model.settings import Config
from trayagent.settings.home import Home
from trayagent.settings.load import HIDDEN, build_config, parse_toml
from trayagent.settings.schema import ARRAYS


def change(
    home: Home,
    environ: Mapping[str, str],
    changes: Mapping[str, Any],
    flags: Mapping[str, str] | None = None,
) -> Config:
    """Write nested `changes` (`{"downloads": {"workers": 8}}`) to config.toml and return the settings now in force.

    None takes a key out, so that its default holds again; `sources`, say, is the whole new list. Raises
    ConfigError, and writes nothing, unless the settings are all right afterwards; OSError if it cannot write.
    """
    try:
        before = read_shared(home.config)
    except FileNotFoundError:
        before = b""
    try:
        text = before.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(["config.toml is not text in UTF-8."]) from error
    after = apply_changes(text, changes).encode()
    written = parse_toml(after)
    config = build_config(home, written, environ, flags or {})
    # By itself, too: what a flag or the environment covers now counts at the next start.
    build_config(home, written, {}, {})
    if after != before:
        replace_file(home.config, after)
    return config


def apply_changes(text: str, changes: Mapping[str, Any]) -> str:
    """The TOML text with nested changes made; everything else stays byte for byte."""
    # tomlkit keeps comments, and is a large library. Few starts change a setting, so it is imported
    # here, and no start waits for it.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import Table

    try:
        document = tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise ConfigError([f"config.toml is not valid TOML: {error}."]) from error
    for section, content in changes.items():
        if section in ARRAYS:
            # An array is replaced as a whole; but a table that stays under its name keeps its comments.
            if not isinstance(content, list | tuple) or not all(
                isinstance(one, Mapping) for one in content
            ):
                raise ConfigError([f"{section} must be a list of tables."])
            previous = document.get(section) or ()
            by_name = {
                str(table.get("name")): table for table in previous if isinstance(table, Mapping)
            }
            tables = tomlkit.aot()
            for one in content:
                table = by_name.get(str(one.get("name")))
                if not isinstance(table, Table):  # new, or one of a list on one line
                    table = tomlkit.item(dict(table or {}))
                gone = {key: None for key in table if key not in one}
                _merge(table, {**gone, **one})
                tables.append(table)
            document.pop(section, None)
            if content:
                document[section] = tables
        elif isinstance(content, Mapping):
            # Taking keys out of a section that is not there must not write its heading.
            if section not in document and any(value is not None for value in content.values()):
                document[section] = tomlkit.table()
            if section in document:
                _merge(document[section], content)
        else:
            raise ConfigError([f"{section} must be a section with its settings inside."])
    return tomlkit.dumps(document)


def _merge(table: Any, changes: Mapping[str, Any]) -> None:
    from tomlkit.items import AbstractTable

    if not isinstance(table, AbstractTable):
        raise ConfigError(["config.toml holds a value where a section belongs."])
    for key, value in changes.items():
        # Who writes back what `visible_values` showed leaves the secret as it is.
        if HIDDEN in str(value):
            continue
        if value is None:
            table.pop(key, None)
        # Setting an equal value would drop its comment; but 1 is equal to True, and not the same.
        elif table.get(key) != value or type(table.unwrap().get(key)) is not type(value):
            table[key] = value


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of a private file in one step; through a link, its target is replaced.

    A reader sees the old or the new file, whole, also after a power cut. Blocks (fsync). The fresh
    file has a random name: the agent and a command may change settings at the same time.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    import tempfile  # only a change needs it

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace_shared(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            remove_shared(name)
        raise
    if os.name == "posix":  # the rename itself is in the folder's data
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
