"""Which cookies a browser may hand over for a source: those of its own site that are its session."""

from __future__ import annotations

from msgspec import Struct

from trayagent.model import urls
from trayagent.model.settings import SourceSettings
from trayagent.sources.json_origin import cookie_secrets
from trayagent.sources.pasted_cookies import NAMES


class CookieWish(Struct, frozen=True):
    """The cookies that sign a source in; a long one may come in parts, `name.0`, `name.1`, …"""

    source: str
    site: str
    """The address to which a browser would send them."""
    cookies: tuple[str, ...]
    """Their names."""


def cookie_wish(source: SourceSettings) -> CookieWish | None:
    """What this source wants from a browser; None for one that signs in without cookies."""
    is_flow = source.type == "flow"
    names = NAMES if is_flow else tuple(cookie_secrets(source.auth.get("headers", {})))
    if not names:
        return None
    site = source.labs_base if is_flow else source.base
    scheme, host, port = urls.origin(site)
    return CookieWish(source.name, f"{scheme}://{host}:{port}/", names)
