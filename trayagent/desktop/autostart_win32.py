"""Start with the session on Windows: a value of the Run key of this user."""

from __future__ import annotations

import subprocess
import sys

if sys.platform == "win32":
    import contextlib
    import winreg

    from trayagent.desktop.autostart import NAME, Autostart, State

    RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
    APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"

    class RunKey(Autostart):
        """HKCU\\…\\Run; the Task Manager may switch it off besides."""

        def enable(self) -> None:
            with winreg.CreateKey(winreg.HKEY_CURRENT_USER, RUN) as key:
                winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, self._line())
            self._forget(APPROVED)

        def disable(self) -> None:
            self._forget(RUN)

        def status(self) -> State:
            line = self._read(RUN)
            if line is None:
                return State(False)
            approved = self._read(APPROVED)
            off = isinstance(approved, bytes) and bool(approved) and approved[0] % 2 == 1
            return State(not off, None, line != self._line())

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
