"""The other end of `stub_agent`: start it, feed it snapshots, hear what was clicked, ask its menu."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.desktop.onbus import OnBus
from tests.desktop.rig import Desktop, until
from tests.patience import patience
from trayagent.desktop.tray.snapshot import Snapshot

ROOT = Path(__file__).parents[2]


class Program:
    """A Python program of the tests on a desktop: JSON lines in, JSON lines out."""

    def __init__(self, desktop: Desktop, *command: str) -> None:
        self.desktop = desktop
        with (desktop.home / "stub.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=desktop.env,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.heard: queue.Queue[list[Any]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard.put(json.loads(line))

    def say(self, value: object) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(value).decode() + "\n")
        self.process.stdin.flush()

    def next(self, within: float = 5) -> list[Any]:
        """What it says next."""
        return self.heard.get(timeout=patience(within))

    def log(self) -> str:
        """What it wrote to its log."""
        return (self.desktop.home / "stub.log").read_text()

    def close(self) -> None:
        """End it, and close the pipes."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Stub(Program, OnBus):
    """A running tray with nothing behind it."""

    def __init__(self, desktop: Desktop, kind: str) -> None:
        super().__init__(desktop, "tests.desktop.stub_agent", kind)
        self.tray = self.next()[1]

    def show(self, snapshot: Snapshot) -> None:
        """Give the tray another snapshot."""
        self.say(snapshot)


@contextlib.contextmanager
def stub(desktop: Desktop, kind: str = "auto") -> Iterator[Stub]:
    """A tray on this desktop, ended at the end."""
    with contextlib.closing(Stub(desktop, kind)) as running:
        yield running


def ready(running: Stub) -> Stub:
    """Wait until the icon is on the bus."""
    until(lambda: running.item("Status") == "Active", "the icon on the bus")
    return running
