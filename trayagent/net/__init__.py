"""Our HTTP client, the only one: own redirect hops, address checks, cookies and cool-downs."""

from __future__ import annotations

import ssl
from typing import Any


def _load_nothing(*_: Any, **__: Any) -> None: ...


def _import_aiohttp() -> None:
    """Import aiohttp without the certificates that it would load into two TLS contexts meanwhile.

    That saves 40 ms of every start. Nobody uses those contexts: `Client` makes its own when the first
    https URL comes; and whoever did would trust nobody.
    """
    load = ssl.SSLContext.load_default_certs
    ssl.SSLContext.load_default_certs = _load_nothing  # type: ignore[method-assign]
    ssl.SSLContext.set_default_verify_paths = _load_nothing  # type: ignore[method-assign]
    try:
        import aiohttp  # noqa: F401
    finally:
        ssl.SSLContext.load_default_certs = load  # type: ignore[method-assign]
        del ssl.SSLContext.set_default_verify_paths  # it belongs to the class below


_import_aiohttp()
