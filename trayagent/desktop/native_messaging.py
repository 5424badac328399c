"""Native messaging: browsers may start us for our extension, and for no other.

A browser finds the program by a manifest in a place of its own, which names the program and the
extensions that may speak to it. Two kinds of places hold such manifests:

| place                                | written by                    | removed by                     |
|--------------------------------------|-------------------------------|--------------------------------|
| this user's (`register`)             | `trayagent extension`         | `trayagent extension --remove` |
| the system's (packaging, Linux only) | the Debian package            | the Debian package             |

Chrome's documentation, "Native messaging"; MDN, "Native manifests". What is spoken then is in `cli.native_host`.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from trayagent.desktop.autostart import Command

HOST: Final = "org.trayagent.agent"
"""How the extension asks for us."""
CHROMIUM_ID: Final = "dbnbolgofkekndhohmficdkcdkeinkal"
"""Follows from `key` in the extension's manifest."""
FIREFOX_ID: Final = "trayagent@trayagent.local"

Family = Literal["chromium", "firefox"]


class Browser(Struct, frozen=True):
    """Where one browser keeps what belongs to this user; `programs` tell whether it is installed."""

    name: str
    family: Family
    linux: str
    darwin: str
    registry: str
    programs: tuple[str, ...]


BROWSERS: Final = (
    Browser(
        "Chromium", "chromium", ".config/chromium", "Chromium", r"Chromium",
        ("chromium", "chromium-browser"),
    ),
    Browser(
        "Chrome", "chromium", ".config/google-chrome", "Google/Chrome", r"Google\Chrome",
        ("google-chrome", "google-chrome-stable"),
    ),
    Browser(
        "Edge", "chromium", ".config/microsoft-edge", "Microsoft Edge", r"Microsoft\Edge",
        ("microsoft-edge", "microsoft-edge-stable"),
    ),
    Browser(
        "Brave", "chromium", ".config/BraveSoftware/Brave-Browser", "BraveSoftware/Brave-Browser",
        r"BraveSoftware\Brave-Browser", ("brave-browser", "brave"),
    ),
    Browser("Firefox", "firefox", ".mozilla", "Mozilla", r"Mozilla", ("firefox", "firefox-esr")),
)  # fmt: skip
SYSTEM_FOLDERS: Final[Mapping[str, Family]] = {
    "etc/chromium/native-messaging-hosts": "chromium",
    "etc/opt/chrome/native-messaging-hosts": "chromium",
    "etc/opt/edge/native-messaging-hosts": "chromium",
    "usr/lib/mozilla/native-messaging-hosts": "firefox",
}
"""Where a package of a Linux system puts its manifests, below the root."""


def manifest(family: Family, program: str) -> bytes:
    """The manifest by which a family of browsers starts `program`."""
    content: dict[str, Any] = {
        "name": HOST,
        "description": "Starts trayagent and pairs this browser with it",
        "path": program,
        "type": "stdio",
    }
    if family == "firefox":
        content["allowed_extensions"] = [FIREFOX_ID]
    else:
        content["allowed_origins"] = [f"chrome-extension://{CHROMIUM_ID}/"]
    return f"{json.dumps(content, indent=2)}\n".encode()


class Registration:
    """The manifests of this user; `folder` is ours and holds the program that they name."""

    def __init__(self, folder: Path, user: Path, command: Command) -> None:
        self._folder = folder
        self._user = user
        self._command = command

    def register(self) -> tuple[str, ...]:
        """Tell the browsers that are here; returns their names. Blocks; raises OSError."""
        # Nobody else may write what a browser of this user starts.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        program = self._write_program()
        if sys.platform == "win32":
            # Windows looks in the registry, which names a file; browsers that come later find it, too.
            for browser in BROWSERS:
                file = self._folder / f"{HOST}.{browser.family}.json"
                file.write_bytes(manifest(browser.family, str(program)))
                with winreg.CreateKey(winreg.HKEY_CURRENT_USER, _key_of(browser)) as key:
                    winreg.SetValueEx(key, None, 0, winreg.REG_SZ, str(file))
            return tuple(browser.name for browser in BROWSERS)
        # Only browsers that have been started here, or can be: a folder made for a browser that
        # nobody has would make it look installed, to us as well.
        here = [
            browser
            for browser in BROWSERS
            if self._root(browser).exists() or any(map(shutil.which, browser.programs))
        ]
        for browser in here:
            place = self._place(browser)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(manifest(browser.family, str(program)))
        return tuple(browser.name for browser in here)

    def unregister(self) -> None:
        """No browser starts us any more; harmless where none did. Blocks."""
        if sys.platform == "win32":
            for browser in BROWSERS:
                with contextlib.suppress(OSError):
                    winreg.DeleteKey(winreg.HKEY_CURRENT_USER, _key_of(browser))
        else:
            for browser in BROWSERS:
                self._place(browser).unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _place(self, browser: Browser) -> Path:
        # Chromium's name for the folder is everybody's, but for Firefox on Linux.
        folder = "NativeMessagingHosts"
        if browser.family == "firefox" and sys.platform != "darwin":
            folder = "native-messaging-hosts"
        return self._root(browser) / folder / f"{HOST}.json"

    def _root(self, browser: Browser) -> Path:
        if sys.platform == "darwin":
            return self._user / "Library/Application Support" / browser.darwin
        return self._user / browser.linux

    def _write_program(self) -> Path:
        """A manifest names a program without words of its own, so a script adds them."""
        settings = self._command.environment
        if sys.platform == "win32":
            program = self._folder / "native-host.bat"
            lines = ["@echo off", *(f'set "{key}={value}"' for key, value in settings.items())]
            # A percent sign in a path would begin a variable.
            words = " ".join(f'"{word}"' for word in self._command.words).replace("%", "%%")
            program.write_text("\r\n".join([*lines, f"{words} %*", ""]), "utf-8", newline="")
            return program
        program = self._folder / "native-host"
        lines = [
            "#!/bin/sh",
            "# Browsers start this for the trayagent extension; `trayagent extension --remove` removes it.",
            *(f"export {key}={shlex.quote(value)}" for key, value in settings.items()),
            f'exec {shlex.join(self._command.words)} "$@"',
        ]
        program.write_text("\n".join([*lines, ""]), "utf-8")
        program.chmod(0o700)
        return program


if sys.platform == "win32":
    import contextlib
    import winreg

    def _key_of(browser: Browser) -> str:
        return rf"Software\{browser.registry}\NativeMessagingHosts\{HOST}"


def host_command(executable: str, environ: Mapping[str, str]) -> Command:
    """This program, as a browser shall start it for the extension."""
    home = environ.get("TRAYAGENT_HOME")
    environment = {"TRAYAGENT_HOME": str(Path(home).absolute())} if home else {}
    module = () if getattr(sys, "frozen", False) else ("-m", "trayagent")
    return Command((executable, *module, "native-host"), environment)


def registration(data: Path) -> Registration:
    """The registration of this user; `data` is our own folder."""
    command = host_command(sys.executable, os.environ)
    return Registration(data / "browser", Path.home(), command)
