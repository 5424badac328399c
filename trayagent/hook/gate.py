"""The gate: small pure refusals in the order the documentation promises.

Each judges one thing about a knock and says why it may not go on, or nothing. The first one that
speaks decides. What can only be judged while the body arrives (its true size, its slowness) is in
`body`; what its words mean, in the routes' handlers.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from typing import Final

from trayagent.hook.knock import Knock, Refusal

MAX_BODY: Final = 256 * 1024
"""Bytes of a request's body."""
CORS_HEADERS: Final = "authorization, content-type, idempotency-key, last-event-id"
"""What an extension's request may carry."""

_EXTENSION: Final = re.compile(r"(?:chrome|moz)-extension://[A-Za-z0-9-]{1,64}")
_JSON: Final = re.compile(
    r'application/json(?:\s*;\s*charset\s*=\s*"?utf-8"?)?', re.IGNORECASE | re.ASCII
)

Step = Callable[[Knock], Refusal | None]


def loopback_peer(knock: Knock) -> Refusal | None:
    """Only this machine is served, whatever the sockets are bound to."""
    if ipaddress.ip_address(knock.peer.partition("%")[0]).is_loopback:
        return None
    return Refusal(403, "not_local", "Only programs on this computer are served.")


def exact_host(knock: Knock) -> Refusal | None:
    """Host names us exactly: this alone stops DNS rebinding."""
    if len(knock.hosts) == 1 and knock.hosts[0].lower() in knock.names:
        return None
    return Refusal(421, "wrong_host", "This address does not belong to trayagent.")


def known_route(knock: Knock) -> Refusal | None:
    """The path exists and has this method."""
    if not knock.allowed:
        return Refusal(404, "not_found", "There is nothing at this address.")
    if knock.method == "OPTIONS" or knock.method in knock.allowed:
        return None
    allow = ", ".join(knock.allowed)
    return Refusal(
        405, "method_not_allowed", f"This address answers to {allow} only.", {"Allow": allow}
    )


def trusted_origin(knock: Knock) -> Refusal | None:
    """A web origin is our own page or a paired extension; pairing takes any extension, confirming only our page."""
    who = knock.route.who if knock.route else "caller"
    if len(knock.origins) > 1:
        trusted = False
    elif who == "extension":
        trusted = is_extension(knock.origin)
    elif who == "page":
        trusted = knock.origin == knock.own_origin
    else:
        trusted = (
            knock.origin is None or knock.origin == knock.own_origin or knock.origin in knock.paired
        )
    return (
        None
        if trusted
        else Refusal(403, "wrong_origin", "This page or program may not talk to trayagent.")
    )


def fetch_site(knock: Knock) -> Refusal | None:
    """No other site's page stands behind the request; a static page may be navigated to from anywhere."""
    if (
        knock.route is not None
        and knock.route.page
        and knock.fetch_dest not in ("", "document", "empty")
    ):
        return Refusal(403, "framed", "This page cannot be shown inside another one.")
    if knock.fetch_site in ("", "none", "same-origin") or is_extension(knock.origin):
        return None
    if knock.route is not None and knock.route.page and knock.fetch_mode == "navigate":
        return None
    return Refusal(403, "cross_site", "Other sites may not talk to trayagent.")


def preflight(knock: Knock) -> Refusal | None:
    """A browser asks before it sends: yes for a paired extension and a method that exists, else no."""
    if knock.method != "OPTIONS":
        return None
    route = knock.route
    if (
        route is None
        or not route.api
        or route.who in ("page", "owner")
        or knock.origin not in knock.paired
    ):
        return Refusal(403, "no_preflight", "This page or program may not talk to trayagent.")
    headers = {
        "Access-Control-Allow-Methods": route.method,
        "Access-Control-Allow-Headers": CORS_HEADERS,
        "Access-Control-Allow-Private-Network": "true",
        "Access-Control-Max-Age": "600",
    }
    return Refusal(204, headers=headers)


def patience(knock: Knock) -> Refusal | None:
    """Wrong tokens are slowed; a right one never."""
    if not _guarded(knock) or knock.token is None or knock.caller is not None or knock.wait <= 0:
        return None
    wait = str(math.ceil(knock.wait))
    return Refusal(429, "slow_down", "Too many wrong tokens; wait a minute.", {"Retry-After": wait})


def bearer(knock: Knock) -> Refusal | None:
    """A token that we know."""
    if not _guarded(knock) or knock.caller is not None:
        return None
    headers = {"WWW-Authenticate": "Bearer"}
    return Refusal(401, "unauthorized", "A valid bearer token is needed.", headers)


def bound_token(knock: Knock) -> Refusal | None:
    """An extension's token comes from its own origin; browsers leave Origin out of a plain GET only."""
    caller = knock.caller
    if not _guarded(knock) or caller is None or caller.kind == "owner":
        return None
    if knock.origin is None:
        bound = caller.kind == "session" or knock.method == "GET"
    else:
        bound = knock.origin == (caller.origin or knock.own_origin)
    return None if bound else Refusal(403, "wrong_origin", "This token belongs to another program.")


def owner_only(knock: Knock) -> Refusal | None:
    """Settings, pairing and quitting are the owner's, not an extension's."""
    if (
        knock.route is None
        or knock.route.who != "owner"
        or knock.caller is None
        or knock.caller.kind != "extension"
    ):
        return None
    return Refusal(403, "owner_only", "Only this computer's own programs may do this.")


def json_only(knock: Knock) -> Refusal | None:
    """A form cannot say `application/json`; a body that is not there needs no type."""
    if knock.method not in ("POST", "PATCH", "PUT"):
        return None
    if (
        not knock.content_types
        and not knock.has_body
        and knock.route is not None
        and knock.route.bare
    ):
        return None
    if len(knock.content_types) == 1 and _JSON.fullmatch(knock.content_types[0]):
        return None
    return Refusal(415, "not_json", "Send the body as application/json.")


def plain_body(knock: Knock) -> Refusal | None:
    """A compressed body could be far larger than it looks."""
    if all(encoding.lower() in ("", "identity") for encoding in knock.encodings):
        return None
    return Refusal(
        415, "compressed", "Send the body uncompressed.", {"Accept-Encoding": "identity"}
    )


def announced_size(knock: Knock) -> Refusal | None:
    """Too large by its own word: refused before a byte of it is read."""
    if knock.length is not None and knock.length > MAX_BODY:
        return TOO_LARGE
    return None


def expectation(knock: Knock) -> Refusal | None:
    """`100-continue` is the only thing that may be expected."""
    if knock.expects.lower() in ("", "100-continue"):
        return None
    return Refusal(417, "expectation_failed", "Only 100-continue can be expected.")


TOO_LARGE: Final = Refusal(413, "too_large", f"The body may have at most {MAX_BODY // 1024} KiB.")

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
    announced_size,
    expectation,
)
"""In the order they are asked."""


def judge(knock: Knock, gate: Sequence[Step] = GATE) -> Refusal | None:
    """The first refusal, or None: come in."""
    for step in gate:
        if (refusal := step(knock)) is not None:
            return refusal
    return None


def is_extension(origin: str | None) -> bool:
    """Whether an origin is a browser extension's."""
    return origin is not None and _EXTENSION.fullmatch(origin) is not None


def _guarded(knock: Knock) -> bool:
    return knock.route is not None and knock.route.who in ("caller", "owner")
