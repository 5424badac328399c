"""A tray of Windows on a screen of its own, with nothing behind it: told what to show, asked what was clicked."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from tests.desktop.rig import Desktop, Window
from tests.desktop.stub import Stub
from tests.windows.bench import Bench
from trayagent.desktop.tray.menu import LINE, rows, seat
from trayagent.desktop.tray.snapshot import Snapshot

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


class WindowsStub(Stub):
    """The same program as on a Linux desktop, run by Windows' Python."""

    def __init__(self, bench: Bench, desktop: Desktop, first: Snapshot | None = None) -> None:
        self.desktop = desktop
        words = ("-m", "tests.desktop.stub_agent", "auto", *(["first"] if first else []))
        environment = {"DISPLAY": desktop.env["DISPLAY"], "PYTHONUTF8": "1"}
        started = bench.start(*words, environment=environment)
        assert started.stdin is not None
        assert started.stdout is not None
        self.errors = started.stderr
        self._said: list[bytes] = []
        self.process = cast("subprocess.Popen[str]", started)
        self.process.stdin = io.TextIOWrapper(started.stdin, "utf-8")
        self.process.stdout = io.TextIOWrapper(started.stdout, "utf-8")
        self.heard: queue.Queue[list[Any]] = queue.Queue()
        for listen in (self._listen, self._keep_errors):
            threading.Thread(target=listen, daemon=True).start()
        if first:
            self.show(first)
        self.tray = self.next(within=30)[1]

    def _keep_errors(self) -> None:
        assert self.errors is not None
        with self.errors as lines:
            self._said.extend(lines)

    def log(self) -> str:
        """What it wrote to its log."""
        return b"".join(self._said).decode("utf-8", "replace")


def labels(snapshot: Snapshot) -> list[str]:
    """The rows of the menu for this state, from the top, lines aside."""
    shown = rows(snapshot, seat((), snapshot.board.current))
    return [row.label for row in shown if row != LINE and row.visible]


@contextlib.contextmanager
def windows_tray(
    bench: Bench, desktop: Desktop, first: Snapshot | None = None
) -> Iterator[WindowsStub]:
    """A running tray, ended at the end; `first` is what it shows from its beginning."""
    with contextlib.closing(WindowsStub(bench, desktop, first)) as running:
        yield running


def keep(desktop: Desktop, name: str, window: Window | None = None) -> None:
    """Keep a picture for the documentation, when asked: PICTURES=1 dev.py test --windows."""
    if os.environ.get("PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        desktop.screenshot(window).save(PICTURES / f"{name}.png", optimize=True)
