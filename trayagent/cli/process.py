"""Another process of this user: whether it runs, and when it has ended."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

POLL_SECONDS: Final = 0.02
"""Between two looks whether a process still runs, where the system cannot be asked to wait."""

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    SYNCHRONIZE: Final = 0x00100000
    ERROR_ACCESS_DENIED: Final = 5
    WAIT_OBJECT_0: Final = 0

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    _kernel.OpenProcess.restype = wintypes.HANDLE
    _kernel.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
    _kernel.WaitForSingleObject.restype = wintypes.DWORD
    _kernel.CloseHandle.argtypes = [wintypes.HANDLE]

    class WindowsProcess:
        """A process by its number; while it is held, no other process can get the number."""

        def __init__(self, pid: int) -> None:
            self._handle = _kernel.OpenProcess(SYNCHRONIZE, False, pid)
            # One that runs with other rights cannot be waited for, but it is there.
            self._refused = not self._handle and ctypes.get_last_error() == ERROR_ACCESS_DENIED

        def __enter__(self) -> Self:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
        ) -> None:
            if self._handle:
                _kernel.CloseHandle(self._handle)

        def has_ended(self, within: float = 0.0) -> bool:
            """Whether it ends within so many seconds. Blocks as long as it does not."""
            if not self._handle:
                return not self._refused
            waited = _kernel.WaitForSingleObject(self._handle, round(within * 1000))
            return bool(waited == WAIT_OBJECT_0)

    Process = WindowsProcess

else:

    class PosixProcess:
        """A process by its number."""

        def __init__(self, pid: int) -> None:
            self._pid = pid

        def __enter__(self) -> Self:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
        ) -> None:
            """Nothing is held."""

        def has_ended(self, within: float = 0.0) -> bool:
            """Whether it ends within so many seconds. Blocks as long as it does not."""
            deadline = time.monotonic() + within
            while self._runs():
                if time.monotonic() >= deadline:
                    return False
                time.sleep(POLL_SECONDS)
            return True

        def _runs(self) -> bool:
            # Signal 0 is only asked whether it could be sent (kill(2)).
            try:
                os.kill(self._pid, 0)
            except ProcessLookupError:
                return False
            except OSError:
                return True  # EPERM: it runs, as another user
            # One that ended but was not yet waited for still has its number (proc(5), state Z).
            try:
                stat = Path(f"/proc/{self._pid}/stat").read_text("utf-8", "replace")
            except OSError:
                return True
            return stat.rpartition(")")[2].split()[0] != "Z"

    Process = PosixProcess
