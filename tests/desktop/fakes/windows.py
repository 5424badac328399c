"""Just enough of Windows for pystray's backend to be imported and watched on any system.

Every call is noted in `calls`; texts longer than Windows' buffers fail as ctypes fails there.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.desktop.fakes.modules import forget

ANSWERS = {"TrackPopupMenuEx": 0, "GetSystemMetrics": 16}
"""In menus nothing is chosen, and icons are small."""
IMPORTED = ("pystray._win32", "pystray._util.win32", "trayagent.desktop.tray.win32")
Call = tuple[str, tuple[Any, ...]]


class Function:
    """A function of a DLL: notes its call, and answers something true unless `ANSWERS` knows better."""

    def __init__(self, name: str, calls: list[Call]) -> None:
        self.name, self.calls = name, calls
        self.argtypes: Any = None
        self.restype: Any = None
        self.errcheck: Any = None

    def __call__(self, *args: Any) -> int:
        self.calls.append((self.name, args))
        return ANSWERS.get(self.name, len(self.calls) + 1000)


class Dll:
    """A DLL in which everything is found."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Function:
        made = Function(name, self._calls)
        setattr(self, name, made)
        return made


@contextmanager
def windows() -> Iterator[tuple[ModuleType, list[Call]]]:
    """Our Windows adapter, imported against the fake; yields it and the calls."""
    calls: list[Call] = []
    dlls: dict[str, Dll] = {}

    class Loader:
        def __init__(self, *_: Any) -> None: ...

        def __getattr__(self, name: str) -> Dll:
            return dlls.setdefault(name, Dll(calls))

    def functype(*types: Any) -> Callable[..., Any]:
        made: Callable[..., Any] = ctypes.CFUNCTYPE(*types)
        return made

    fakes = {
        "WinDLL": Dll(calls).__class__,
        "LibraryLoader": Loader,
        "WINFUNCTYPE": functype,
        "WinError": lambda *_: OSError("windows"),
        "HRESULT": ctypes.c_long,
        "windll": Loader(),
    }
    importlib.import_module("trayagent.desktop.tray.icon_tray")
    forget(*IMPORTED)  # on Windows, the real one came along
    missing = object()
    before = {name: getattr(ctypes, name, missing) for name in fakes}
    for name, fake in fakes.items():
        setattr(ctypes, name, fake)
    try:
        yield importlib.import_module("trayagent.desktop.tray.win32"), calls
    finally:
        for name, value in before.items():
            if value is missing:
                delattr(ctypes, name)
            else:
                setattr(ctypes, name, value)
        forget(*IMPORTED)
