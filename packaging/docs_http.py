"""docs/http.md, made from the route table, the gate and the types that validate."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any

import msgspec

from trayagent.hook.gate import GATE
from trayagent.hook.routing import MOST_BODY_BYTES, Route
from trayagent.hook.server import ROUTES
from trayagent.model.downloads import Download, Item

WHO = {
    "anyone": "anyone here",
    "page": "our own page",
    "extension": "any extension, with a code",
    "foreign": "a foreign program, with its secret",
    "caller": "any token",
    "owner": "owner",
}
WORDS = {
    "string": "text",
    "integer": "whole number",
    "object": "{name: text}",
    "boolean": "`true` or `false`",
}
EVENTS = """
download.queued .named .started .progress .completed .failed .requeued .paused .resumed .cancelled .removed
batch.queued batch.finished sync.started .progress .finished verify.progress .finished
queue.paused queue.resumed source.changed speed.changed done.changed notice reset
"""

START = """
The agent listens on 127.0.0.1 (and ::1), port 17830 or one of the next nine; `runtime.json` in its home
says which. Everything is JSON under `/api/v1`; the whole interface as OpenAPI 3.1 is at `/api/v1/openapi.json`.
This machine's own programs read their token from the file `token` in the same folder:

```sh
AGENT=$(python3 -c "import json; print(json.load(open('$TRAYAGENT_HOME/runtime.json'))['url'])")
TOKEN=$(cat "$TRAYAGENT_HOME/token")
```

(Without `TRAYAGENT_HOME`, `trayagent config path` names the folder.)

## The daily four

One video. 202 means: it is on the disk of the queue, whatever happens next.

```sh
curl -sf "$AGENT/api/v1/downloads" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -d '{"url": "http://127.0.0.1:9/film.mp4", "filename": "film.mp4"}'
```

Several, as a batch. Bad ones are listed under `rejected` and do not block good ones.

```sh
curl -sf "$AGENT/api/v1/downloads" -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -H "Idempotency-Key: holiday-1" \\
  -d '{"items": [{"url": "http://127.0.0.1:9/1.mp4"}, {"url": "http://127.0.0.1:9/2.mp4"}]}'
```

How it is going.

```sh
curl -sf "$AGENT/api/v1/status" -H "Authorization: Bearer $TOKEN"
```

Events as they happen (here for one second).

```sh
curl -sN --max-time 1 "$AGENT/api/v1/events" -H "Authorization: Bearer $TOKEN" || test $? = 28
```

Who knew trayagent's predecessor finds its four channels here: `downloadVideo` is `POST downloads`,
`downloadMultipleVideos` a batch, `downloadStatus` is `GET status`, `downloadProgress` is `GET events`.

An `Idempotency-Key` is remembered for 24 hours: the same key and body answer 200 with the same ids, another body 409.
"""

ERRORS = """
`{"error": {"code", "message"}}`, sometimes with an `action`: the next step. 400 is no JSON, 422 JSON that means
nothing here (the message names the place), 404 no such thing, 409 not in this state, 503 the database cannot save now.
Nothing accepted of a `POST downloads` is 422 with the receipt. Why a download failed: [errors.md](errors.md).
"""


def interface() -> str:
    """docs/http.md."""
    return "\n".join(
        [
            "# The HTTP interface",
            "<!-- Made by packaging/docs.py from the code: change it there. -->",
            START,
            "## Routes",
            "",
            "| | | who |",
            "|---|---|---|",
            *_routes(),
            "",
            "Owner: the machine's token or the dashboard's, not a paired extension's. A body in brackets",
            "may be left out.",
            "",
            "## An item",
            "",
            *_fields(Item),
            "",
            "Unknown keys, and a key given twice, are refused. A cookie without a `domain` is for the host of the",
            "item's own `url` alone; one with a leading dot is for its subdomains, too. Cookies know no ports.",
            "A completed or cancelled download keeps its `referer` and `page_url` without their queries.",
            "",
            "## A download",
            "",
            *_fields(Download),
            "",
            "## Events",
            "",
            "Server-sent events: `event:` is one of these, `data:` its JSON. After a break, `Last-Event-ID`",
            "goes on where you were; `reset` says that too much has happened since: read the state again.",
            "Progress is not repeated. A file that is here within a quarter of a second has no",
            "`download.named`: `download.completed` tells its name.",
            "",
            ", ".join(f"`{name}`" for name in _events()),
            "",
            "## Errors",
            ERRORS,
            "## The gate",
            "",
            "A connection from a program of another user of this machine is answered 403 (`other_user`) before",
            "a byte of it is read, where the system can tell; `trayagent doctor` says whether it can. Every request",
            "passes these, in this order; the first refusal is the answer, and repeats nothing of the request.",
            "",
            *_gate(),
            "",
            f"Then the body is read: at most {MOST_BODY_BYTES // 1024} KiB (413) in 10 seconds (408). A head has",
            "10 seconds, too, and a silent connection 15; of connections that only wait, the oldest makes",
            "room beyond 64.",
            "",
        ]
    )


def _routes() -> Iterator[str]:
    for route in ROUTES:
        yield f"| `{route.method} {_path(route)}`{_takes(route)} | {route.summary} | {WHO[route.who]} |"


def _path(route: Route) -> str:
    return route.path.removeprefix("/api/v1/") + (_query(route) if route.query else "")


def _query(route: Route) -> str:
    return "?" + "&".join(f"{field.encode_name}=" for field in msgspec.structs.fields(route.query))


def _takes(route: Route) -> str:
    kinds = typing.get_args(route.body) if isinstance(route.body, UnionType) else [route.body]
    bodies = [_body(kind) for kind in kinds if _is_struct(kind) and kind.__struct_fields__]
    body = " or ".join(bodies)
    return (f" [{body}]" if route.is_body_optional else f" {body}") if body else ""


def _body(kind: Any) -> str:
    if kind is Item:
        return "an item"
    return (
        "`{" + ", ".join(f'"{field.encode_name}"' for field in msgspec.structs.fields(kind)) + "}`"
    )


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields(kind: type[msgspec.Struct]) -> Iterable[str]:
    schema = msgspec.json.schema(kind)["$defs"]
    yield "| key | value | |"
    yield "|---|---|---|"
    for name, value in schema[kind.__name__]["properties"].items():
        default = value.get("default")
        note = "" if default in (None, "", [], {}, ()) else f"else `{str(default).lower()}`"
        if name in schema[kind.__name__].get("required", []) and kind is Item:
            note = "required"
        yield f"| `{name}` | {_kind(value, schema)} | {note} |"


def _kind(value: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        if "enum" in schema[name]:
            return " ".join(f"`{choice}`" for choice in schema[name]["enum"])
        return "{" + ", ".join(schema[name]["properties"]) + "}"
    if "anyOf" in value:
        return " or ".join(_kind(one, schema) for one in value["anyOf"])
    if "enum" in value:
        return " ".join(f"`{choice}`" for choice in value["enum"])
    if value["type"] == "array":
        return f"list of {_kind(value['items'], schema)}"
    bounds = (
        f" {value['minimum']}–{value['maximum']}"
        if "maximum" in value and "minimum" in value
        else ""
    )
    return WORDS.get(value["type"], str(value["type"])) + bounds


def _events() -> Iterator[str]:
    group = ""
    for word in EVENTS.split():
        group = group if word.startswith(".") else word.partition(".")[0]
        yield group + word if word.startswith(".") else word


def _gate() -> Iterator[str]:
    for number, step in enumerate(GATE, 1):
        title = step.__name__.replace("_", " ")
        first = re.split(r"\n\s*\n", step.__doc__ or "")[0]
        yield f"{number}. **{title}**: {' '.join(first.split())}"
