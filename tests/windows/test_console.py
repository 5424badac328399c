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

BREAK = """
import subprocess, sys, time, pathlib, os, signal
home = pathlib.Path(os.environ["TRAYAGENT_HOME"])
agent = subprocess.Popen(
    [sys.executable, "-m", "trayagent", "run"],
    creationflags=subprocess.CREATE_NEW_PROCESS_GROUP, stdout=subprocess.PIPE,
)
while b"Ctrl-C ends it" not in agent.stdout.readline():
    pass
time.sleep(1)  # the greeting comes just before the icon's loop
began = time.monotonic()
agent.send_signal(signal.CTRL_BREAK_EVENT)
print(agent.wait(30), time.monotonic() - began < 10)
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


def test_ctrl_break_ends_an_agent_with_a_tray(
    alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    person = Person(alone, tmp_path / "home")
    environment = {**person.environment, "DISPLAY": desktop.env["DISPLAY"]}
    done = alone.run("-c", BREAK, seconds=100, environment=environment)
    assert done.stdout.split() == [b"0", b"True"], done.stderr.decode("utf-8", "replace")
    assert not person.runtime.exists()


def test_a_start_that_fails_without_a_console_says_why(
    alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    """From the Start menu or the Run key there is no console: a window says it, and the log keeps it."""
    person = Person(alone, tmp_path / "home")
    (person.home / "config.toml").write_text('[downloads]\nfolder = "D:\\Downloads"\n')
    environment = {**person.environment, "DISPLAY": desktop.env["DISPLAY"]}
    program = alone.python.with_name("pythonw.exe")
    with alone.start(
        "-m", "trayagent", "run", program=program, streams=False, environment=environment
    ) as process:
        until(desktop.windows, "a window", 40)
        desktop.xdo("search", "--sync", "--onlyvisible", "--name", "^trayagent$", "windowactivate")
        desktop.key("Return")
        assert process.wait(20) == 2
    assert "Write paths in single quotes: 'D:\\Downloads'." in person.log()
