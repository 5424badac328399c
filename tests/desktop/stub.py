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

from tests.desktop.rig import Desktop, until
from trayagent.desktop.tray.snapshot import Snapshot

ROOT = Path(__file__).parents[2]
MENU = "com.canonical.dbusmenu"
ITEM = "org.kde.StatusNotifierItem"


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
        return self.heard.get(timeout=within)

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


class Stub(Program):
    """A running tray with nothing behind it."""

    def __init__(self, desktop: Desktop, kind: str) -> None:
        super().__init__(desktop, "tests.desktop.stub_agent", kind)
        self.tray = self.next()[1]

    def show(self, snapshot: Snapshot) -> None:
        """Give the tray another snapshot."""
        self.say(snapshot)

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def wakeups(self) -> int:
        """How often any of its threads was switched to, so far."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        total = 0
        for task in tasks.iterdir():
            for line in (task / "status").read_text().splitlines():
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
        return total

    # What the bus says of it

    @property
    def name(self) -> str:
        return f"{ITEM}-{self.process.pid}-1"

    def item(self, prop: str) -> Any:
        """A property of the icon."""
        answer = self.desktop.call(
            self.name,
            "/StatusNotifierItem",
            "org.freedesktop.DBus.Properties",
            "Get",
            "ss",
            ITEM,
            prop,
        )
        return answer and answer[0]

    def ask_menu(self, member: str, signature: str, *body: Any) -> Any:
        return self.desktop.call(self.name, "/MenuBar", MENU, member, signature, *body)

    def layout(self) -> tuple[int, Any]:
        """Revision and root of the menu."""
        revision, root = self.ask_menu("GetLayout", "iias", 0, -1, [])
        return revision, root

    def rows(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Every visible row by its label: its number and properties."""
        found: dict[str, tuple[int, dict[str, Any]]] = {}

        def walk(node: Any) -> None:
            number, properties, children = node
            if properties.get("visible", True):
                found[properties.get("label", "")] = (number, properties)
                for child in children:
                    walk(child)

        walk(self.layout()[1])
        return found

    def top_rows(self) -> list[str]:
        """The labels of the first level, as shown."""
        shown = [props for _n, props, _c in self.layout()[1][2] if props.get("visible", True)]
        return [p["label"].replace("__", "_") for p in shown if p.get("type") != "separator"]

    def press(self, label: str) -> None:
        """Click a row over the bus, as a panel does."""
        from dbus_fast import Variant

        number = self.rows()[label][0]
        self.ask_menu("Event", "isvu", number, "clicked", Variant("i", 0), 0)


@contextlib.contextmanager
def stub(desktop: Desktop, kind: str = "auto") -> Iterator[Stub]:
    """A tray on this desktop, ended at the end."""
    with contextlib.closing(Stub(desktop, kind)) as running:
        yield running


def ready(running: Stub) -> Stub:
    """Wait until the icon is on the bus."""
    until(lambda: running.item("Status") == "Active", "the icon on the bus")
    return running
