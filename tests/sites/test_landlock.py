"""What runs inside the page engine's worker reads, writes and reaches nothing but what it needs."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sites.rig import release, resolving
from trayagent.model.errors import DownloadError
from trayagent.sites import landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")

INTRUDER = """
import json, os, socket, subprocess, sys
def tried(what):
    try: what(); return "done"
    except OSError as error: return type(error).__name__
def connect(port):
    def act():
        with socket.create_connection(("127.0.0.1", port), 5): pass
    return act
TARGETS = json.load(open(os.path.join(os.path.dirname(__file__), "targets.json")))
here = os.getcwd()
found = {
    "read": tried(lambda: open(TARGETS["secret"]).read()),
    "list": tried(lambda: os.listdir(os.path.dirname(TARGETS["secret"]))),
    "etc": tried(lambda: open("/etc/passwd").read()),
    "environ": tried(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    "overwrite": tried(lambda: open(TARGETS["secret"], "w")),
    "create": tried(lambda: open(os.path.dirname(TARGETS["secret"]) + "/new", "w")),
    "unlink": tried(lambda: os.unlink(TARGETS["secret"])),
    "beside": tried(lambda: open(os.path.dirname(here) + "/beside.mp4", "w")),
    "tmp": tried(lambda: open("/tmp/trayagent-intruder", "w")),
    "itself": tried(lambda: open(__file__, "a")),
    "shell": tried(lambda: subprocess.run(["/bin/sh", "-c", "true"])),
    "connect": tried(connect(TARGETS["port"])),
    "listen": tried(lambda: socket.create_server(("127.0.0.1", 0)).close()),
    "kill": tried(lambda: os.kill(os.getppid(), 0)),
    "gateway": tried(connect(TARGETS["gateway"])),
    "own": tried(lambda: open(here + "/own.txt", "w").close()),
    "python": tried(lambda: __import__("sqlite3")),
}
open(here + "/found.json", "w").write(json.dumps(found))
raise SystemExit(json.dumps(found))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def found_by_intruder(tmp_path: Path, listening: int) -> dict[str, Any]:
    own = tmp_path / "own"
    own.mkdir()
    (own / "secret").write_text("precious")
    releases = release(tmp_path / "releases", INTRUDER)
    folder = tmp_path / "downloads"
    async with resolving(folder, releases=releases) as rig:
        targets = {
            "secret": str(own / "secret"),
            "port": listening,
            "gateway": rig.gateway._port,
        }
        (package,) = releases.rglob("yt_dlp")
        (package / "targets.json").write_text(json.dumps(targets))
        found: dict[str, Any] = {}

        def note(*_: object) -> None:
            """Nothing comes."""

        page = rig.page("http://video.example/watch")
        scratch = rig.engine._scratch(page.id)
        with pytest.raises(DownloadError):
            await rig.engine._resolve(page, "video.example", note)
        found = json.loads((scratch.path / "found.json").read_text())
    assert (own / "secret").read_text() == "precious"
    assert [path.name for path in own.iterdir()] == ["secret"]
    return found


async def test_an_intruder_gets_nowhere(tmp_path: Path, listening: int) -> None:
    found = await found_by_intruder(tmp_path, listening)
    allowed = {name for name, said in found.items() if said == "done"}
    # Connections are confined from version 4 on, signals to others from version 6 on.
    level = landlock.version()
    beyond = set() if level >= 6 else {"kill"} if level >= 4 else {"kill", "connect", "listen"}
    assert allowed == {"gateway", "own", "python"} | beyond, found


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (0, ""),
        (1, "files, but not connections"),
        (4, "files and connections"),
        (9, "files and connections"),
    ],
)
def test_it_says_what_holds(level: int, said: str) -> None:
    assert landlock.holds(level) == said


def test_only_linux_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert landlock.version() == 0
    assert not landlock.confine([], [], 1)
