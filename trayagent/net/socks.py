"""What the SOCKS extra is asked for: connections that a SOCKS proxy makes, and resolves the names of."""

from __future__ import annotations

import importlib
from typing import Any, Final

import aiohttp

from trayagent.model.errors import ConfigError

ADVICE: Final = "install what a SOCKS proxy needs with: pip install 'trayagent[socks]'"


def connector(proxy: str) -> aiohttp.BaseConnector:
    """For aiohttp. Raises ConfigError when the extra is missing."""
    try:
        package = importlib.import_module("aiohttp_socks")
    except ImportError as error:
        raise ConfigError([f"network.proxy: {ADVICE}"]) from error
    made: aiohttp.BaseConnector = _told(
        package.ProxyConnector, proxy, limit=0, keepalive_timeout=30
    )
    return made


def _told(kind: Any, proxy: str, **more: Any) -> Any:
    """Names are the proxy's to resolve, also in version 4: ours would go unchecked, and be overheard."""
    return kind.from_url(proxy.replace("socks5h:", "socks5:", 1), rdns=True, **more)
