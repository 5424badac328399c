"""A folder, chosen in the desktop's own dialog."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from trayagent.model.errors import TrayagentError

DIALOG_SECONDS: Final = 300.0
"""A dialog that was forgotten is closed."""
_START: Final = "TRAYAGENT_START"
"""The folder travels in the environment: in a script its name would have to be quoted."""
_WINDOWS: Final = (
    "Add-Type -AssemblyName System.Windows.Forms;"
    " $d = New-Object System.Windows.Forms.FolderBrowserDialog;"
    f" $d.SelectedPath = $env:{_START};"
    " $w = New-Object System.Windows.Forms.Form -Property @{TopMost = $true};"
    " [Console]::OutputEncoding = [Text.Encoding]::UTF8;"
    " if ($d.ShowDialog($w) -eq 'OK') { $d.SelectedPath }"
)
_MACOS: Final = (
    f'POSIX path of (choose folder default location (POSIX file (system attribute "{_START}")))'
)
_open: Final = threading.Lock()


def choose(start: Path) -> Path | None:
    """Ask the person, for some minutes at most; None: none was chosen.

    Raises TrayagentError when this desktop has no such dialog, or one is open already.
    """
    # The nearest folder that exists: some dialogs open nowhere else.
    shown = next((path for path in (start, *start.parents) if path.is_dir()), Path.home())
    command = command_of(shown, os.environ, sys.platform)
    if command is None:
        raise TrayagentError(
            "no_dialog",
            "There is no program here that shows folders to choose from.",
            "Type the folder's path; on Linux, zenity or kdialog would show them.",
        )
    if not _open.acquire(blocking=False):
        raise TrayagentError(
            "dialog_open", "A dialog for a folder is open already.", "Look for it."
        )
    try:
        done = subprocess.run(
            command,
            env={**os.environ, _START: str(shown)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DIALOG_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    finally:
        _open.release()
    # A person who closes the dialog chooses nothing: it ends with an error, or prints nothing.
    chosen = done.stdout.decode(errors="surrogateescape").strip("\r\n")
    return Path(chosen) if done.returncode == 0 and chosen else None


def command_of(start: Path, environ: Mapping[str, str], system: str) -> Sequence[str] | None:
    """The command that asks, by what is installed; None: nothing that could."""
    if system == "win32":
        # `-STA`: the dialogs of Windows Forms work in a thread of that kind only.
        return ("powershell", "-NoProfile", "-STA", "-Command", _WINDOWS)
    if system == "darwin":
        return ("osascript", "-e", _MACOS)
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return None
    path = environ.get("PATH")
    # The dialog of this desktop comes first; that of another is better than none.
    if shutil.which("kdialog", path=path) and "KDE" in environ.get("XDG_CURRENT_DESKTOP", ""):
        return ("kdialog", "--getexistingdirectory", str(start))
    if shutil.which("zenity", path=path):
        return ("zenity", "--file-selection", "--directory", f"--filename={start}/")
    if shutil.which("kdialog", path=path):
        return ("kdialog", "--getexistingdirectory", str(start))
    return None
