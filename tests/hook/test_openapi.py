"""The OpenAPI document is made from the types that validate, covers every route, and changes only on purpose.

To accept a change: python -m tests.hook.test_openapi
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.hook.rig import Rig
from trayagent.hook.openapi import document
from trayagent.hook.server import ROUTES

SNAPSHOT = Path(__file__).with_name("snapshots") / "openapi.json"
CONTRACT = """
GET /health; POST /downloads; GET /downloads; GET /downloads/{id}; DELETE /downloads/{id}; POST /downloads/{id}/pause;
POST /downloads/{id}/resume; POST /downloads/{id}/cancel; POST /downloads/{id}/retry; PATCH /downloads/{id};
POST /pause; POST /resume; GET /status; GET /events; GET /batches; GET /batches/{id}; POST /batches/{id}/undo;
GET /sources; GET /sources/{name}; GET /sources/{name}/items; POST /sources/{name}/sync; POST /sources/{name}/download;
GET /sources/{name}/items/{id}/thumbnail; GET /config; PATCH /config; POST /confirm; POST /pair; POST /hello;
POST /sessions; POST /sessions/ask; GET /clients; DELETE /clients/{id}; POST /verify; GET /verify;
GET /openapi.json; POST /quit
"""
NO_TOKEN = {
    "GET /health",
    "POST /confirm",
    "POST /pair",
    "POST /hello",
    "POST /sessions",
    "POST /sessions/ask",
}


def made() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(json.dumps(document(ROUTES, "0.0.0")))
    return loaded


def references(value: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(value)))


def test_the_document_is_as_it_was() -> None:
    assert made() == json.loads(SNAPSHOT.read_text()), (
        "run python -m tests.hook.test_openapi if this is meant"
    )


def test_every_promised_route_is_there_and_needs_a_token_as_promised() -> None:
    promised = {" ".join(line.split()) for line in CONTRACT.split(";")}
    routes = {f"{r.method} {r.path.removeprefix('/api/v1')}": r for r in ROUTES if r.is_api}

    assert promised <= set(routes)
    assert {name for name, r in routes.items() if r.who not in {"caller", "owner"}} == NO_TOKEN


def test_no_get_takes_a_body_and_no_route_is_there_twice() -> None:
    assert [r for r in ROUTES if r.method == "GET" and r.body is not None] == []
    assert len({(r.method, r.path) for r in ROUTES}) == len(ROUTES)


def test_all_references_lead_somewhere_and_nothing_is_left_over() -> None:
    document = made()
    schemas = document["components"]["schemas"]
    used = references(document["paths"]) | references(schemas)
    queries = {r.query.__name__ for r in ROUTES if r.query is not None}

    assert used - set(schemas) == set()
    assert set(schemas) - used - queries == set()


def test_items_are_closed_and_say_what_they_need() -> None:
    item = made()["components"]["schemas"]["Item"]

    assert item["required"] == ["url"]
    assert item["additionalProperties"] is False


async def test_the_hook_serves_it(rig: Rig) -> None:
    answer = await rig.ask("GET", "openapi.json")

    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["paths"] == made()["paths"]


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(made(), indent=1, sort_keys=True) + "\n")
