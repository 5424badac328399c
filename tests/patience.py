"""How long to wait on a machine that others use, too."""

import os
from pathlib import Path

WINE_LOAD = Path("Z:/proc/loadavg")
"""Wine shows the disk of the Linux below it."""
WINDOWS_FACTOR = 3.0


def patience(seconds: float) -> float:
    """So long on a machine of our own; where others compete for its processors, our share of it."""
    share = max(1.0, load() / (os.cpu_count() or 1))
    return seconds * share * (WINDOWS_FACTOR if os.name == "nt" else 1)


def load() -> float:
    """How many compete for the processors; 0: a real Windows does not tell."""
    if hasattr(os, "getloadavg"):
        told: float = os.getloadavg()[0]
        return told
    try:
        return float(WINE_LOAD.read_text().split()[0])
    except OSError:
        return 0.0
