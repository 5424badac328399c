"""A program with a tray and nothing behind it: snapshots come in as JSON lines, calls go out as lines.

    stub_agent.py KIND [first]

With `first` the tray begins once it has a snapshot.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from typing import cast

import msgspec

from trayagent.desktop.tray.choice import choose_tray
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import Actions, Tray


class PrintedActions:
    """Actions that only say what was asked."""

    def __getattr__(self, name: str) -> object:
        def said(*args: object) -> None:
            print(json.dumps([name, *args]), flush=True)

        return said


def feed(tray: Tray) -> None:
    for line in sys.stdin:
        tray.show(msgspec.json.decode(line, type=Snapshot))
    tray.stop()


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    tray = choose_tray(sys.argv[1], cast("Actions", PrintedActions()))
    signal.signal(signal.SIGTERM, lambda *_: tray.stop())
    if sys.argv[2:] == ["first"]:  # so that the icon is shown in this state at once
        tray.show(msgspec.json.decode(sys.stdin.readline(), type=Snapshot))
    # Said once signals are heard: who reads this line may end us at once.
    print(json.dumps(["tray", repr(tray)]), flush=True)
    threading.Thread(target=feed, args=(tray,), daemon=True).start()
    tray.run()
    print(json.dumps(["end"]), flush=True)


if __name__ == "__main__":
    main()
