"""Requests for every step of the gate: what is wrong with each, and what it must be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from trayagent.hook.gate import RequestFacts
from trayagent.hook.routing import MOST_BODY_BYTES, Route
from trayagent.hook.server import ROUTES
from trayagent.model.access import Caller

PORT = 17830
HOST = f"127.0.0.1:{PORT}"
NAMES = frozenset({HOST, f"localhost:{PORT}", f"localhost.:{PORT}", f"[::1]:{PORT}"})
PAIRED = "chrome-extension://abcdefghijklmnop"
OTHER = "moz-extension://11111111-2222-3333-4444-555555555555"
OWNER = Caller("local", "owner")
DASHBOARD = Caller("s1", "session")
EXTENSION = Caller("c1", "extension", PAIRED)


def route(method: str, pattern: str) -> Route:
    """The real route."""
    return next(r for r in ROUTES if (r.method, r.path) == (method, pattern))


ADD = route("POST", "/api/v1/downloads")
LIST = route("GET", "/api/v1/downloads")
CONFIRM = route("POST", "/api/v1/confirm")
PAIR = route("POST", "/api/v1/pair")
HELLO = route("POST", "/api/v1/hello")
QUIT = route("POST", "/api/v1/quit")
SEND = route("GET", "/send")
HEALTH = route("GET", "/api/v1/health")
JSONRPC = route("POST", "/jsonrpc")
SOCKET = route("GET", "/jsonrpc")
METUBE = route("POST", "/metube/{secret}/add")
LISTED = "http://127.0.0.1:8090"

GOOD = RequestFacts(
    peer="127.0.0.1",
    host_names=NAMES,
    method="POST",
    path="/api/v1/downloads",
    route=ADD,
    allowed_methods=("POST", "GET"),
    hosts=(HOST,),
    paired_origins=frozenset({PAIRED}),
    token="right",
    caller=OWNER,
    content_types=("application/json",),
    content_length=40,
)
"""The command line adding an item: nothing is wrong with it."""


@dataclass(frozen=True)
class GateCase:
    """One thing changed about a good facts; `step` must speak up with `status`, or nobody if it is None."""

    name: str
    step: str | None
    status: int | None
    facts: RequestFacts


def case(name: str, step: str | None, status: int | None, /, **changes: Any) -> GateCase:
    return GateCase(name, step, status, replace(GOOD, **changes))


def _get(path_route: Route, **changes: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "route": path_route,
        "allowed_methods": ("GET",),
        "content_types": (),
        "content_length": None,
        **changes,
    }


def _page(**changes: Any) -> dict[str, Any]:
    return _get(SEND, token=None, caller=None, **changes)


def _preflight(origin: str | None, asked: Route | None = ADD) -> dict[str, Any]:
    return {
        "method": "OPTIONS",
        "route": asked,
        "origins": (origin,) if origin else (),
        "token": None,
        "caller": None,
        "content_types": (),
        "content_length": None,
    }


def _ask(base: dict[str, Any], origin: str) -> dict[str, Any]:
    return {**base, "method": "OPTIONS", "origins": (origin,), "content_length": None}


def _from(origin: str, *more: str) -> dict[str, Any]:
    return {"origins": (origin, *more)}


NO_TOKEN: dict[str, Any] = {"token": None, "caller": None}
WRONG_TOKEN: dict[str, Any] = {"token": "wrong", "caller": None}

# An aria2 client: its secret is in the body, its type whatever it likes.
ARIA2: dict[str, Any] = {
    "path": "/jsonrpc",
    "route": JSONRPC,
    "allowed_methods": ("POST", "GET"),
    "content_types": (),
    "listed_origins": frozenset({LISTED}),
    **NO_TOKEN,
}
HANDSHAKE: dict[str, Any] = {
    **ARIA2,
    "method": "GET",
    "route": SOCKET,
    "content_length": None,
    "is_handshake": True,
}

CASES = [
    case("the command line", None, None),
    case("IPv6 loopback", None, None, peer="::1", hosts=(f"[::1]:{PORT}",)),
    case("a neighbour on the network", "loopback_peer", 403, peer="192.168.1.7"),
    case("a public address", "loopback_peer", 403, peer="203.0.113.9"),
    case("a link-local address", "loopback_peer", 403, peer="fe80::1%eth0"),
    # Host
    *(
        case(f"Host {host!r}", "exact_host", 421, hosts=(host,))
        for host in (
            "evil.com",
            f"evil.com:{PORT}",
            "127.0.0.1.evil.com",
            "127.0.0.1@evil.com",
            f"127.0.0.1:{PORT}@evil.com",
            "localhost.evil.com",
            f"0.0.0.0:{PORT}",
            f"[::]:{PORT}",
            "127.0.0.1:9",
            "127.0.0.1",
            "localhost",
            f"localhost6:{PORT}",
            f"192.168.1.7:{PORT}",
            f"127.0.0.2:{PORT}",
            f"127.1:{PORT}",
            f"2130706433:{PORT}",
            "",
            f"{HOST} ",
            f"{HOST},evil.com",
        )
    ),
    case("no Host", "exact_host", 421, hosts=()),
    case("two Hosts", "exact_host", 421, hosts=(HOST, HOST)),
    *(
        case(f"Host {host!r}", None, None, hosts=(host,))
        for host in (f"LOCALHOST:{PORT}", f"localhost.:{PORT}", f"[::1]:{PORT}", HOST)
    ),
    # Methods
    case("no such path", "known_route", 404, path="/nope", route=None, allowed_methods=()),
    *(
        case(f"method {method}", "known_route", 405, method=method, route=None)
        for method in ("HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "FOO")
    ),
    # Origin
    *(
        case(f"Origin {origin}", "trusted_origin", 403, **_from(origin))
        for origin in (
            "https://evil.com",
            "null",
            "http://127.0.0.1:9",
            f"https://{HOST}",
            f"http://localhost:{PORT}",
            f"http://localhost:{PORT}.evil.com",
            f"http://{HOST}.evil.com",
            f"http://{HOST}/",
            "http://127.0.0.1",
            "chrome-extension://otherid",
            OTHER,
            f"{PAIRED}x",
            "",
        )
    ),
    case(
        "two Origins, both fine", "trusted_origin", 403, **_from(f"http://{HOST}", f"http://{HOST}")
    ),
    case("our own page", None, None, caller=DASHBOARD, **_from(f"http://{HOST}")),
    case(
        "our own page by another name",
        None,
        None,
        caller=DASHBOARD,
        hosts=(f"localhost:{PORT}",),
        **_from(f"http://localhost:{PORT}"),
    ),
    case("a paired extension", None, None, caller=EXTENSION, **_from(PAIRED)),
    case("confirming without Origin", "trusted_origin", 403, route=CONFIRM, **NO_TOKEN),
    case(
        "confirming from an extension",
        "trusted_origin",
        403,
        route=CONFIRM,
        **NO_TOKEN,
        **_from(PAIRED),
    ),
    case(
        "confirming from elsewhere",
        "trusted_origin",
        403,
        route=CONFIRM,
        **NO_TOKEN,
        **_from("https://evil.com"),
    ),
    case(
        "confirming from our page", None, None, route=CONFIRM, **NO_TOKEN, **_from(f"http://{HOST}")
    ),
    case(
        "pairing from a web page",
        "trusted_origin",
        403,
        route=PAIR,
        **NO_TOKEN,
        **_from("https://evil.com"),
    ),
    case(
        "pairing from our page",
        "trusted_origin",
        403,
        route=PAIR,
        **NO_TOKEN,
        **_from(f"http://{HOST}"),
    ),
    case("pairing from nowhere", "trusted_origin", 403, route=PAIR, **NO_TOKEN),
    case("pairing from any extension", None, None, route=PAIR, **NO_TOKEN, **_from(OTHER)),
    case("hello from a paired extension", None, None, route=HELLO, **NO_TOKEN, **_from(PAIRED)),
    case(
        "hello from another extension",
        "trusted_origin",
        403,
        route=HELLO,
        **NO_TOKEN,
        **_from(OTHER),
    ),
    # Sec-Fetch
    case("another site without Origin", "fetch_site", 403, fetch_site="cross-site"),
    case("another port without Origin", "fetch_site", 403, fetch_site="same-site"),
    case("an unknown Sec-Fetch-Site", "fetch_site", 403, fetch_site="whatever"),
    case("two Sec-Fetch-Sites", "fetch_site", 403, fetch_site="none,cross-site"),
    case(
        "a navigation to the API",
        "fetch_site",
        403,
        **_get(HEALTH, fetch_site="cross-site", fetch_mode="navigate", fetch_dest="document"),
    ),
    case(
        "an extension, cross-site",
        None,
        None,
        caller=EXTENSION,
        fetch_site="cross-site",
        **_from(PAIRED),
    ),
    case(
        "an extension's GET in Chromium",
        None,
        None,
        **_get(LIST, caller=EXTENSION, fetch_site="none"),
    ),
    case(
        "a link to the confirm page",
        None,
        None,
        **_page(fetch_site="cross-site", fetch_mode="navigate", fetch_dest="document"),
    ),
    case(
        "the confirm page in a frame",
        "fetch_site",
        403,
        **_page(fetch_site="cross-site", fetch_mode="navigate", fetch_dest="iframe"),
    ),
    case(
        "our page in our frame",
        "fetch_site",
        403,
        **_page(fetch_site="same-origin", fetch_mode="navigate", fetch_dest="frame"),
    ),
    case(
        "the confirm page fetched",
        "fetch_site",
        403,
        **_page(fetch_site="cross-site", fetch_mode="no-cors", fetch_dest="empty"),
    ),
    case(
        "the confirm page as a picture",
        "fetch_site",
        403,
        **_page(fetch_site="cross-site", fetch_mode="no-cors", fetch_dest="image"),
    ),
    case(
        "the confirm page typed in", None, None, **_page(fetch_site="none", fetch_dest="document")
    ),
    # Preflight
    case("a paired extension asks", "preflight", 204, **_preflight(PAIRED)),
    case("another extension asks", "trusted_origin", 403, **_preflight(OTHER)),
    case("a site asks", "trusted_origin", 403, **_preflight("https://evil.com")),
    case("null asks", "trusted_origin", 403, **_preflight("null")),
    case("nobody asks", "preflight", 403, **_preflight(None)),
    case("our own page asks", "preflight", 403, **_preflight(f"http://{HOST}")),
    case(
        "an extension asks for a method there is not", "preflight", 403, **_preflight(PAIRED, None)
    ),
    case("an extension asks to quit", "preflight", 403, **_preflight(PAIRED, QUIT)),
    case("an extension asks for a page", "preflight", 403, **_preflight(PAIRED, SEND)),
    # Tokens
    case("no token", "bearer", 401, **NO_TOKEN),
    case("a wrong token", "bearer", 401, **WRONG_TOKEN),
    case("no token for a list", "bearer", 401, **_get(LIST, **NO_TOKEN)),
    case("one wrong token too many", "patience", 429, penalty_seconds=30.0, **WRONG_TOKEN),
    case("a right token after wrong ones", None, None, penalty_seconds=30.0),
    case("no token after wrong ones", "bearer", 401, penalty_seconds=30.0, **NO_TOKEN),
    case("health needs none", None, None, **_get(HEALTH, **NO_TOKEN)),
    case(
        "an extension's token elsewhere",
        "bound_token",
        403,
        caller=EXTENSION,
        **_from(f"http://{HOST}"),
    ),
    case("an extension's token without Origin", "bound_token", 403, caller=EXTENSION),
    case(
        "an extension's token in another paired one",
        "bound_token",
        403,
        caller=EXTENSION,
        paired_origins=frozenset({PAIRED, OTHER}),
        **_from(OTHER),
    ),
    case(
        "the dashboard's token in an extension",
        "bound_token",
        403,
        caller=DASHBOARD,
        **_from(PAIRED),
    ),
    case(
        "the dashboard's token in our page", None, None, caller=DASHBOARD, **_from(f"http://{HOST}")
    ),
    case("an extension quits us", "owner_only", 403, route=QUIT, caller=EXTENSION, **_from(PAIRED)),
    case("the owner quits us", None, None, route=QUIT),
    case("quitting without a body", None, None, route=QUIT, content_types=(), content_length=None),
    # Bodies
    *(
        case(f"a body of type {kind}", "json_only", 415, content_types=(kind,))
        for kind in (
            "text/plain",
            "text/plain;application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "application/jsonx",
            "text/json",
            "",
        )
    ),
    case("no type", "json_only", 415, content_types=()),
    case(
        "no type and no body for an item", "json_only", 415, content_types=(), content_length=None
    ),
    case("an action with a body of no type", "json_only", 415, route=QUIT, content_types=()),
    case(
        "an action with an endless body of no type",
        "json_only",
        415,
        route=QUIT,
        content_types=(),
        content_length=None,
        transfer_codings=("chunked",),
    ),
    case("the type twice", "json_only", 415, content_types=("application/json",) * 2),
    case("a charset that is fine", None, None, content_types=("Application/JSON; charset=UTF-8",)),
    case("gzip", "plain_body", 415, encodings=("gzip",)),
    case("identity and br", "plain_body", 415, encodings=("identity", "br")),
    case("identity", None, None, encodings=("identity",)),
    case("chunks", None, None, content_length=None, transfer_codings=("Chunked",)),
    *(
        case(f"sent as {codings}", "known_framing", 501, transfer_codings=codings)
        for codings in (
            ("gzip, chunked",),
            ("gzip", "chunked"),
            ("chunked", "chunked"),
            ("identity",),
            ("",),
        )
    ),
    case("just small enough", None, None, content_length=MOST_BODY_BYTES),
    case("a byte too large", "announced_size", 413, content_length=MOST_BODY_BYTES + 1),
    case("absurdly large", "announced_size", 413, content_length=10**12),
    case("expecting miracles", "expectation", 417, expect="200-ok"),
    case("expecting to go on", None, None, expect="100-continue"),
    # Foreign programs: their routes judge the secret
    case("an aria2 client", None, None, **ARIA2),
    case("an aria2 client with a type", None, None, **{**ARIA2, "content_types": ("text/plain",)}),
    case("an aria2 client from elsewhere", "loopback_peer", 403, peer="192.168.1.7", **ARIA2),
    case("an aria2 client by another name", "exact_host", 421, hosts=("evil.com",), **ARIA2),
    *(
        case(f"{what} from {origin}", None, None, **base, **_from(origin))
        for what, base in (("aria2", ARIA2), ("a socket", HANDSHAKE))
        for origin in (PAIRED, OTHER, LISTED, f"http://{HOST}")
    ),
    *(
        case(f"{what} from {origin}", "trusted_origin", 403, **base, **_from(origin))
        for what, base in (
            ("aria2", ARIA2),
            ("a socket", HANDSHAKE),
            ("MeTube", {**ARIA2, "route": METUBE}),
        )
        for origin in (
            "https://evil.com",
            "null",
            "http://127.0.0.1:9",
            "file://",
            f"{LISTED}1",
            "",
        )
    ),
    case("a listed page, same-site", None, None, fetch_site="same-site", **ARIA2, **_from(LISTED)),
    case("a page without Origin", "fetch_site", 403, fetch_site="cross-site", **ARIA2),
    case("a socket", None, None, **HANDSHAKE),
    case("a GET that is no handshake", "known_route", 405, **{**HANDSHAKE, "is_handshake": False}),
    case("any extension asks before it sends", "preflight", 204, **_ask(ARIA2, OTHER)),
    case("a listed page asks", "preflight", 204, **_ask(ARIA2, LISTED)),
    case("a site asks for aria2", "trusted_origin", 403, **_ask(ARIA2, "https://evil.com")),
    case("a long message", None, None, **{**ARIA2, "content_length": 2 << 20}),
    case("too long a message", "announced_size", 413, **{**ARIA2, "content_length": (2 << 20) + 1}),
    case(
        "too much for MeTube",
        "announced_size",
        413,
        **{**ARIA2, "route": METUBE, "content_length": MOST_BODY_BYTES + 1},
    ),
]
