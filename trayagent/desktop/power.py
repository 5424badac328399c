"""Sending this computer to sleep, or shutting it down, the way its system does."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

from trayagent.model.errors import TrayagentError
from trayagent.model.status import Plan

# A system that asks its programs first may take a while before the command returns.
COMMAND_SECONDS: Final = 30.0
COMMANDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "linux": {"sleep": ("systemctl", "suspend"), "shutdown": ("systemctl", "poweroff")},
    "darwin": {
        "sleep": ("pmset", "sleepnow"),
        "shutdown": ("osascript", "-e", 'tell application "System Events" to shut down'),
    },
    "win32": {
        "sleep": ("rundll32.exe", "powrprof.dll,SetSuspendState", "0,1,0"),
        "shutdown": ("shutdown", "/s", "/t", "0"),
    },
}
"""By system; the desktop's own session ends programs with their questions, none is forced."""


def carry_out(plan: Plan) -> None:
    """Sleep or shut down. Raises TrayagentError when the system does not let us."""
    command = COMMANDS.get(sys.platform, COMMANDS["linux"]).get(plan)
    if command is None:
        return
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        what = "sleep" if plan == "sleep" else "shut down"
        raise TrayagentError(
            "no_power",
            f"This computer would not {what}.",
            f"It was asked with: {' '.join(command)}",
        ) from error
