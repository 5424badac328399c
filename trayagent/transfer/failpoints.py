"""Places where tests make the process die at once, as a power cut would: TRAYAGENT_FAILPOINT=name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

_CHOSEN: Final = os.environ.get("TRAYAGENT_FAILPOINT")


def _die_at(name: str) -> None:
    """Die here, without any clean-up, if this is the place that was named."""
    if name == _CHOSEN:
        os._exit(137)


failpoint: Final[Callable[[str], object]] = len if _CHOSEN is None else _die_at
"""Called at each such place; where none is named it does nothing, as quickly as can be."""
