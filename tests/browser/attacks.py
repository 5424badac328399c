"""Everything a hostile page can try against a program on this machine, as one function for the page."""

from pathlib import Path
from typing import Final

BATTERY: Final = Path(__file__).with_suffix(".js").read_text(encoding="utf-8").partition("\n")[2]
"""Takes {base, sockets, known}, `known` being more paths with bodies.

Answers the statuses it could read and the sockets that opened."""
