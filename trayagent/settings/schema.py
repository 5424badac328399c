"""Raw values become values of the settings' types, each for itself, so that all problems show at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, inspect

from trayagent.model.settings import Config, EngineSettings, SourceSettings

ARRAYS: Final[dict[str, type[msgspec.Struct]]] = {
    "sources": SourceSettings,
    "engines": EngineSettings,
}
"""Name of an array of tables (`[[sources]]`) -> the struct of its tables."""

SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    field.name: field.type for field in msgspec.structs.fields(Config) if field.name not in ARRAYS
}
"""Section name -> its struct; the arrays are apart."""

KEYS_OF_OTHER_TYPES: Final = {
    "flow": ("base", "list", "page", "item", "fetch", "auth"),
    "json": ("labs_base", "media_base", "api_key"),
}
"""Type of a source -> the keys it does not have."""


class RawValue(Struct, frozen=True):
    """One value as it was written, and where: a flag's or a variable's name, or `config.toml`."""

    value: Any
    where: str
    is_text: bool = False
    """From a flag or a variable, where everything is text."""


def all_keys() -> list[str]:
    """Every `section.key` there is, in order."""
    return [
        f"{section}.{name}"
        for section, struct in SECTIONS.items()
        for name in struct.__struct_fields__
    ]


def convert(key: str, raw: RawValue, problems: list[str]) -> Any:
    """The value of `section.key`; UNSET, and a problem more, if it cannot be one."""
    section, _, name = key.partition(".")
    return convert_field(SECTIONS[section], name, key, raw, problems)


def convert_field(
    struct: type[msgspec.Struct], name: str, key: str, raw: RawValue, problems: list[str]
) -> Any:
    """As `convert`, for the field `name` of any struct."""
    # In a flag or a variable everything is text: `8` may be a number there, and `a, b` a list.
    wanted = next(field.type for field in msgspec.structs.fields(struct) if field.name == name)
    value = _split_list(raw.value, wanted) if raw.is_text else raw.value
    try:
        return msgspec.convert(value, wanted, strict=not raw.is_text)
    except msgspec.ValidationError:
        info = inspect.type_info(wanted)
        expected = describe_type(info)
        import difflib  # slow to load, and mistakes are rare

        if close := difflib.get_close_matches(str(raw.value), _choices(info), 1, 0.6):
            expected += f"; did you mean {close[0]}"
        # As it was written: a text in quotes, anything else as JSON.
        is_text = isinstance(raw.value, str)
        written = msgspec.json.encode(raw.value, enc_hook=str).decode()
        shown = f'"{raw.value}"' if is_text else written
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        problems.append(f"{key} is {shown} ({raw.where}), but must be {expected}.")
        return msgspec.UNSET


def unknown_key_sentence(key: str, raw: RawValue, known: list[str]) -> str:
    """The sentence for a key that does not exist, with the one that was probably meant.

    A name much like it in the same section comes before one in another section.
    """
    # Only the last parts are compared: with a wrong section before it, a right name would look wrong.
    section, _, name = key.rpartition(".")
    same_section = [candidate for candidate in known if candidate.startswith(f"{section}.")]
    import difflib  # as above

    close: list[str] = []
    for candidates in (same_section, known):
        by_name = {candidate.rpartition(".")[2]: candidate for candidate in candidates}
        close = close or [
            by_name[n] for n in difflib.get_close_matches(name, list(by_name), 1, 0.75)
        ]
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"{key} is not a setting ({raw.where}){hint}"


def convert_array(array: str, raw: Any, problems: list[str]) -> tuple[Any, ...]:
    """The tables of an array of config.toml (`ARRAYS`); one that is bad is left out, and a problem more."""
    if not isinstance(raw, list) or not all(isinstance(table, Mapping) for table in raw):
        problems.append(f"{array} must be tables, each headed [[{array}]] (config.toml).")
        return ()
    # A heading with nothing but comments below it, as an example in a file has it, is no table yet.
    found = [
        _convert_table(array, table, number, problems)
        for number, table in enumerate(raw, 1)
        if table
    ]
    return tuple(one for one in found if one is not None)


def _convert_table(
    array: str, table: Mapping[str, Any], number: int, problems: list[str]
) -> msgspec.Struct | None:
    struct = ARRAYS[array]
    label = (
        f"{array}.{table['name']}" if isinstance(table.get("name"), str) else f"{array}[{number}]"
    )
    before = len(problems)
    values: dict[str, Any] = {}
    for name, value in table.items():
        raw = RawValue(value, "config.toml")
        if name not in struct.__struct_fields__:
            known = [f"{label}.{field}" for field in struct.__struct_fields__]
            problems.append(unknown_key_sentence(f"{label}.{name}", raw, known))
        else:
            values[name] = convert_field(struct, name, f"{label}.{name}", raw, problems)
    if "name" not in table:
        problems.append(f"{label} needs a name (config.toml).")
    if array == "sources":
        # One struct holds the keys of all types, so msgspec cannot tell them apart.
        kind = str(values.get("type", "flow"))
        problems += [
            f"{label}.{name} is not a setting of a {kind} source (config.toml)."
            for name in KEYS_OF_OTHER_TYPES.get(kind, ())
            if name in table
        ]
    # Half of a source would be asked at the wrong address, or with no sign-in.
    return struct(**values) if len(problems) == before else None


def _split_list(value: Any, wanted: Any) -> Any:
    """A list that was written as text: `a, b` or `["a", "b"]`."""
    if not isinstance(value, str) or not isinstance(
        inspect.type_info(wanted), inspect.VarTupleType
    ):
        return value
    # As in the file, for items that hold a comma; else as people type it.
    if value.lstrip().startswith("["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _choices(info: inspect.Type) -> list[str]:
    if isinstance(info, inspect.UnionType):
        return [choice for part in info.types for choice in _choices(part)]
    return [str(value) for value in info.values] if isinstance(info, inspect.LiteralType) else []


def describe_type(info: inspect.Type) -> str:
    """Describe the values of a type, in the words of the errors and of docs/configuration.md."""
    match info:
        case inspect.UnionType(types=types):
            return " or ".join(describe_type(part) for part in types)
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
