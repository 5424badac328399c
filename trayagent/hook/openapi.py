"""OpenAPI 3.1, made from the route table and from the very types that validate."""

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
    "caller": "Any token; an extension's for what it sent itself.",
    "owner": "The machine's token or the dashboard's; not a paired extension's.",
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole interface as an OpenAPI document, ready for JSON."""
    api = [route for route in routes if route.is_api]
    types = list({str(kind): kind for route in api for kind in _types(route)}.values())
    made, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(map(str, types), made, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in api:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, schema_of, components
        )
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
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.summary,
        "description": _WHO[route.who],
        "parameters": [*_path_parameters(route), *_query_parameters(route, components)],
        "responses": {
            **{
                str(status): {
                    "description": HTTPStatus(status).phrase,
                    "content": _json(schema_of, kind),
                }
                for status, kind in (route.answers or {200: None}).items()
                if kind is not None
            },
            "default": {"description": "An error.", "content": _json(schema_of, schemas.ErrorBody)},
        },
    }
    if not route.answers:
        operation["responses"]["200"] = {"description": "OK"}
    if route.body is not None:
        body = {"required": not route.is_body_optional, "content": _json(schema_of, route.body)}
        operation["requestBody"] = body
    if route.who not in ("caller", "owner"):
        operation["security"] = []
    return operation


def _types(route: Route) -> list[Any]:
    named = (route.body, route.query, *route.answers.values(), schemas.ErrorBody)
    return [part for kind in named if kind is not None for part in _parts(kind)]


def _parts(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _json(schema_of: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    found = [schema_of[str(part)] for part in _parts(kind)]
    return {"application/json": {"schema": found[0] if len(found) == 1 else {"oneOf": found}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route, components: Mapping[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    properties = components[route.query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _name(route: Route) -> str:
    parts = re.findall(r"\w+", route.path.removeprefix("/api/v1/"))
    return "_".join([route.method.lower(), *parts])
