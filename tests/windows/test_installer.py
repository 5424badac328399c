"""What people download for Windows: it installs, runs, updates over a running one, and leaves no trace but theirs.

The frozen program is made here, by PyInstaller under Wine, which takes minutes: with --windows --soak.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.desktop.rig import until
from tests.servers.media import Media, content
from tests.windows.bench import ROOT, Bench
from tests.windows.person import Person
from trayagent.desktop.native_messaging import BROWSERS, HOST

pytestmark = [
    pytest.mark.soak,
    pytest.mark.needs("makensis", "git"),
    pytest.mark.timeout(2400),
]
PROFILE = "drive_c/users"


@pytest.fixture(scope="module")
def setup(bench: Bench) -> Path:
    """The installer of this commit, made once."""
    head = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    tree = bench.prefix.parent / f"frozen-{commit[:12]}"
    made = tree / "dist/trayagent/trayagentw.exe"
    if not made.exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        archive = ["git", "-C", str(ROOT), "archive", "HEAD"]
        packed = subprocess.run(archive, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(tree)], input=packed, check=True)
        done = bench.run("packaging/build.py", "app", cwd=tree, seconds=1800)
        assert made.exists(), done.stderr.decode("utf-8", "replace")[-3000:]
    script = [sys.executable, str(ROOT / "packaging/installer.py")]
    words = [str(made.parent), str(tree / "dist"), "amd64-unicode"]  # Wine here runs no other
    found = subprocess.run([*script, *words], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def installed(bench: Bench) -> Path:
    """Where the installer puts the program for one user."""
    (user,) = [path for path in (bench.prefix / PROFILE).iterdir() if path.name != "Public"]
    return user / "AppData/Local/Programs/trayagent"


def test_install_run_update_and_leave(setup: Path, alone: Bench, tmp_path: Path) -> None:
    folder = installed(alone)
    program = folder / "trayagent.exe"
    person = Person(alone, tmp_path / "home", program)

    def install() -> None:
        done = alone.run("/S", program=setup, environment=person.environment, seconds=300)
        assert done.returncode == 0, done

    began = time.monotonic()
    install()
    assert program.exists()
    found = alone.run("-c", LEFT).stdout.split()
    assert len(found) == 3 + len(BROWSERS), "browsers find us, and so does Windows"
    print(f"installed in {time.monotonic() - began:.0f} s, {setup.stat().st_size / 1e6:.1f} MB")
    assert b"trayagent 0." in person.command("version").stdout
    with Media() as media, person.running("--headless") as agent:
        assert person.command("add", "--wait", media.url("film.bin")).returncode == 0
        install()  # over the running one
        assert agent.wait(10) == 0
    with person.running("--headless") as agent:
        assert b"completed" in person.command("list").stdout
        uninstaller = folder / "uninstall.exe"
        alone.run("/S", program=uninstaller, environment=person.environment, seconds=120)
        until(lambda: not folder.exists(), "an empty place", 60)
        assert agent.wait(10) == 0
    assert (person.home / "downloads/film.bin").read_bytes() == content("film.bin", 10_000)
    registry = alone.run("-c", LEFT).stdout.split()
    assert registry == [], "the registry knows us no more"


LEFT = rf"""
import winreg
for path in (
    r"Software\trayagent", r"Software\Classes\AppUserModelId\trayagent",
    r"Software\Microsoft\Windows\CurrentVersion\Uninstall\trayagent",
    *(rf"Software\{{each}}\NativeMessagingHosts\{HOST}" for each in {[one.registry for one in BROWSERS]}),
):
    try:
        winreg.OpenKey(winreg.HKEY_CURRENT_USER, path)
    except FileNotFoundError:
        continue
    print(path)
"""
