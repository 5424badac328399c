"""Places where tests make the process die at once, as a power cut would: TRAYAGENT_FAILPOINT=name."""

from __future__ import annotations

import os
from functools import cache


def failpoint(name: str) -> None:
    """Die here, without any clean-up, if the environment says so."""
    if _chosen() == name:
        os._exit(137)


@cache
def _chosen() -> str | None:
    return os.environ.get("TRAYAGENT_FAILPOINT")
