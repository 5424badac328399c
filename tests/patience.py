"""How long to wait on a machine that others use, too."""

import os


def patience(seconds: float) -> float:
    """So long on a machine of our own; where others compete for its processors, our share of it."""
    load: float = getattr(os, "getloadavg", lambda: (0.0,))()[0]
    return seconds * max(1.0, load / (os.cpu_count() or 1))
