"""What the type of a source decides: how it is built, and which cookies sign it in. No other place knows the types."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from trayagent.model import urls
from trayagent.model.settings import SourceSettings
from trayagent.net.api_client import ApiClient
from trayagent.sources.api_client import SourceClient
from trayagent.sources.flow import Flow
from trayagent.sources.flow_session import FlowSession
from trayagent.sources.json_api import JsonApi
from trayagent.sources.json_origin import cookie_secrets
from trayagent.sources.pasted_cookies import NAMES
from trayagent.sources.source import SecretStore, Source


def build(
    source: SourceSettings, apis: ApiClient, secrets: SecretStore, environ: Mapping[str, str]
) -> Source:
    """The source that the settings describe; asks nobody anything yet."""
    if source.type == "json":
        return JsonApi(
            source, SourceClient(apis, frozenset({urls.authority(source.base)})), secrets
        )
    named = frozenset({urls.authority(source.labs_base), urls.authority(source.media_base)})
    client = SourceClient(apis, named)
    session = FlowSession(
        source.name,
        client,
        secrets,
        labs_base=source.labs_base,
        api_key=source.api_key,
        environ=environ,
    )
    return Flow(
        source.name,
        client,
        session,
        secrets,
        labs_base=source.labs_base,
        media_base=source.media_base,
        page_delay=source.page_delay,
    )


class CookieWish(Struct, frozen=True):
    """The cookies of a browser that sign a source in; a long one may come in parts, `name.0`, `name.1`, …"""

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
