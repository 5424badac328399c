"""Another user of this machine starts the native messaging host as a browser would, and gets nothing out of it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.running import Running, until
from tests.cli.test_native_host import ORIGIN, ask

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)
NOBODY = 65534

# Our Python may lie where he cannot read it: the host has asked once, and so
# loaded all that it needs, before he takes over.
HOST = f"""
import encodings.idna, json, os, sys
from trayagent.cli import desktop, native_host
from trayagent.desktop import opener
his = os.environ["TRAYAGENT_HOME"]
os.environ["TRAYAGENT_HOME"] = sys.argv[1]
assert native_host.answer({{"do": "find"}})["running"]
os.environ["TRAYAGENT_HOME"] = his
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
print(json.dumps([native_host.answer(request) for request in json.loads(sys.stdin.read())]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may look into, as some homes are."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def agent(place: Path) -> Iterator[Running]:
    """An agent with a browser that notes what it was to open."""
    opener = place / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" >> "{place}/opened"\n')
    opener.chmod(0o755)
    home = place / "home"
    home.mkdir(mode=0o755)
    agent = Running(home)
    agent.environ["PATH"] = f"{place}{os.pathsep}{agent.environ['PATH']}"
    with agent:
        yield agent


def ask_as_nobody(agent: Running, home: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What the host answers another user, for a home of his choice."""
    done = subprocess.run(
        [sys.executable, "-c", HOST, str(agent.home)],
        input=json.dumps(requests).encode(),
        env=agent.environ | {"TRAYAGENT_HOME": str(home), "HOME": str(home)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def wish(agent: Running) -> dict[str, Any]:
    """A pairing, on the right port."""
    return {"do": "pair", "name": "Chromium", "origin": ORIGIN, "port": agent.port}


def test_our_token_is_closed_to_him(agent: Running) -> None:
    assert stat.S_IMODE((agent.home / "token").stat().st_mode) == 0o600
    for answer in ask_as_nobody(agent, agent.home, wish(agent), {"do": "dashboard"}):
        assert not answer["ok"]
    assert agent.call("GET", "clients")["clients"] == []


def test_even_with_a_copy_of_it_he_is_refused_at_the_door(agent: Running, place: Path) -> None:
    """The door asks the system whose process that is; what he knows does not count."""
    his = place / "his"
    his.mkdir()
    for name in ("token", "runtime.json"):
        shutil.copy(agent.home / name, his / name)
        os.chown(his / name, NOBODY, NOBODY)
    os.chown(his, NOBODY, NOBODY)
    for answer in ask_as_nobody(agent, his, wish(agent), {"do": "dashboard"}):
        # He does not even get the proof that it is our agent, so to him it is another program's port.
        assert (answer["ok"], answer["code"]) == (False, "not_running")
        assert "Another program" in answer["message"]
    assert agent.call("GET", "clients")["clients"] == []
    assert not (place / "opened").exists()


def test_the_page_that_opens_the_dashboard_is_closed_to_him(agent: Running, place: Path) -> None:
    assert ask(agent, {"do": "dashboard"}) == [{"ok": True}]
    opened = place / "opened"
    said = until(lambda: opened.read_text().strip() if opened.exists() else "")
    page = Path(said.removeprefix("file://"))

    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    read = f"import os; os.setuid({NOBODY}); open({str(page)!r})"
    tried = subprocess.run([sys.executable, "-c", read], capture_output=True, check=False)
    assert b"PermissionError" in tried.stderr
