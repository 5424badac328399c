"""The mark that a file came from elsewhere, as each system knows it; never with a query string."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from trayagent.model.urls import redact


def mark(path: str | Path | int, url: str) -> None:
    """Mark a downloaded file where the file system can keep it; failing is no harm. Blocking.

    A file without a name, which only Linux has, is given by its descriptor.
    """
    try:
        if sys.platform == "win32":
            # As bytes: a text file would write its line ends as \r\r\n, which nobody reads.
            Path(f"{path}:Zone.Identifier").write_bytes(zone_identifier(url).encode())
        elif sys.platform == "darwin":
            value = quarantine(time.time())
            library = ctypes.CDLL(None, use_errno=True)
            library.setxattr(
                os.fsencode(str(path)), b"com.apple.quarantine", value, len(value), 0, 0
            )
        else:
            follows = isinstance(path, int)  # for a descriptor Python takes no word about links
            os.setxattr(path, "user.xdg.origin.url", redact(url).encode(), follow_symlinks=follows)
    except (OSError, ValueError, AttributeError):
        return


def zone_identifier(url: str) -> str:
    """The Windows alternate stream that makes programs ask before they run the file."""
    return f"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl={redact(url)}\r\n"


def quarantine(now: float) -> bytes:
    """The value of macOS' com.apple.quarantine; `now` in Unix seconds."""
    return f"0081;{int(now):08x};trayagent;".encode()
