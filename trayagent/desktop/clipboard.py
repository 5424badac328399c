"""The text on the clipboard, whatever the desktop; empty when there is none or it cannot be read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

WITHIN: Final = 2.0
"""Seconds: the program that owns the clipboard may be stuck."""

LIMIT: Final = 1 << 20
"""Characters; a clipboard with more holds no addresses that a person copied."""


def read() -> str:
    """The clipboard's text. May take up to `WITHIN` seconds: not for a loop."""
    if sys.platform == "win32":
        from trayagent.desktop.clipboard_win32 import read_clipboard

        return read_clipboard()[:LIMIT]
    if sys.platform == "darwin":
        return _said(["pbpaste"])
    if os.environ.get("WAYLAND_DISPLAY") and shutil.which("wl-paste"):
        return _said(["wl-paste", "--no-newline", "--type", "text"])
    from trayagent.desktop.clipboard_x11 import read_clipboard

    return read_clipboard(WITHIN)[:LIMIT]


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=WITHIN, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")[:LIMIT] if done.returncode == 0 else ""
