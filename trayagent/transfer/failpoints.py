"""Places where tests make the process die at once, as a power cut would: TRAYAGENT_FAILPOINT=name."""

from __future__ import annotations

import os
from typing import Final

_CHOSEN: Final = os.environ.get("TRAYAGENT_FAILPOINT")


def failpoint(name: str) -> None:
    """Die here, without any clean-up, if the environment says so."""
    if name == _CHOSEN:
        os._exit(137)
