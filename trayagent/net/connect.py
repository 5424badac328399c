"""The resolver that aiohttp's connector gets: it refuses names whose addresses are not admitted."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from trayagent.net.address_policy import AddressPolicy as Policy
from trayagent.net.address_policy import no_ports as nothing

__all__ = ["CheckedResolver", "Policy", "nothing"]


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
