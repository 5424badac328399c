"""Routes as data: the gate judges 404 and 405 by them, OpenAPI and docs/http.md are made from them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import unquote

if TYPE_CHECKING:
    from aiohttp import web

    from trayagent.hook.request import HookRequest, Reply

MOST_BODY_BYTES: Final = 256 * 1024
"""More of a request is not read, where its route says nothing else."""

Who = Literal["anyone", "page", "extension", "foreign", "caller", "owner"]
"""Who may use a route:

anyone      no token
page        no token, but the Origin of our own pages
extension   no token, but the Origin of any browser extension
foreign     a foreign program or any browser extension; its secret is in the body or the path, so the
            route itself judges it (see `hook.foreign`)
caller      any token; an extension's is for what that extension sent itself
owner       the machine's token or a dashboard's, not an extension's
"""

Handler = Callable[["HookRequest"], Awaitable["Reply | web.StreamResponse"]]
_Handler = TypeVar("_Handler", bound=Handler)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, who may use it, and the types of what goes in and out."""

    method: str
    path: str
    """A segment in braces is a parameter."""
    handler: Handler = field(repr=False)
    who: Who
    body: Any = None
    """The type of the JSON body; None when the route takes no body."""
    is_body_optional: bool = False
    query: Any = None
    """The type of the query."""
    answers: Mapping[int, Any] = field(default_factory=dict)
    """Status -> type of the JSON answer."""
    is_page: bool = False
    """A static page changes nothing, so a link on any site may lead to it."""
    is_socket: bool = False
    """Answers WebSocket handshakes; any other GET is told that there is none."""
    most_bytes: int = MOST_BODY_BYTES
    """More of a body is not read."""

    @property
    def is_api(self) -> bool:
        """Whether the route belongs to the JSON interface."""
        return self.path.startswith("/api/")

    @property
    def summary(self) -> str:
        """The line about this route in OpenAPI and docs/http.md: its handler's docstring begins with it."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]


class Routes:
    """The routes of one file: `@routes.add(...)` above each handler, in the order of the docs."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def add(  # noqa: PLR0913 - the fields of a route
        self,
        method: str,
        path: str,
        *,
        who: Who,
        body: Any = None,
        is_body_optional: bool = False,
        query: Any = None,
        answers: Mapping[int, Any] | None = None,
        is_page: bool = False,
        is_socket: bool = False,
        most_bytes: int = MOST_BODY_BYTES,
    ) -> Callable[[_Handler], _Handler]:
        """Declare the route of the handler below; the fields are those of `Route`."""

        def declare(handler: _Handler) -> _Handler:
            self._routes.append(
                Route(
                    method,
                    path,
                    handler,
                    who,
                    body,
                    is_body_optional,
                    query,
                    answers or {},
                    is_page,
                    is_socket,
                    most_bytes,
                )
            )
            return handler

        return declare

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def __repr__(self) -> str:
        return f"<Routes: {len(self._routes)}>"


class RouteTable:
    """Finds the routes of a path: by its text, or else by trying the few patterns in order."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if "{" in route.path:
                # Bounded, since a parameter may end in a log or a query.
                pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]{1,1024})", re.escape(route.path))
                self._patterns.append((re.compile(pattern), route))
            else:
                self._exact.setdefault(route.path, {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes of a path by method, and its decoded parameters; both empty when there is none."""
        # Most paths have no parameter: for them no pattern is tried.
        if path in self._exact:
            return self._exact[path], {}
        # Each method of a path is a route of its own, with the same parameters.
        found: dict[str, Route] = {}
        values: dict[str, str] = {}
        for pattern, route in self._patterns:
            if (match := pattern.fullmatch(path)) is not None:
                found.setdefault(route.method, route)
                values = values or {
                    name: unquote(value) for name, value in match.groupdict().items()
                }
        return found, values
