"""docs/configuration.md, made from the settings' own types; the prose between the tables is here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from trayagent.model.settings import EngineSettings, SourceSettings, __file__
from trayagent.settings import schema

START = """
Everything works without a settings file. `trayagent config path` says where it belongs; it is TOML, every
key is optional, and your comments in it are kept. An unknown key or a bad value is an error that names it,
with all problems at once and the key you probably meant:

```sh
trayagent config validate
trayagent config set downloads.per_host 1
trayagent config get downloads.per_host
trayagent config set downloads.per_host --default
trayagent config show --origin
```

A running agent follows `config set` and the dashboard's settings at once; only `[hook]`, `[drop]`, `[network]` and
`downloads.connections_per_host` wait for its next start. What you write into the file by hand counts from its next
start, or from the next such change.

**What wins:** a flag (`--port`), then the environment (`TRAYAGENT_DOWNLOADS__WORKERS=8`: section, two
underscores, key), then the file, then the default.

**Folders:** `~` is your home. A path with backslashes goes in single quotes: `'D:\\films'`. Without a setting,
files go to the system's Downloads folder, synced images to
`trayagent` in Pictures, and lists are dropped into `trayagent/drop` in Documents. `TRAYAGENT_HOME=DIR` puts
everything into one folder, for a memory stick or a test.

**Sizes** are `500KB`, `2MB`, `50GB` (powers of 1000) or `2MiB` (of 1024); **times** are `30m`, `6h`, `1d`.

**Secrets** are never in this file: see [image sources](sources.md).
"""
ENGINES = """
None by default. Each has a heading of its own: [other machines](elsewhere.md) says what for.
"""
SOURCES = """
None by default. Each has a heading of its own, and its keys depend on the type: [image sources](sources.md)
shows both.
"""


def settings() -> str:
    """The page."""
    lines = [
        "# Settings",
        "<!-- Made by packaging/docs.py from the code: change it there. -->",
        START,
    ]
    for section, struct in schema.SECTIONS.items():
        lines += [f"## [{section}]", "", (struct.__doc__ or "").strip(), "", *_table(struct), ""]
    lines += ["## [[sources]]", SOURCES, *_table(SourceSettings), ""]
    lines += ["## [[engines]]", ENGINES, *_table(EngineSettings), ""]
    return "\n".join(lines)


def _table(struct: type[msgspec.Struct]) -> Iterator[str]:
    said = _sayings(struct)
    yield "| key | default | may be | |"
    yield "|---|---|---|---|"
    for field in msgspec.structs.fields(struct):
        kind = schema.describe_type(msgspec.inspect.type_info(field.type))
        yield f"| `{field.name}` | {_default(field)} | {kind} | {said.get(field.name, '')} |"


def _default(field: Any) -> str:
    if field.default is msgspec.NODEFAULT:
        return "" if field.default_factory is not msgspec.NODEFAULT else "required"
    if field.default in ("", ()):
        return ""
    return f"`{msgspec.json.encode(field.default).decode()}`"


def _sayings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The sentence under each field, which only the source has."""
    tree = ast.parse(Path(__file__).read_text("utf-8"))
    body = next(
        n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == struct.__name__
    )
    return {
        field.target.id: " ".join(said.value.value.split())
        for field, said in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant)
        if isinstance(said.value.value, str)
    }
