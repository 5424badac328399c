"""Our HTTP client, the only one: own redirect hops, address checks, cookies and cool-downs."""

from __future__ import annotations

import ssl
from typing import Any


def _load_nothing(*_: Any, **__: Any) -> None: ...


# aiohttp loads the system's certificates into two TLS contexts when it is imported. Without that
# every start is 40 ms shorter. Nobody uses those contexts: `Wire` makes its own when the first https
# URL comes; and whoever did would trust nobody.
_load = ssl.SSLContext.load_default_certs
try:
    ssl.SSLContext.load_default_certs = _load_nothing  # type: ignore[method-assign]
    ssl.SSLContext.set_default_verify_paths = _load_nothing  # type: ignore[method-assign]
    import aiohttp  # noqa: F401
finally:
    ssl.SSLContext.load_default_certs = _load  # type: ignore[method-assign]
    del ssl.SSLContext.set_default_verify_paths  # it belongs to the class below
