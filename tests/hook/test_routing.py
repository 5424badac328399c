"""A route is declared above its handler, and found by its path."""

from __future__ import annotations

from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes, RouteTable
from trayagent.hook.server import ROUTES

routes = Routes()


@routes.add("GET", "/api/v1/things/{id}", who="caller", answers={200: dict})
async def get_thing(request: HookRequest) -> Reply:
    """One thing.

    More is for the reader of the code.
    """
    return Reply(200)


@routes.add("DELETE", "/api/v1/things/{id}", who="owner")
async def remove_thing(request: HookRequest) -> Reply:
    """Forget a thing."""
    return Reply(200)


@routes.add("GET", "/api/v1/things/all", who="owner")
async def list_things(request: HookRequest) -> Reply:
    """All things."""
    return Reply(200)


TABLE = RouteTable(list(routes))


def test_the_first_line_of_the_docstring_is_the_line_of_the_docs() -> None:
    assert [route.summary for route in routes] == ["One thing.", "Forget a thing.", "All things."]


def test_every_route_has_a_line_for_the_docs() -> None:
    assert [route for route in ROUTES if not route.summary.endswith(".")] == []


def test_a_path_leads_to_its_methods_and_decoded_parameters() -> None:
    methods, params = TABLE.find("/api/v1/things/a%2Fb%20c")

    assert {name: route.handler for name, route in methods.items()} == {
        "GET": get_thing,
        "DELETE": remove_thing,
    }
    assert params == {"id": "a/b c"}


def test_an_exact_path_wins_over_a_parameter() -> None:
    methods, params = TABLE.find("/api/v1/things/all")

    assert {name: route.handler for name, route in methods.items()} == {"GET": list_things}
    assert params == {}


def test_a_parameter_is_one_segment_of_bounded_length() -> None:
    for path in ("/api/v1/things/", "/api/v1/things/a/b", f"/api/v1/things/{'x' * 1025}", "/api"):
        assert TABLE.find(path) == ({}, {})
