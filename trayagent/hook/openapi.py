"""OpenAPI 3.1, made from the routes and from the very types that validate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import UnionType
from typing import Any, Final, get_args

import msgspec

from trayagent.hook import schemas
from trayagent.hook.routing import Route

_REF: Final = "#/components/schemas/{name}"
_WHO: Final = {
    "anyone": "No token.",
    "page": "No token; our own page only.",
    "extension": "No token; from a browser extension's origin only.",
    "foreign": "No token; a foreign program's secret is in its body or path.",
    "caller": "Any token; an extension's for what it sent itself.",
    "owner": "The machine's token or the dashboard's; not a paired extension's.",
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole interface as an OpenAPI document, ready for JSON."""
    api = [route for route in routes if route.is_api]
    # msgspec takes all types at once, so that each schema stands in the components once. Its answers
    # come in the order of the types; a type with parameters has no name to find it by but its text.
    named: list[Any] = [schemas.ErrorBody]
    for route in api:
        named += [route.body, route.query, *route.answers.values()]
    types = list(
        {str(part): part for kind in named if kind is not None for part in _parts(kind)}.values()
    )
    made, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(map(str, types), made, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in api:
        operation = _operation(route, schema_of, components)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "trayagent",
            "version": version,
            "description": "The local HTTP interface. Served on loopback only; Host must name it exactly.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    route: Route, schema_of: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    name = "_".join(
        [route.method.lower(), *re.findall(r"\w+", route.path.removeprefix("/api/v1/"))]
    )
    parameters = [
        {"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}
        for parameter in re.findall(r"\{(\w+)\}", route.path)
    ]
    if route.query is not None:
        properties = components[route.query.__name__]["properties"]
        parameters += [
            {"name": key, "in": "query", "schema": schema} for key, schema in properties.items()
        ]
    # A picture or a stream has no JSON type: it is an answer all the same.
    responses: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _json(schema_of, kind)}
        for status, kind in route.answers.items()
    } or {"200": {"description": "OK"}}
    # Every route may be refused by the gate, so every one has this answer.
    responses["default"] = {
        "description": "An error.",
        "content": _json(schema_of, schemas.ErrorBody),
    }
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "description": _WHO[route.who],
        "parameters": parameters,
        "responses": responses,
    }
    if route.body is not None:
        body = {"required": not route.is_body_optional, "content": _json(schema_of, route.body)}
        operation["requestBody"] = body
    if route.who not in ("caller", "owner"):
        operation["security"] = []
    return operation


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _json(schema_of: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    found = [schema_of[str(part)] for part in _parts(kind)]
    return {"application/json": {"schema": found[0] if len(found) == 1 else {"oneOf": found}}}
