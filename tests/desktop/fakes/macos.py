"""Just enough of AppKit for pystray's backend to be imported and watched on any system.

Every object notes the thread it was called on; AppKit ends a program that calls it from a wrong one.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.desktop.fakes.modules import forget


class Log:
    """What was called, where, and what waits for the main thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.threads: set[int] = set()
        self.later: list[Callable[[], object]] = []

    def note(self, name: str, args: tuple[Any, ...]) -> None:
        self.calls.append((name, args))
        self.threads.add(threading.get_ident())

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def catch_up(self) -> None:
        """Run what was handed to the main thread."""
        while self.later:
            self.later.pop(0)()


def thing(log: Log, name: str) -> Any:
    """An Objective-C object or class: every method exists and answers another one."""

    class Thing:
        def __getattr__(self, method: str) -> Any:
            def call(*args: Any) -> Any:
                log.note(method, args)
                if method == "thickness":
                    return 22.0
                if method == "size":
                    return (22, 22)
                if method == "tag":
                    return self.__dict__["number"]
                return thing(log, f"{name}.{method}")

            return call

        def __call__(self, *args: Any) -> Any:
            log.note(name, args)
            return thing(log, name)

        def __repr__(self) -> str:
            return name

    return Thing()


@contextmanager
def macos() -> Iterator[tuple[ModuleType, Log]]:
    """Our macOS adapter, imported against the fake; yields it and the log."""
    log = Log()

    class NSObject:
        @classmethod
        def alloc(cls) -> NSObject:
            return cls()

        def init(self) -> NSObject:
            return self

    class Namespace(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return thing(log, name)

    foundation = Namespace("Foundation")
    foundation.__dict__["NSObject"] = NSObject
    foundation.__dict__["NSData"] = type(
        "NSData", (), {"dataWithBytes_length_": staticmethod(lambda data, length: data[:length])}
    )
    objc = ModuleType("objc")
    objc.__dict__["namedSelector"] = lambda _name: lambda function: function
    helper = ModuleType("PyObjCTools.AppHelper")
    helper.__dict__["callAfter"] = lambda act, *args: log.later.append(lambda: act(*args))
    signals = ModuleType("PyObjCTools.MachSignals")
    signals.__dict__["signal"] = lambda number, handler: log.note("signal", (number, handler))
    signals.__dict__["getsignal"] = lambda number: None
    tools = ModuleType("PyObjCTools")
    tools.__dict__.update(AppHelper=helper, MachSignals=signals)
    fakes = {
        "AppKit": Namespace("AppKit"),
        "Foundation": foundation,
        "objc": objc,
        "PyObjCTools": tools,
        "PyObjCTools.AppHelper": helper,
        "PyObjCTools.MachSignals": signals,
    }
    importlib.import_module("trayagent.desktop.tray.icon_tray")
    sys.modules.update(fakes)
    try:
        yield importlib.import_module("trayagent.desktop.tray.darwin"), log
    finally:
        forget(*fakes, "pystray._darwin", "trayagent.desktop.tray.darwin")
