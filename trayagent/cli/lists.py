"""Lists that are named on the command line: read by the same dialects as in the drop folder."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from trayagent.cli.exits import MisuseError
from trayagent.lists import DIALECTS, START, ListEntry, ListError, dialect_for


def read_list(name: str) -> Iterator[ListEntry]:
    """The entries of a list file; `-` is plain text on standard input. Raises MisuseError."""
    dialect = dialect_for("stdin.txt" if name == "-" else name)
    if dialect is None:
        endings = ", ".join(f".{ending}" for dialect in DIALECTS for ending in dialect.endings)
        raise MisuseError(f"{name} does not end like a list.", f"Lists end in {endings}.")
    # All of standard input is read first: dialects go back in their file to look at it.
    try:
        with io.BytesIO(sys.stdin.buffer.read()) if name == "-" else Path(name).open("rb") as file:
            yield from dialect.read(file, START)
    except ListError as error:
        raise MisuseError(f"{name} cannot be read as a list: {error}") from error
    except OSError as error:
        raise MisuseError(f"{name} cannot be read: {error.strerror}.") from error
