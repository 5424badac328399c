"""Makes a source out of its settings: the only place that knows which types there are."""

from __future__ import annotations

from collections.abc import Mapping

from trayagent.model import urls
from trayagent.model.settings import SourceSettings
from trayagent.net.api_client import ApiClient
from trayagent.sources.api_client import SourceClient
from trayagent.sources.flow import Flow
from trayagent.sources.flow_session import FlowSession
from trayagent.sources.json_api import JsonApi
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
