"""How long to wait on a machine that others use, too."""

import os


def patience(seconds: float) -> float:
    """So long on a machine of our own; where others compete for its processors, our share of it."""
    if not hasattr(os, "getloadavg"):
        return seconds * 3  # Windows does not tell how many compete
    load: float = os.getloadavg()[0]
    return seconds * max(1.0, load / (os.cpu_count() or 1))
