"""Whether this machine has any way to the internet just now; see `address_policy`."""

from __future__ import annotations

from trayagent.net.address_policy import is_offline

__all__ = ["is_offline"]
