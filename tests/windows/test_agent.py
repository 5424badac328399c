"""A day with the agent on Windows: it fetches, is asked, ends when it says so, and starts with the session."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.rig import until
from tests.patience import patience
from tests.servers.media import Media, content
from tests.windows.bench import Bench, windows_path
from tests.windows.person import Person

NAME = "näme 中文.bin"
READ_RUN_KEY = r"""
import json, winreg
path = r"Software\Microsoft\Windows\CurrentVersion\Run"
with winreg.OpenKey(winreg.HKEY_CURRENT_USER, path) as key:
    print(json.dumps(winreg.QueryValueEx(key, "trayagent")[0]))
"""

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def person(alone: Bench, tmp_path: Path) -> Person:
    """Somebody whose home has a blank and letters of no code page."""
    return Person(alone, tmp_path / "Zuhause 家")


@pytest.fixture
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


def test_a_day(person: Person, media: Media) -> None:
    """Added, dropped, listed for a program, and ended: nothing is left running."""
    with person.running("--headless") as agent:
        url = media.url("a.bin", 300_000)
        assert person.command("add", "--wait", "--filename", NAME, url).returncode == 0
        assert (person.home / "downloads" / NAME).read_bytes() == content("a.bin", 300_000)
        (person.home / "drop" / "list.txt").write_bytes(
            f"{media.url('b.bin')}\r\n".encode("utf-16")
        )
        until((person.home / "drop/done/list.txt").exists, "the list", 30)
        assert (person.home / "downloads/b.bin").read_bytes() == content("b.bin", 10_000)
        listed = person.json("list")
        assert NAME in str(listed)
        said = person.command("list").stdout.decode("utf-8")
        assert NAME in said
        assert "\x1b" not in said
        began = time.monotonic()
        done = person.command("quit")
        assert done.returncode == 0, done.stderr
        assert agent.wait(patience(1)) == 0, "quit returns when the process is gone"
        assert time.monotonic() - began < patience(15)
    assert not person.runtime.exists()
    assert "Traceback" not in person.log()


def test_a_killed_agent_goes_on_where_it_was(person: Person, media: Media) -> None:
    url = media.url("long.bin", 4_000_000, rate=1_000_000)
    with person.running("--headless") as agent:
        assert person.command("add", url).returncode == 0
        part = person.home / "downloads/long.bin.part"
        until(lambda: part.exists() and part.stat().st_size > 1_000_000, "a quarter of it", 30)
        agent.send_signal(signal.SIGKILL)
        agent.wait(10)
    person.runtime.unlink()
    with person.running("--headless"):
        done = person.home / "downloads/long.bin"
        until(done.exists, "the file", 60)
        assert person.command("quit").returncode == 0
    assert done.read_bytes() == content("long.bin", 4_000_000)


def test_the_session_starts_the_agent_of_this_home(person: Person, alone: Bench) -> None:
    """What is in the Run key, started with no environment of ours, is an agent of the same home."""
    assert person.command("autostart", "on").returncode == 0
    line = json.loads(alone.run("-c", READ_RUN_KEY).stdout)
    assert line.endswith(f'run --home "{windows_path(person.home)}"')
    assert person.command("autostart", "off").returncode == 0
    other = Person(alone, person.home, TRAYAGENT_HOME="")
    with other.running("--headless", "--home", windows_path(person.home)):
        assert person.command("status").returncode == 0
        assert person.command("quit").returncode == 0


def test_a_reader_that_goes_away_is_no_error(person: Person, media: Media) -> None:
    urls = [media.url(f"{number}.bin") for number in range(30)]
    words = ("-m", "trayagent", "get", "-o", windows_path(person.home), *urls)
    with person.bench.start(*words, environment=person.environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.wait(30)
