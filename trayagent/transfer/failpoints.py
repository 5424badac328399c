"""Places where tests make the process die at once, as a power cut would: TRAYAGENT_FAILPOINT=name."""

from __future__ import annotations

import os


def failpoint(name: str) -> None:
    """Die here, without any clean-up, if the environment says so."""
    if os.environ.get("TRAYAGENT_FAILPOINT") == name:
        os._exit(137)
