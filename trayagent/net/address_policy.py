"""Who may be connected to: by name before every request, by address when a connection is made."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from trayagent.model.addresses import is_literal, is_public, names_private, sounds_private
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Tells the addresses of a host that is to be asked at a port."""

_ANYWHERE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Documentation addresses (RFC 5737, RFC 3849): nothing is ever sent to them."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What the settings say about private addresses, as two questions.

    `check` asks about a host's name before every request, because a connection that is used again
    skips the connect. `admit` asks about an address that a name resolved to.

    | host                          | check                          | admit                     |
    |-------------------------------|--------------------------------|---------------------------|
    | ourselves, at a port of ours  | refused                        | refused                   |
    | in `allow`, or all is allowed | passes                         | passes                    |
    | private by its name           | only if the user named it      | passes: it passed `check` |
    | any other                     | passes                         | public addresses only     |

    Behind a proxy nothing is resolved here, so names that private networks use count as private,
    too (`sounds_private`).
    """

    network: NetworkSettings
    own_ports: Collection[int] = ()
    """Ports of our own hook: a download never talks to ourselves."""

    # Asked for every request of every list: what is true of nearly all of them comes first.

    def check(self, host: str, port: int, named: Collection[str]) -> None:
        """Raise DownloadError `blocked_address` unless this canonical host may be asked."""
        if port in self.own_ports and (
            host == "localhost" or host.endswith(".localhost") or _is_here(host)
        ):
            raise DownloadError("blocked_address", "it is this program itself")
        is_private = sounds_private(host) if self.network.proxy else names_private(host)
        if not is_private or self._is_allowed(host, port):
            return
        if self.network.private_addresses != "named" or _pair(host, port) not in named:
            raise DownloadError("blocked_address", _pair(host, port))

    def admit(self, host: str, port: int, address: str) -> None:
        """Raise DownloadError `blocked_address` if this address of `host` may not be connected to."""
        # Asked again here: a name may resolve to us, whatever it looked like.
        if port in self.own_ports and _is_here(address):
            raise DownloadError("blocked_address", "it is this program itself")
        if not (is_public(address) or names_private(host) or self._is_allowed(host, port)):
            raise DownloadError("blocked_address", _pair(host, port))

    def _is_allowed(self, host: str, port: int) -> bool:
        network = self.network
        return network.private_addresses == "allow" or (
            bool(network.allow) and _pair(host, port) in network.allow
        )


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system knows them, in the order to try. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(_address_in(sockaddr) for *_, sockaddr in found))


def _address_in(sockaddr: Sequence[object]) -> str:
    """The address with its scope, without which a link-local one leads nowhere (RFC 4007 §11)."""
    address, scope = str(sockaddr[0]), sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address


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


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_here(address: str) -> bool:
    """Whether a literal leads to this machine's loopback, directly or as "any address"."""
    if not is_literal(address.partition("%")[0]):
        return False
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    ip = mapped or ip
    return ip.is_loopback or ip.is_unspecified
