"""Who may be connected to: the `named` rule by name on every hop, and by address at connect time."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult

from trayagent.model.addresses import is_literal, is_public, names_private, sounds_private
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError


def nothing() -> Collection[int]:
    """No ports of our own."""
    return ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say about private addresses, as two questions.

    `check` asks about a host's name before every request, because a pooled connection skips the
    connect. `admit` asks about the addresses a name resolved to. A host that sounds private passes
    `admit` because it has passed `check`; a public name must lead to public addresses only.
    """

    network: Network
    own_ports: Callable[[], Collection[int]] = nothing
    """Ports of our own hook: a download never talks to ourselves."""

    def check(self, host: str, port: int, named: Collection[str]) -> None:
        """Raise DownloadError `blocked_address` unless this canonical host may be asked."""
        if port in self.own_ports() and (
            host == "localhost" or host.endswith(".localhost") or _is_here(host)
        ):
            raise DownloadError("blocked_address", "it is this program itself")
        if self._trusts(host, port):
            return
        private = sounds_private(host) if self.network.proxy else names_private(host)
        if private and not (
            self.network.private_addresses == "named" and _pair(host, port) in named
        ):
            raise DownloadError("blocked_address", _pair(host, port))

    def admit(self, host: str, port: int, addresses: Collection[str]) -> None:
        """Raise DownloadError `blocked_address` if one address of `host` may not be connected to."""
        if port in self.own_ports() and any(_is_here(address) for address in addresses):
            raise DownloadError("blocked_address", "it is this program itself")
        if self._trusts(host, port) or names_private(host):
            return
        if not all(is_public(address) for address in addresses):
            raise DownloadError("blocked_address", _pair(host, port))

    def _trusts(self, host: str, port: int) -> bool:
        return self.network.private_addresses == "allow" or _pair(host, port) in self.network.allow


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


class CheckedResolver(AbstractResolver):
    """Resolves names and refuses them when an address is not admitted.

    The connector connects to exactly the addresses returned here, so a name that answers
    differently the second time gains nothing.
    """

    def __init__(
        self, inner: AbstractResolver, policy: Policy, proxy: tuple[str, int] | None
    ) -> None:
        self._inner = inner
        self._policy = policy
        self._proxy = proxy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        if (host, port) != self._proxy:
            self._policy.admit(host, port, [result["host"] for result in results])
        return results

    async def close(self) -> None:
        await self._inner.close()
