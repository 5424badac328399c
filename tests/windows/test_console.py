"""A console of Windows shows colours only if it obeys them; without one, errors have a window."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.desktop.rig import Desktop, until
from tests.servers.media import Media
from tests.windows.bench import Bench
from tests.windows.person import Person
from tests.windows.screen import keep

pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot"),
    pytest.mark.timeout(240),
]

CONSOLE = r"""
import ctypes, json, subprocess, sys
kernel = ctypes.windll.kernel32
kernel.FreeConsole()
assert kernel.AllocConsole(), ctypes.GetLastError()
kernel.SetConsoleTitleW("trayagent")
console = open("CONOUT$", "w", encoding="utf-8")
kernel.CreateFileW.restype = ctypes.c_void_p
handle = ctypes.c_void_p(kernel.CreateFileW("CONOUT$", 0xC0000000, 3, None, 3, 0, None))

def mode():
    found = ctypes.c_ulong()
    assert kernel.GetConsoleMode(handle, ctypes.byref(found))
    return found.value

before = mode()
for words in sys.argv[1:]:
    console.write(f"C:\\> trayagent {words}\n")
    console.flush()
    # Its output is the console, as in a window that a person has opened.
    command = [sys.executable, "-m", "trayagent", *words.split()]
    assert subprocess.run(command, stdout=console, stderr=console).returncode == 0
screen = (ctypes.c_short * 11)()
assert kernel.GetConsoleScreenBufferInfo(handle, ctypes.byref(screen))
width, lines = screen[0], screen[3]
text = ctypes.create_unicode_buffer(width * lines + 1)
kernel.ReadConsoleOutputCharacterW(
    handle, text, width * lines, ctypes.c_ulong(0), ctypes.byref(ctypes.c_ulong())
)
shown = [text.value[at : at + width].rstrip() for at in range(0, width * lines, width)]
print(json.dumps([before, mode(), shown]), flush=True)
sys.stdin.readline()  # the window stays until it has been looked at
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


def test_a_console_shows_words_and_no_escapes(
    alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    """Wine's says that it obeys escape sequences, and does not: it is left as it was."""
    person = Person(alone, tmp_path / "home", DISPLAY=desktop.env["DISPLAY"])
    with Media() as media, person.running("--headless"):
        assert person.command("add", "--wait", media.url("film.mp4", 3_000_000)).returncode == 0
        person.command("add", "--wait", media.url("clip.mp4", status=404))
        words = ("-c", CONSOLE, "status", "list")
        with alone.start(*words, environment=person.environment) as console:
            assert console.stdout is not None
            assert console.stderr is not None
            answer = console.stdout.readline()
            assert answer, console.stderr.readlines()[-1:]
            before, after, shown = json.loads(answer)
            (window,) = desktop.windows()
            keep(desktop, "windows-console", window)
            assert console.stdin is not None
            console.stdin.close()
            assert console.wait(30) == 0
    page = "\n".join(shown)
    assert "\x1b" not in page
    assert re.search(r"^d1 +completed +3\.0 MB +film\.mp4$", page, re.MULTILINE), page
    assert re.search(r"^d2 +failed +clip\.mp4 ", page, re.MULTILINE), page
    assert after == before


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
