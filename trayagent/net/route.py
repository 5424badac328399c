"""Whether this machine has any way to the internet just now."""

from __future__ import annotations

import socket
from typing import Final

from trayagent.model.addresses import names_private

_ANYWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Documentation addresses (RFC 5737, RFC 3849): nothing is ever sent to them."""


def is_offline(host: str) -> bool:
    """Whether a public `host:port` is out of reach because there is no route to anywhere.

    Connecting a datagram socket asks the routing table and sends nothing.
    """
    if names_private(host.rpartition(":")[0]):
        return False
    return not any(_has_route(family, address) for family, address in _ANYWHERE)


def _has_route(family: int, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
    except OSError:
        return False
    return True
