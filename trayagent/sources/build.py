"""Making a source out of its settings."""

from __future__ import annotations

from collections.abc import Mapping

from trayagent.model import config, urls
from trayagent.net.api_client import ApiClient
from trayagent.sources.flow import Flow
from trayagent.sources.flow_session import Session
from trayagent.sources.json_api import JsonApi
from trayagent.sources.source import Secrets, Source
from trayagent.sources.web import Web


def build(
    source: config.Source, client: ApiClient, secrets: Secrets, environ: Mapping[str, str]
) -> Source:
    """The source that the settings describe; asks nobody anything yet."""
    if source.type == "json":
        return JsonApi(source, Web(client, frozenset({urls.authority(source.base)})), secrets)
    named = frozenset({urls.authority(source.labs_base), urls.authority(source.media_base)})
    web = Web(client, named)
    session = Session(
        source.name,
        web,
        secrets,
        labs_base=source.labs_base,
        api_key=source.api_key,
        environ=environ,
    )
    return Flow(
        source.name,
        web,
        session,
        secrets,
        labs_base=source.labs_base,
        media_base=source.media_base,
        page_delay=source.page_delay,
    )
