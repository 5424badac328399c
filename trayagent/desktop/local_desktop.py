"""This computer's desktop, as the dashboard asks for it."""

from __future__ import annotations

import logging
from pathlib import Path

from trayagent.desktop import autostart, browser_extension, folder_chooser, native_messaging, opener
from trayagent.model.errors import TrayagentError
from trayagent.model.extension import ExtensionFiles
from trayagent.settings import Home

log = logging.getLogger(__name__)


class LocalDesktop:
    """Shows files and unpacks the extension; all of it blocks for a moment."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def open_file(self, path: Path) -> None:
        """Open a file with its program; raises TrayagentError."""
        opener.open_file(path)

    def open_folder(self, path: Path) -> None:
        """Open the folder of a file, with the file selected; raises TrayagentError."""
        opener.open_folder(path)

    def choose_folder(self, start: Path) -> Path | None:
        """Let the person choose a folder, for some minutes; raises TrayagentError where nothing asks."""
        return folder_chooser.choose(start)

    def refresh_extension(self) -> None:
        """After an update: the extension that a browser has loaded from our folder is of this version, too."""
        try:
            if browser_extension.refresh(browser_extension.folder_in(self._home)):
                log.info("the browser extension is of this version now")
        except (OSError, TrayagentError) as error:
            log.warning("the browser extension stays as it was: %s", error)

    def unpack_extension(self) -> ExtensionFiles:
        """Unpack the browser extension, and let the browsers start us for it. Raises TrayagentError."""
        try:
            native_messaging.registration(self._home.data).register()
            return browser_extension.unpack(browser_extension.folder_in(self._home))
        except OSError as error:
            raise TrayagentError(
                "cannot_unpack",
                f"The extension cannot be written to {error.filename}: {error.strerror}.",
                "Check the folder and its permissions.",
            ) from error

    def starts_with_session(self) -> bool:
        """Whether the session starts this program."""
        return autostart.session_entry().status().enabled

    def start_with_session(self, start: bool) -> None:
        """Let the session start this program from now on, or not. Raises TrayagentError."""
        entry = autostart.session_entry()
        try:
            entry.enable() if start else entry.disable()
        except OSError as error:
            raise TrayagentError(
                "cannot_autostart",
                f"The session's settings cannot be written: {error.strerror}.",
                "See: trayagent autostart status",
            ) from error
