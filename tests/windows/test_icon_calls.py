"""What the tray asks of Windows itself: its icon again from a new or a late Explorer, and whether there are toasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desktop.rig import Desktop
from tests.windows.bench import Bench
from tests.windows.person import Person

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot"),
    pytest.mark.timeout(120),
]

ICON = """
import ctypes, sys, threading, time
from pystray._util import win32
from trayagent.desktop.tray.win32 import WindowsTray

user = ctypes.windll.user32
said, shell = [], win32.Shell_NotifyIcon

def ask(code, data):
    taken = shell(code, data)
    said.append((code, bool(taken)))
    return taken

win32.Shell_NotifyIcon = ask
tray = WindowsTray(type("Actions", (), {"__getattr__": lambda *_: lambda *_: None})())

def until(look, what):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if look():
            return
        time.sleep(0.05)
    print("no", what, said, flush=True)

def act():
    try:
        until(lambda: tray._shown.is_set(), "icon")
        ACT
    finally:
        tray.stop()

threading.Thread(target=act, daemon=True).start()
tray.run()
print("end", flush=True)
"""

EXPLORER_RETURNS = """
        until(lambda: (win32.NIM_ADD, True) in said, "first icon")
        # The taskbar is gone, and with it every icon: Explorer has crashed.
        tray._icon._message(win32.NIM_DELETE, 0)
        said.clear()
        # What Explorer tells all windows once its taskbar is there again.
        user.SendNotifyMessageW(0xFFFF, user.RegisterWindowMessageW("TaskbarCreated"), 0, 0)
        until(lambda: (win32.NIM_ADD, True) in said, "icon again")
        print("again", flush=True)
"""

LATE_EXPLORER = """
        until(lambda: (win32.NIM_ADD, True) in said, "icon at last")
        print("refused", sum(entry == (win32.NIM_ADD, False) for entry in said), flush=True)
"""


def say(bench: Bench, desktop: Desktop, act: str, before: str = "") -> list[str]:
    """What the icon's program prints when it does that."""
    program = before + ICON.replace("        ACT\n", act.lstrip("\n"))
    done = bench.run("-c", program, environment={"DISPLAY": desktop.env["DISPLAY"]})
    assert done.stderr.decode("utf-8", "replace") == ""
    return done.stdout.decode().splitlines()


def test_the_icon_returns_with_a_new_explorer(alone: Bench, desktop: Desktop) -> None:
    assert say(alone, desktop, EXPLORER_RETURNS) == ["again", "end"]


def test_an_explorer_that_is_late_gets_the_icon_when_it_is_there(
    alone: Bench, desktop: Desktop
) -> None:
    """At a busy login the taskbar refuses: here twice, by the answer, then it is the real one's word."""
    refuse = (
        "from pystray._util import win32\n"
        "real, left = win32.Shell_NotifyIcon, [4]\n"
        "def refuse(code, data):\n"
        "    left[0] -= 1\n"
        "    return 0 if left[0] >= 0 else real(code, data)\n"
        "win32.Shell_NotifyIcon = refuse\n"
    )
    assert say(alone, desktop, LATE_EXPLORER, refuse) == ["refused 2", "end"]


def test_the_doctor_looks_whether_there_are_toasts(alone: Bench, tmp_path: Path) -> None:
    checks = Person(alone, tmp_path / "home").json("doctor")
    found = next(check for check in checks["checks"] if check["name"] == "notifications")
    assert found["detail"] == "Balloons at the icon; this Windows has no toasts."
