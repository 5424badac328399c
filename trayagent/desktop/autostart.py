"""Start with the session: XDG autostart, LaunchAgent, or the Run key of Windows."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

NAME: Final = "trayagent"
LABEL: Final = "org.trayagent.agent"

if sys.platform == "win32":
    import winreg

    RUN: Final = r"Software\Microsoft\Windows\CurrentVersion\Run"
    APPROVED: Final = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"


class Command(Struct, frozen=True):
    """How to start us."""

    words: tuple[str, ...]
    environment: dict[str, str] = {}


class AutostartState(Struct, frozen=True):
    """Whether we start with the session."""

    enabled: bool
    path: Path | None = None
    """The file that says so."""
    stale: bool = False
    """It starts something else than this program."""


class Autostart(ABC):
    """The entry of one system; `command` is what it shall start."""

    def __init__(self, command: Command) -> None:
        self.command = command

    @abstractmethod
    def enable(self) -> None:
        """Start with the session from now on."""

    @abstractmethod
    def disable(self) -> None:
        """Do not; harmless when we did not."""

    @abstractmethod
    def status(self) -> AutostartState:
        """How it is."""

    def repair(self) -> bool:
        """After a move or an update: if an entry starts what is no longer us, let it start us."""
        # An entry that a person switched off stays off, wherever it leads.
        state = self.status()
        if state.enabled and state.stale:
            self.enable()
        return state.enabled and state.stale


class XdgAutostart(Autostart):
    """A desktop entry in the autostart folder (Desktop Application Autostart Specification)."""

    def __init__(self, folder: Path, command: Command) -> None:
        super().__init__(command)
        self._path = folder / f"{NAME}.desktop"

    def enable(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(self._path, desktop_entry(self.command).encode())

    def disable(self) -> None:
        self._path.unlink(missing_ok=True)

    def status(self) -> AutostartState:
        try:
            text = self._path.read_text("utf-8", "replace")
        except OSError:
            return AutostartState(False)
        # Desktops switch an entry off with a line in it, and do not remove it.
        off = re.search(r"^(Hidden=true|X-GNOME-Autostart-enabled=false)\s*$", text, re.MULTILINE)
        return AutostartState(off is None, self._path, text != desktop_entry(self.command))


class LaunchAgent(Autostart):
    """A property list that launchd reads at login (launchd.plist(5))."""

    def __init__(self, folder: Path, command: Command) -> None:
        super().__init__(command)
        self._path = folder / f"{LABEL}.plist"

    def enable(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(self._path, property_list(self.command))

    def disable(self) -> None:
        self._path.unlink(missing_ok=True)

    def status(self) -> AutostartState:
        try:
            content = self._path.read_bytes()
        except OSError:
            return AutostartState(False)
        return AutostartState(True, self._path, content != property_list(self.command))


if sys.platform == "win32":

    class RunKey(Autostart):
        """HKCU\\…\\Run; the Task Manager may switch it off besides."""

        def enable(self) -> None:
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, RUN) as key:
                winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, self._line())
            self._forget(APPROVED)  # asked for anew, it counts for more than an old "off"

        def disable(self) -> None:
            self._forget(RUN)

        def status(self) -> AutostartState:
            line = self._read(RUN)
            if line is None:
                return AutostartState(False)
            approved = self._read(APPROVED)
            # The Task Manager's note: an odd first byte means that a person switched it off.
            off = isinstance(approved, bytes) and bool(approved) and approved[0] % 2 == 1
            return AutostartState(not off, None, line != self._line())

        def _line(self) -> str:
            # A line of the registry has no environment, so the home is told with an option.
            home = self.command.environment.get("TRAYAGENT_HOME")
            words = (*self.command.words, "--home", home) if home else self.command.words
            return subprocess.list2cmdline(words)

        def _forget(self, path: str) -> None:
            rights = winreg.KEY_SET_VALUE
            with (
                contextlib.suppress(OSError),
                winreg.OpenKey(winreg.HKEY_CURRENT_USER, path, 0, rights) as key,
            ):
                winreg.DeleteValue(key, NAME)

        def _read(self, path: str) -> object:
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
                    value: object = winreg.QueryValueEx(key, NAME)[0]
                    return value
            except OSError:
                return None


def session_entry() -> Autostart:
    """The entry of this system for this program."""
    command = our_command(sys.executable, os.environ)
    if sys.platform == "win32":
        return RunKey(command)
    if sys.platform == "darwin":
        return LaunchAgent(Path.home() / "Library" / "LaunchAgents", command)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return XdgAutostart(config / "autostart", command)


def our_command(executable: str, environ: Mapping[str, str]) -> Command:
    """This program, as the session shall start it."""
    home = environ.get("TRAYAGENT_HOME")
    environment = {"TRAYAGENT_HOME": str(Path(home).absolute())} if home else {}
    if getattr(sys, "frozen", False):
        return Command((_windowless(executable), "run"), environment)
    return Command((_windowless(executable), "-m", "trayagent", "run"), environment)


def _windowless(executable: str) -> str:
    """On Windows, the program's twin that opens no console: pythonw.exe, trayagentw.exe."""
    # A console program that the session starts would leave a black window on the screen for good.
    program = Path(executable)
    twin = program.with_name(f"{program.stem}w.exe")
    return str(twin) if twin.exists() else executable


def desktop_entry(command: Command) -> str:
    """The desktop entry that starts it."""
    settings = [f"{key}={value}" for key, value in command.environment.items()]
    words = ["env", *settings, *command.words] if settings else command.words
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=trayagent",
        "Comment=Gets media onto your disk",
        f"Exec={exec_line(words)}",
        "Icon=trayagent",
        "Terminal=false",
        "X-GNOME-Autostart-enabled=true",
    ]
    return "\n".join(lines) + "\n"


def exec_line(words: Sequence[str]) -> str:
    """The words as an Exec value: every word quoted, then escaped as any string of the file.

    Desktop Entry Specification 1.5, "The Exec key".
    """
    # Twice, in this order: a backslash of the quoting is itself a letter of the file.
    # 1. quoting: a percent sign would begin a field code like %U
    # 2. the escapes of any value of type string
    quoted = (re.sub(r'(["`$\\])', r"\\\1", word.replace("%", "%%")) for word in words)
    line = " ".join(f'"{word}"' for word in quoted)
    escapes = {"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
    return "".join(escapes.get(character, character) for character in line)


def property_list(command: Command) -> bytes:
    """The launch agent that starts it."""
    import plistlib  # macOS alone needs it

    content: dict[str, object] = {
        "Label": LABEL,
        "ProgramArguments": list(command.words),
        "RunAtLoad": True,
        "ProcessType": "Interactive",
    }
    if command.environment:
        content["EnvironmentVariables"] = dict(command.environment)
    return plistlib.dumps(content)


def _write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing: a session may start while we write."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
