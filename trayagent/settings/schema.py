"""From raw values to one frozen Config: every leaf is judged by itself, so that all problems show at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import inspect

from trayagent.model.settings import Config, SourceSettings

SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    field.name: field.type for field in msgspec.structs.fields(Config) if field.name != "sources"
}
"""Section name -> its struct; the array `sources` is apart."""

FOREIGN: Final = {
    "flow": ("base", "list", "page", "item", "fetch", "auth"),
    "json": ("labs_base", "media_base", "api_key"),
}
"""Type of a source -> the keys it does not have."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One value as it was written, and where: a flag's or a variable's name, or `config.toml`."""

    value: Any
    where: str
    lax: bool = False
    """From a flag or a variable, where everything is text."""


def all_keys() -> list[str]:
    """Every `section.key` there is, in order."""
    return [
        f"{section}.{name}"
        for section, struct in SECTIONS.items()
        for name in struct.__struct_fields__
    ]


def defaults(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Key -> default value of a section."""
    return {
        f.name: f.default
        for f in msgspec.structs.fields(struct)
        if f.default is not msgspec.NODEFAULT
    }


def convert(key: str, raw: Raw, problems: list[str]) -> Any:
    """The value of `section.key`; UNSET, and a problem more, if it cannot be one."""
    section, _, name = key.partition(".")
    return leaf(SECTIONS[section], name, key, raw, problems)


def leaf(struct: type[msgspec.Struct], name: str, key: str, raw: Raw, problems: list[str]) -> Any:
    """As `convert`, for the field `name` of any struct."""
    wanted = next(field.type for field in msgspec.structs.fields(struct) if field.name == name)
    value = _listed(raw.value, wanted) if raw.lax else raw.value
    try:
        return msgspec.convert(value, wanted, strict=not raw.lax)
    except msgspec.ValidationError:
        problems.append(
            f"{key} is {_quoted(raw.value)} ({raw.where}), but must be {_expected(wanted, raw.value)}."
        )
        return msgspec.UNSET


def unknown(key: str, raw: Raw, known: list[str]) -> str:
    """The sentence for a key that does not exist, with the one that was probably meant."""
    section, _, name = key.rpartition(".")
    same_section = [candidate for candidate in known if candidate.startswith(f"{section}.")]
    close: list[str] = []
    for candidates in (same_section, known):
        by_name = {candidate.rpartition(".")[2]: candidate for candidate in candidates}
        close = close or [
            by_name[n] for n in difflib.get_close_matches(name, list(by_name), 1, 0.75)
        ]
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"{key} is not a setting ({raw.where}){hint}"


def sources(raw: Any, problems: list[str]) -> tuple[SourceSettings, ...]:
    """The `[[sources]]` of config.toml."""
    if not isinstance(raw, list) or not all(isinstance(table, Mapping) for table in raw):
        problems.append("sources must be tables, each headed [[sources]] (config.toml).")
        return ()
    found = [_source(table, place, problems) for place, table in enumerate(raw, 1)]
    return tuple(source for source in found if source is not None)


def _source(table: Mapping[str, Any], place: int, problems: list[str]) -> SourceSettings | None:
    label = (
        f"sources.{table['name']}" if isinstance(table.get("name"), str) else f"sources[{place}]"
    )
    before = len(problems)
    values: dict[str, Any] = {}
    for name, value in table.items():
        raw = Raw(value, "config.toml")
        if name not in SourceSettings.__struct_fields__:
            known = [f"{label}.{field}" for field in SourceSettings.__struct_fields__]
            problems.append(unknown(f"{label}.{name}", raw, known))
        else:
            values[name] = leaf(SourceSettings, name, f"{label}.{name}", raw, problems)
    if "name" not in table:
        problems.append(f"{label} needs a name (config.toml).")
    kind = str(values.get("type", "flow"))
    problems += [
        f"{label}.{name} is not a setting of a {kind} source (config.toml)."
        for name in FOREIGN.get(kind, ())
        if name in table
    ]
    return SourceSettings(**values) if len(problems) == before else None


def _listed(value: Any, wanted: Any) -> Any:
    """A list that was written as text: `a, b` or `["a", "b"]`."""
    if not isinstance(value, str) or not isinstance(
        inspect.type_info(wanted), inspect.VarTupleType
    ):
        return value
    if value.lstrip().startswith("["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _quoted(value: Any) -> str:
    text = (
        msgspec.json.encode(value, enc_hook=str).decode()
        if not isinstance(value, str)
        else f'"{value}"'
    )
    return text if len(text) <= 80 else text[:77] + "..."


def _expected(wanted: Any, value: Any) -> str:
    info = inspect.type_info(wanted)
    choices = _choices(info)
    close = difflib.get_close_matches(str(value), choices, 1, 0.6) if choices else []
    return _described(info) + (f"; did you mean {close[0]}" if close else "")


def _choices(info: inspect.Type) -> list[str]:
    if isinstance(info, inspect.UnionType):
        return [choice for part in info.types for choice in _choices(part)]
    return [str(value) for value in info.values] if isinstance(info, inspect.LiteralType) else []


def _described(info: inspect.Type) -> str:
    match info:
        case inspect.UnionType(types=types):
            return " or ".join(_described(part) for part in types)
        case inspect.LiteralType(values=values):
            return f'"{values[0]}"' if len(values) == 1 else f"one of {', '.join(map(str, values))}"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.BoolType():
            return "true or false"
        case inspect.VarTupleType():
            return "a list of texts"
        case inspect.DictType():
            return "a table"
        case inspect.StrType(pattern=pattern) if pattern:
            return "a short name of small letters, digits, - and _"
        case _:
            return "a text in quotes"
