"""The text of config.toml and changes to it: comments and order stay, the rest byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Table

from trayagent.model.errors import ConfigError
from trayagent.settings.load import HIDDEN


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
    previous = document.get("sources") or ()
    kept = {str(table.get("name")): table for table in previous if isinstance(table, Mapping)}
    tables = tomlkit.aot()
    for source in sources:
        table = kept.get(str(source.get("name")))
        if not isinstance(table, Table):  # new, or one of a list on one line
            table = tomlkit.item(dict(table or {}))
        gone = {key: None for key in table if key not in source}
        _merge(table, {**gone, **source})
        tables.append(table)
    document.pop("sources", None)
    if sources:
        document["sources"] = tables
