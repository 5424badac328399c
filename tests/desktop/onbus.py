"""What a tray's process says over the bus, and what it costs: seen from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.desktop.rig import Desktop

if sys.platform == "linux":
    from dbus_fast import Variant

MENU: Final = "com.canonical.dbusmenu"
ITEM: Final = "org.kde.StatusNotifierItem"
ITEM_PATH: Final = "/StatusNotifierItem"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"


class OnBus:
    """A process with an icon; whoever inherits has its `desktop` and `process`."""

    desktop: Desktop
    process: subprocess.Popen[Any]

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

    @property
    def name(self) -> str:
        """The one of its connections that has the icon; until there is one, a name that nobody has."""
        return next(
            (
                name
                for name in self.desktop.connections(self.process.pid)
                if self.desktop.call(name, ITEM_PATH, PROPERTIES, "Get", "ss", ITEM, "Id")
            ),
            ITEM,
        )

    def item(self, prop: str) -> Any:
        """A property of the icon."""
        answer = self.desktop.call(self.name, ITEM_PATH, PROPERTIES, "Get", "ss", ITEM, prop)
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
        number = self.rows()[label][0]
        self.ask_menu("Event", "isvu", number, "clicked", Variant("i", 0), 0)
