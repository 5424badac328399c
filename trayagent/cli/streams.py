"""The three standard streams are always there for whoever reads or prints."""

import os
import sys
from typing import Final

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


def complete() -> None:
    """Give each stream that was closed before we started (Windows without a console has none) nowhere for its place."""
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as we live
            # It got the closed one's number, the lowest that was free: no database can be opened
            # under it any more, and programs that we start find it there, too.
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
