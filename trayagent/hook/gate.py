"""The gate: what a request is judged by, and fifteen small pure refusals in the documented order.

`RequestFacts.of` collects all that matters of a request's head, and what we know of its sender.
Each step looks at one thing in these facts and returns a refusal, or None. The first refusal is the
answer. What shows only while the body arrives (its true size, its time) is refused in `server`;
what the body means, by the route's handler.

The docstrings of the steps are the section "The gate" of docs/http.md.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from trayagent.hook.connections import connection_of
from trayagent.hook.routing import MOST_BODY_BYTES, Route, RouteTable
from trayagent.model.access import EXTENSION_ORIGIN, Caller

if TYPE_CHECKING:
    from aiohttp import web

    from trayagent.agent.access import Clients

CORS_HEADERS: Final = "authorization, content-type, idempotency-key, last-event-id"
"""The headers that an extension's request may carry."""

_SLASHES: Final = re.compile(r"/+")
_JSON: Final = re.compile(
    r'application/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?', re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request's head, and what we know about its sender. Header values come in the order sent.

    A header that must not come twice is a tuple of all its values: which of two a browser meant and
    which one we would read need not be the same.
    """

    peer: str
    """The address of the other end."""
    host_names: frozenset[str]
    """The values that Host may have."""
    method: str
    path: str = field(repr=False)
    """As sent, without the query. MeTube's clients have their secret in it."""
    route: Route | None = None
    """The route of this method and path; for OPTIONS, of the method that is asked about."""
    params: dict[str, str] = field(default_factory=dict, repr=False)
    """The parameters in the path, decoded."""
    allowed_methods: tuple[str, ...] = ()
    """The methods of this path; empty when there is no such path."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    fetch_dest: str = ""
    paired_origins: frozenset[str] = frozenset()
    """Origins of paired extensions."""
    listed_origins: frozenset[str] = frozenset()
    """Pages that the user lets ask as foreign programs do."""
    is_handshake: bool = False
    """Whether the request asks for a WebSocket."""
    token: str | None = field(default=None, repr=False)
    """The bearer token of the request."""
    caller: Caller | None = None
    """The owner of the token; None when we do not know the token."""
    penalty_seconds: float = 0.0
    """Wrong tokens have to wait so long now."""
    content_types: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    content_length: int | None = None
    transfer_codings: tuple[str, ...] = ()
    expect: str = ""

    @classmethod
    def of(
        cls,
        request: web.BaseRequest,
        *,
        host_names: frozenset[str],
        routes: RouteTable,
        clients: Clients,
        listed_origins: frozenset[str] = frozenset(),
    ) -> RequestFacts:
        """Collect the facts of a request, before a byte of its body is read."""
        headers = request.headers
        path = request.raw_path.partition("?")[0]
        # MeTube's clients put a slash between an address that ends in one and their own.
        is_metube = path.startswith("/metube/")
        methods, params = routes.find(_SLASHES.sub("/", path) if is_metube else path)
        method = request.method
        if method == "OPTIONS":  # a preflight asks about another method
            method = headers.get("Access-Control-Request-Method", "")
        authorizations = headers.getall("Authorization", [])
        # Two tokens are none: nobody who means well sends two.
        authorization = authorizations[0] if len(authorizations) == 1 else ""
        scheme, _, token = authorization.partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        # The parser has trimmed a space after Host; with it back, the name is not ours.
        space = " " if connection_of(request).has_spaced_host else ""
        return cls(
            peer=peer[0] if peer else "0.0.0.0",  # noqa: S104 - the client is gone: to be refused
            host_names=host_names,
            method=request.method,
            path=path,
            route=methods.get(method),
            params=params,
            allowed_methods=tuple(methods),
            hosts=tuple(host + space for host in headers.getall("Host", [])),
            origins=tuple(headers.getall("Origin", [])),
            fetch_site=",".join(headers.getall("Sec-Fetch-Site", [])),
            fetch_mode=headers.get("Sec-Fetch-Mode", ""),
            fetch_dest=headers.get("Sec-Fetch-Dest", ""),
            paired_origins=clients.origins,
            listed_origins=listed_origins,
            is_handshake=headers.get("Upgrade", "").lower() == "websocket",
            token=token or None,
            caller=clients.recognise(token) if token else None,
            penalty_seconds=clients.guesses.wait_seconds,
            content_types=tuple(headers.getall("Content-Type", [])),
            encodings=tuple(headers.getall("Content-Encoding", [])),
            content_length=request.content_length,
            transfer_codings=tuple(headers.getall("Transfer-Encoding", [])),
            expect=headers.get("Expect", ""),
        )

    @property
    def origin(self) -> str | None:
        """The one Origin, if any."""
        return self.origins[0] if len(self.origins) == 1 else None

    @property
    def own_origin(self) -> str:
        """The origin of our own pages, as this request names us."""
        return f"http://{self.hosts[0].lower()}" if self.hosts else ""

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return bool(self.transfer_codings) or bool(self.content_length)

    @property
    def has_known_framing(self) -> bool:
        """Whether the body ends where its length or its chunks say, and not as some other coding has it."""
        return not self.transfer_codings or (
            len(self.transfer_codings) == 1 and self.transfer_codings[0].lower() == "chunked"
        )

    @property
    def needs_token(self) -> bool:
        """Whether the route is for those who have a token."""
        return self.route is not None and self.route.who in ("caller", "owner")

    @property
    def is_foreign(self) -> bool:
        """Whether the route is for foreign programs, which bring their secret in their own way."""
        return self.route is not None and self.route.who == "foreign"

    @property
    def may_read(self) -> bool:
        """Whether the page or extension behind the request may read its answer."""
        if self.is_foreign:
            return is_extension(self.origin) or self.origin in self.listed_origins
        return self.origin is not None and self.origin in self.paired_origins


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further, and what it is told. Nothing of the request is in it."""

    status: int
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    action: str = ""
    """The next step, for those who asked for something possible in principle."""


Step = Callable[[RequestFacts], Refusal | None]


def loopback_peer(facts: RequestFacts) -> Refusal | None:
    """Only this machine is served, whatever the sockets are bound to."""
    # A second wall: a proxy or a change of ours could open the sockets to the network one day.
    if ipaddress.ip_address(facts.peer.partition("%")[0]).is_loopback:
        return None
    return Refusal(403, "not_local", "Only programs on this computer are served.")


def exact_host(facts: RequestFacts) -> Refusal | None:
    """Host names us exactly: this alone stops DNS rebinding."""
    if len(facts.hosts) == 1 and facts.hosts[0].lower() in facts.host_names:
        return None
    return Refusal(421, "wrong_host", "This address does not belong to trayagent.")


def known_route(facts: RequestFacts) -> Refusal | None:
    """The path exists and has this method."""
    if not facts.allowed_methods:
        return Refusal(404, "not_found", "There is nothing at this address.")
    # A GET that is no handshake would put a foreign program's secret into the address.
    is_bare = facts.route is not None and facts.route.is_socket and not facts.is_handshake
    if facts.method == "OPTIONS" or (facts.method in facts.allowed_methods and not is_bare):
        return None
    allow = ", ".join(
        method for method in facts.allowed_methods if not (is_bare and method == "GET")
    )
    return Refusal(
        405, "method_not_allowed", f"This address answers to {allow} only.", {"Allow": allow}
    )


def trusted_origin(facts: RequestFacts) -> Refusal | None:
    """A web origin is our own page or a paired extension; pairing takes any extension, confirming only our page.

    Foreign programs: any extension, and pages that the user has listed.
    """
    # Browsers send Origin with every POST, and no page can leave it out or change it:
    #
    # 1. two Origins            no browser sends them: no
    # 2. pairing                any extension: the one-time code says which one is meant
    # 3. confirming             our own page, for there is no token that could tell it from others
    # 4. foreign programs       any extension, our own page, what the user has listed, or no Origin (a
    #                           program); its secret is still asked for. `null` is every sandboxed frame
    # 5. anything else          no Origin (a program, or a plain GET), our own page, a paired extension;
    #                           the token is still asked for
    who = facts.route.who if facts.route else "caller"
    if len(facts.origins) > 1:
        trusted = False
    elif who == "extension":
        trusted = is_extension(facts.origin)
    elif who == "page":
        trusted = facts.origin == facts.own_origin
    elif who == "foreign":
        trusted = facts.origin is None or facts.origin == facts.own_origin or facts.may_read
    else:
        trusted = (
            facts.origin is None
            or facts.origin == facts.own_origin
            or facts.origin in facts.paired_origins
        )
    if trusted:
        return None
    return Refusal(403, "wrong_origin", "This page or program may not talk to trayagent.")


def fetch_site(facts: RequestFacts) -> Refusal | None:
    """No other site's page stands behind the request; a static page may be navigated to from anywhere."""
    if (
        facts.route is not None
        and facts.route.is_page
        and facts.fetch_dest not in ("", "document", "empty")
    ):
        return Refusal(403, "framed", "This page cannot be shown inside another one.")
    # Empty: a program, or an old browser. None: typed in, or a bookmark. Browsers disagree about what
    # an extension is; its Origin has been judged above.
    if facts.fetch_site in ("", "none", "same-origin") or is_extension(facts.origin):
        return None
    if facts.is_foreign and facts.may_read:  # a page that the user has listed
        return None
    if facts.route is not None and facts.route.is_page and facts.fetch_mode == "navigate":
        return None
    return Refusal(403, "cross_site", "Other sites may not talk to trayagent.")


def preflight(facts: RequestFacts) -> Refusal | None:
    """A browser asks before it sends: yes for who may read the answer and a method that exists, else no."""
    if facts.method != "OPTIONS":
        return None
    # Our own page needs no preflight, so whoever asks is an extension, or a site that tries.
    route = facts.route
    is_answered = route is not None and (
        facts.is_foreign or (route.is_api and route.who not in ("page", "owner"))
    )
    if route is None or not is_answered or not facts.may_read:
        return Refusal(403, "no_preflight", "This page or program may not talk to trayagent.")
    headers = {
        "Access-Control-Allow-Methods": route.method,
        "Access-Control-Allow-Headers": CORS_HEADERS,
        "Access-Control-Allow-Private-Network": "true",  # asked by older Chromium
        "Access-Control-Max-Age": "600",
    }
    return Refusal(204, headers=headers)


def patience(facts: RequestFacts) -> Refusal | None:
    """Wrong tokens are slowed; a right one never."""
    if (
        not facts.needs_token
        or facts.token is None
        or facts.caller is not None
        or facts.penalty_seconds <= 0
    ):
        return None
    # Judged after the token: a program that guesses must not lock out those who know theirs.
    wait = str(math.ceil(facts.penalty_seconds))
    return Refusal(429, "slow_down", "Too many wrong tokens; wait a minute.", {"Retry-After": wait})


def bearer(facts: RequestFacts) -> Refusal | None:
    """A token that we know."""
    if not facts.needs_token or facts.caller is not None:
        return None
    headers = {"WWW-Authenticate": "Bearer"}
    return Refusal(401, "unauthorized", "A valid bearer token is needed.", headers)


def bound_token(facts: RequestFacts) -> Refusal | None:
    """An extension's token comes from its own origin; browsers leave Origin out of a plain GET only."""
    caller = facts.caller
    if not facts.needs_token or caller is None or caller.kind == "owner":
        return None
    # A token that leaked is of no use to another extension or page. The machine's own token is not
    # bound: programs send no Origin. A page cannot leave Origin out of what it sends to another
    # site, so a dashboard's token without Origin comes from no page but our own.
    if facts.origin is None:
        bound = caller.kind == "session" or facts.method == "GET"
    else:
        bound = facts.origin == (caller.origin or facts.own_origin)
    return None if bound else Refusal(403, "wrong_origin", "This token belongs to another program.")


def owner_only(facts: RequestFacts) -> Refusal | None:
    """Settings, pairing and quitting are the owner's, not an extension's."""
    # An extension reads every page: a site that takes it over must not get further than its own
    # downloads.
    if (
        facts.route is None
        or facts.route.who != "owner"
        or facts.caller is None
        or facts.caller.kind != "extension"
    ):
        return None
    return Refusal(403, "owner_only", "Only this computer's own programs may do this.")


def json_only(facts: RequestFacts) -> Refusal | None:
    """A form cannot say `application/json`; a body that is not there needs no type; foreign programs name any."""
    # This type needs a preflight, which a form or another site's script does not get. Foreign programs
    # send what they like: there, Origin and the secret are what keeps pages out.
    if facts.is_foreign or facts.method not in ("POST", "PATCH", "PUT"):
        return None
    if (
        not facts.content_types
        and not facts.has_body
        and facts.route is not None
        and facts.route.is_body_optional
    ):
        return None
    if len(facts.content_types) == 1 and _JSON.fullmatch(facts.content_types[0]):
        return None
    return Refusal(415, "not_json", "Send the body as application/json.")


def plain_body(facts: RequestFacts) -> Refusal | None:
    """A compressed body could be far larger than it looks."""
    if all(encoding.lower() in ("", "identity") for encoding in facts.encodings):
        return None
    return Refusal(
        415, "compressed", "Send the body uncompressed.", {"Accept-Encoding": "identity"}
    )


def known_framing(facts: RequestFacts) -> Refusal | None:
    """The body is sent as it is, or in chunks: no other transfer coding is read (RFC 9112 §6.1)."""
    # aiohttp takes any list that ends in `chunked` for chunks: the codings before it would stay on.
    if facts.has_known_framing:
        return None
    return Refusal(501, "unknown_coding", "Send the body with a Content-Length, or in chunks.")


def announced_size(facts: RequestFacts) -> Refusal | None:
    """Too large by its own word: refused before a byte of it is read."""
    # A chunked body has no such word; `server.read_body` counts it.
    most = facts.route.most_bytes if facts.route is not None else MOST_BODY_BYTES
    if facts.content_length is not None and facts.content_length > most:
        return too_large(most)
    return None


def expectation(facts: RequestFacts) -> Refusal | None:
    """`100-continue` is the only thing that may be expected."""
    if facts.expect.lower() in ("", "100-continue"):
        return None
    return Refusal(417, "expectation_failed", "Only 100-continue can be expected.")


def too_large(most_bytes: int) -> Refusal:
    """The refusal of a body that has more bytes."""
    return Refusal(413, "too_large", f"The body may have at most {most_bytes // 1024} KiB.")


GATE: Final[tuple[Step, ...]] = (
    loopback_peer,
    exact_host,
    known_route,
    trusted_origin,
    fetch_site,
    preflight,
    patience,
    bearer,
    bound_token,
    owner_only,
    json_only,
    plain_body,
    known_framing,
    announced_size,
    expectation,
)
"""In the order they are asked."""


def judge(facts: RequestFacts, gate: Sequence[Step] = GATE) -> Refusal | None:
    """The first refusal, or None when the request may go on."""
    for step in gate:
        if (refusal := step(facts)) is not None:
            return refusal
    return None


def is_extension(origin: str | None) -> bool:
    """Whether an origin is a browser extension's."""
    return origin is not None and EXTENSION_ORIGIN.fullmatch(origin) is not None
