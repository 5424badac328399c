"""A console of Windows is asked whether it obeys colours; without one, errors have a window."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop import rig
from tests.desktop.rig import Desktop, until
from tests.windows.bench import Bench
from tests.windows.person import Person

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot"),
    pytest.mark.timeout(120),
]

ASK = """
import ctypes, msvcrt, os, sys
kernel = ctypes.windll.kernel32
kernel.FreeConsole()
assert kernel.AllocConsole(), ctypes.GetLastError()
console = open("CONOUT$", "w", encoding="utf-8")
handle = ctypes.c_void_p(msvcrt.get_osfhandle(console.fileno()))
def mode():
    found = ctypes.c_ulong()
    assert kernel.GetConsoleMode(handle, ctypes.byref(found))
    return found.value
before = mode()
from trayagent.cli.streams import obeys_escapes
print(console.isatty(), before & 4, obeys_escapes(console), mode() & 4, obeys_escapes(sys.stdout))
"""

CTRL_C = """
import _thread, os, pathlib, sys, threading, time
from trayagent.cli.main import main

pressed = []
def press():
    while not pathlib.Path(os.environ["TRAYAGENT_HOME"], "runtime.json").exists():
        time.sleep(0.1)
    time.sleep(3)  # the icon's loop begins a moment after the announcement
    pressed.append(time.monotonic())
    # What the console's own thread does at Ctrl-C: note it, for Python to act on when it next runs.
    _thread.interrupt_main()

threading.Thread(target=press, daemon=True).start()
code = main(["run"])
print("ended", code, time.monotonic() - pressed[0] < 10)
"""

WINDOWLESS = """
import subprocess, sys
program = sys.executable.replace("python.exe", "pythonw.exe")
# As the session starts it: no console, and no stream of ours.
agent = subprocess.Popen(
    [program, "-m", "trayagent", "run"], creationflags=subprocess.DETACHED_PROCESS
)
print(agent.wait(80))
"""


@pytest.fixture
def desktop(alone: Bench) -> Iterator[Desktop]:
    with (
        tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True) as folder,
        rig.desktop(Path(folder) / "d") as running,
    ):
        yield running


def test_a_console_is_asked_to_obey_escapes(alone: Bench, desktop: Desktop) -> None:
    done = alone.run("-c", ASK, environment={"DISPLAY": desktop.env["DISPLAY"]})
    assert done.stdout.split() == [b"True", b"0", b"True", b"4", b"False"], done.stderr


def test_ctrl_c_ends_an_agent_with_a_tray(alone: Bench, desktop: Desktop, tmp_path: Path) -> None:
    """Its main thread waits for messages, in which no Python runs."""
    person = Person(alone, tmp_path / "home")
    environment = {**person.environment, "DISPLAY": desktop.env["DISPLAY"]}
    done = alone.run("-c", CTRL_C, seconds=100, environment=environment)
    last = done.stdout.decode("utf-8", "replace").splitlines()[-1:]
    assert last == ["ended 0 True"], done.stderr.decode("utf-8", "replace")
    assert not person.runtime.exists()


def test_a_start_that_fails_without_a_console_says_why(
    alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    """From the Start menu or the Run key there is no console: a window says it, and the log keeps it."""
    person = Person(alone, tmp_path / "home")
    (person.home / "config.toml").write_text('[downloads]\nfolder = "D:\\Downloads"\n')
    environment = {**person.environment, "DISPLAY": desktop.env["DISPLAY"]}
    with alone.start("-c", WINDOWLESS, environment=environment) as process:
        find = ["search", "--onlyvisible", "--name", "^trayagent$"]
        until(lambda: desktop.asked(*find), "the window", 30)
        desktop.xdo(*find, "windowactivate", "--sync")
        desktop.key("Return")
        out, err = process.communicate(timeout=60)
    assert out.split() == [b"2"], err
    assert "Write paths in single quotes: 'D:\\Downloads'." in person.log()
