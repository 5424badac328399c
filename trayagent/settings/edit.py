"""Changing config.toml: checked first, comments and order kept, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, AoT

from trayagent.model.config import Config
from trayagent.model.errors import ConfigError
from trayagent.settings.home import Home
from trayagent.settings.load import HIDDEN, build, parse


def change(
    home: Home,
    environ: Mapping[str, str],
    changes: Mapping[str, Any],
    flags: Mapping[str, str] | None = None,
) -> Config:
    """Write nested `changes` (`{"downloads": {"workers": 8}}`) to config.toml and return the settings now in force.

    None takes a key out, so that its default holds again; `sources` is the whole new list. Raises
    ConfigError, and writes nothing, unless the settings are all right afterwards; OSError if it cannot write.
    """
    try:
        before = home.config.read_bytes()
    except FileNotFoundError:
        before = b""
    after = apply(before.decode("utf-8-sig", "replace"), changes).encode()
    config = build(home, parse(after), environ, flags or {})
    if after != before:
        replace(home.config, after)
    return config


def apply(text: str, changes: Mapping[str, Any]) -> str:
    """The TOML text with nested changes made; everything else stays byte for byte."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError([f"config.toml is not valid TOML: {error}."]) from error
    for section, content in changes.items():
        if section == "sources":
            _set_sources(document, content)
        elif isinstance(content, Mapping):
            if section not in document and any(value is not None for value in content.values()):
                document[section] = tomlkit.table()
            if section in document:
                _merge(document[section], content)
        else:
            raise ConfigError([f"{section} must be a section with its settings inside."])
    return tomlkit.dumps(document)


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of a private file in one step; through a link, its target is replaced.

    Whoever looks sees the old or the new file, whole, also after a power cut. Blocks (fsync).
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _merge(table: Any, changes: Mapping[str, Any]) -> None:
    if not isinstance(table, AbstractTable):
        raise ConfigError(["config.toml holds a value where a section belongs."])
    for key, value in changes.items():
        if HIDDEN in str(value):
            continue
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value or type(table.unwrap().get(key)) is not type(value):
            table[key] = value


def _set_sources(document: tomlkit.TOMLDocument, sources: Any) -> None:
    if not isinstance(sources, list | tuple) or not all(
        isinstance(source, Mapping) for source in sources
    ):
        raise ConfigError(["sources must be a list of tables."])
    previous = document.get("sources")
    kept = (
        {str(table.get("name")): table for table in previous} if isinstance(previous, AoT) else {}
    )
    tables = tomlkit.aot()
    for source in sources:
        table = kept.get(str(source.get("name")))
        if table is None:
            table = tomlkit.table()
        gone = {key: None for key in table if key not in source}
        _merge(table, {**gone, **source})
        tables.append(table)
    document.pop("sources", None)
    if sources:
        document["sources"] = tables
