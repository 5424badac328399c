"""Where Wine's Windows does other than a real one, the bench does as the real one would.

It lies in the library of the bench's Python, so that every process of it, also one that a test starts, has it.
"""

import os
import sys
from typing import Any


def refuse_stream(event: str, arguments: tuple[Any, ...]) -> None:
    """Alternate streams: Wine would make a file with a colon in its name. FAT has none either, and refuses."""
    if event != "open" or not isinstance(arguments[0], str):
        return
    path = arguments[0].replace("/", "\\")
    if ":" in path[2:].rpartition("\\")[2]:
        raise OSError(22, "The filename syntax is incorrect", path, 123)


def refuse_link(source: Any, target: Any, *_: Any, **__: Any) -> None:
    """Symbolic links: Wine would make nothing and say that it did. Windows lets few users make one."""
    raise OSError(22, "A required privilege is not held by the client", source, 1314, target)


if sys.platform == "win32":
    import _winapi

    create_process = _winapi.CreateProcess
    INTERNAL_ERROR = 1359

    def begin_process(*arguments: Any) -> Any:
        """A process: once in thousands Wine's dies as it begins, with no reason but an internal error."""
        for _ in range(3):
            try:
                return create_process(*arguments)
            except OSError as error:
                if error.winerror != INTERNAL_ERROR:
                    raise
        return create_process(*arguments)

    setattr(_winapi, "CreateProcess", begin_process)  # noqa: B010

# Compiled modules are kept beside the bench: without them a start takes Wine three times as long, and
# in the checkout those of two systems would be in each other's way.
sys.pycache_prefix = sys.base_prefix + r"\bytecode"
sys.addaudithook(refuse_stream)
setattr(os, "symlink", refuse_link)  # noqa: B010 - mypy would compare every argument
