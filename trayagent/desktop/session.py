"""This user's session: the entry that starts us with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trayagent.desktop.autostart import Autostart, LaunchAgent, XdgAutostart, our_command


def autostart() -> Autostart:
    """The entry of this system for this program."""
    command = our_command(sys.executable, os.environ)
    if sys.platform == "win32":
        from trayagent.desktop.autostart_win32 import RunKey

        return RunKey(command)
    if sys.platform == "darwin":
        return LaunchAgent(Path.home() / "Library" / "LaunchAgents", command)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return XdgAutostart(config / "autostart", command)
