"""The routes as data: what 404 and 405 are judged by, what OpenAPI and the docs are made from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

if TYPE_CHECKING:
    from aiohttp import web

    from trayagent.hook.call import Call, Reply

Who = Literal["anyone", "page", "extension", "caller", "owner"]
"""`anyone`: no token; `page`: our own page, no token; `extension`: any extension, no token;
`caller`: a token, an extension's for what it sent itself; `owner`: the machine's token or the
dashboard's, not an extension's."""

Handler = Callable[["Call"], Awaitable["Reply | web.StreamResponse"]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, who may use it, and what it takes and gives."""

    method: str
    pattern: str
    """A segment in braces is a parameter; `{name*}` takes the rest of the path."""
    handler: Handler = field(repr=False)
    who: Who
    says: str
    """One line for the docs."""
    takes: Any = None
    """The type of the JSON body; None: it has none."""
    bare: bool = False
    """The body may be left out."""
    query: Any = None
    """The type of the query."""
    gives: Mapping[int, Any] = field(default_factory=dict)
    """Status -> type of the JSON answer."""
    page: bool = False
    """A static page: top-level navigations may come from anywhere, since they do nothing."""

    @property
    def api(self) -> bool:
        """Whether this is part of the JSON interface."""
        return self.pattern.startswith("/api/")


class Table:
    """Finds the route for a path; small enough to look through in order."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, list[Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], Route]] = []
        for route in routes:
            if "{" in route.pattern:
                self._patterns.append((_compile(route.pattern), route))
            else:
                self._exact.setdefault(route.pattern, []).append(route)

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """The routes of a path by method, and its decoded parameters; both empty when there is none."""
        if path in self._exact:
            return {route.method: route for route in self._exact[path]}, {}
        found: dict[str, Route] = {}
        values: dict[str, str] = {}
        for pattern, route in self._patterns:
            if (match := pattern.fullmatch(path)) is not None:
                found.setdefault(route.method, route)
                values = values or {
                    name: unquote(value) for name, value in match.groupdict().items()
                }
        return found, values


def _compile(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+\*?)\}", pattern)
    text = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            text += re.escape(part)
        elif part.endswith("*"):
            text += f"(?P<{part[:-1]}>.{{1,1024}})"
        else:
            text += f"(?P<{part}>[^/]{{1,1024}})"
    return re.compile(text)
