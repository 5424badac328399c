"""Open files, folders and addresses the way this desktop does. These calls may take a few seconds."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Final

from trayagent.model.errors import TrayagentError
from trayagent.model.filenames import RUNNABLE

FILE_MANAGER_SECONDS: Final = 5.0
"""A file manager has to answer."""

START_FAILS_SECONDS: Final = 1.0
"""Seconds in which a starter fails, if it fails; later it is the viewer itself, running."""


def open_file(path: Path | str) -> None:
    """Open a file with its program; what could run is shown in its folder instead.

    Raises TrayagentError when it is gone, or when the desktop cannot open it.
    """
    file = Path(path).absolute()
    if not file.is_file():
        raise _file_is_gone(file)
    # A download that is a program must not start with one click on its name.
    if can_run(file):
        open_folder(file)
    else:
        _hand_over(str(file))


def open_folder(path: Path | str) -> None:
    """Open a folder, or the folder of a file with the file selected.

    A file that is gone opens the folder it was in. Raises TrayagentError like `open_file`.
    """
    place = Path(path).absolute()
    if place.is_dir():
        _hand_over(str(place))
    elif place.exists():
        # Its folder, with the file selected in it.
        if sys.platform == "win32":
            # Explorer has its own idea of quoting; a Windows path holds no quotation mark.
            subprocess.Popen(f'explorer /select,"{place}"')
        elif sys.platform == "darwin":
            _start("open", "-R", str(place))
        elif not _show_in_file_manager(place):
            _start("xdg-open", str(place.parent))
    elif place.parent.is_dir():
        _hand_over(str(place.parent))
    else:
        raise _file_is_gone(place)


def open_page(file: Path | str) -> None:
    """Open a page of ours in the browser, by a file that leads there.

    The address holds a one-time code, and other users can read every command line.
    """
    page = Path(file).absolute()
    starter = "open" if sys.platform == "darwin" else "xdg-open"
    # Without the desktop's starter Python may still find a browser by its name.
    if sys.platform == "win32" or shutil.which(starter) is None:
        webbrowser.open(page.as_uri())
    else:
        _hand_over(str(page))


def can_run(file: Path) -> bool:
    """Whether opening could run something: by its ending, its target's ending, or its x bit."""
    # A link named film.mp4 may lead to a program.
    names = (file.name, file.resolve().name)
    return any(name.rpartition(".")[2].lower() in RUNNABLE for name in names) or (
        os.name == "posix" and os.access(file, os.X_OK)
    )


def _file_is_gone(path: Path) -> TrayagentError:
    return TrayagentError(
        "gone", f"It is not there any more: {path}", "Fetch it again from the dashboard."
    )


def _hand_over(target: str) -> None:
    """Let the desktop choose the program."""
    if sys.platform == "win32":
        os.startfile(target)
    elif sys.platform == "darwin":
        _start("open", target)
    else:
        _start("xdg-open", target)


def _show_in_file_manager(file: Path) -> bool:
    """Ask the desktop's file manager over D-Bus; False when none answers."""
    if sys.platform != "linux":
        return False
    from trayagent.desktop.tray.session_bus import call_service

    # xdg-open knows folders only; this interface selects the file in them (File Manager D-Bus Interface).
    name = "org.freedesktop.FileManager1"
    ask = call_service(
        name, "/org/freedesktop/FileManager1", name, "ShowItems", "ass", [file.as_uri()], ""
    )
    # A file manager that hangs costs a daemon thread, not the caller.
    answers: list[bool] = []
    thread = threading.Thread(
        target=lambda: answers.append(asyncio.run(ask)), name="file manager", daemon=True
    )
    thread.start()
    thread.join(FILE_MANAGER_SECONDS)
    return answers == [True]


def _start(*command: str) -> None:
    """Start a program of the desktop and leave it to itself."""
    # A session of its own: the viewer outlives us, and our Ctrl-C does not reach it.
    quiet = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError as error:
        raise TrayagentError(
            "cannot_open", f"{command[0]} is not installed.", "sudo apt install xdg-utils"
        ) from error
    try:
        code = process.wait(START_FAILS_SECONDS)
    except subprocess.TimeoutExpired:
        # Somebody must wait for it, or it stays a zombie until we end.
        threading.Thread(target=process.wait, name="viewer", daemon=True).start()
        return
    if code:
        raise TrayagentError(
            "cannot_open",
            f"No program here opens {command[-1]}.",
            "Open it from your file manager.",
        )
