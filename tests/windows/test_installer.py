"""What people download for Windows: it installs, runs, updates over a running one, and leaves no trace but theirs.

The frozen program is made here, by PyInstaller under Wine, which takes minutes: with --windows --soak.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.desktop.hand import icon
from tests.desktop.rig import Desktop, until
from tests.servers.media import Media, content
from tests.windows.bench import ROOT, Bench
from tests.windows.person import Person
from trayagent.desktop.native_messaging import BROWSERS, HOST

pytestmark = [
    pytest.mark.soak,
    pytest.mark.desktop,
    pytest.mark.needs("makensis", "git", "openbox", "xsetroot"),
    pytest.mark.timeout(3000),
]
KEPT_LOG = ROOT / "docs/windows-installer.txt"
PARTS = ("trayagent", "packaging", "assets", "pyproject.toml", "LICENSE", "requirements.lock")
"""What goes into the program."""
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


class Steps:
    """What was done and seen, each with its time: printed, and kept for docs/ with PICTURES=1."""

    def __init__(self, title: str) -> None:
        self._lines = [title]
        self._began = time.monotonic()

    def note(self, seen: str) -> None:
        """Say what has just been seen."""
        self._lines.append(f"{time.monotonic() - self._began:6.1f} s  {seen}")
        self._began = time.monotonic()
        print(self._lines[-1])

    def keep(self) -> None:
        """Write it into the documentation, if that was asked for."""
        if os.environ.get("PICTURES"):
            KEPT_LOG.write_text("\n".join(self._lines) + "\n", "utf-8")


def git(*words: str) -> bytes:
    """What git answers of this checkout."""
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def setup(bench: Bench) -> Path:
    """The installer of this commit; commits that differ in other things only share one."""
    state = hashlib.sha256(git("rev-parse", *(f"HEAD:{part}" for part in PARTS))).hexdigest()
    tree = bench.prefix.parent / f"frozen-{state[:12]}"
    if not (tree / "dist/trayagent/trayagentw.exe").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        subprocess.run(["tar", "-x", "-C", str(tree)], input=git("archive", "HEAD"), check=True)
        done = bench.run("packaging/build.py", "app", cwd=tree, seconds=1800)
        made = (tree / "dist/trayagent/trayagentw.exe").exists()
        assert made, done.stderr.decode("utf-8", "replace")[-3000:]
    if not (tree / "installer").exists():
        # Complete or not there at all; and Wine here runs no 32-bit programs.
        words = ["packaging/installer.py", "dist/trayagent", "unfinished", "amd64-unicode"]
        subprocess.run([sys.executable, *words], cwd=tree, check=True)
        (tree / "unfinished").rename(tree / "installer")
    (found,) = (tree / "installer").iterdir()
    return found


def files(bench: Bench) -> set[Path]:
    """Every file of all users, and of Windows' own folders for programs; what is deleted at once aside."""
    drive = bench.prefix / "drive_c"
    found = {
        path
        for top in ("users", "ProgramData", "Program Files")
        for path in (drive / top).rglob("*")
    }
    return {path for path in found if "Temp" not in path.parts}


def test_install_run_update_and_leave(
    setup: Path, alone: Bench, desktop: Desktop, tmp_path: Path
) -> None:
    (user,) = [each for each in alone.prefix.glob("drive_c/users/*") if each.name != "Public"]
    folder = user / "AppData/Local/Programs/trayagent"
    home, display = tmp_path / "home", {"DISPLAY": desktop.env["DISPLAY"]}
    person = Person(alone, home, folder / "trayagent.exe", **display)
    at_the_screen = Person(alone, home, folder / "trayagentw.exe", **display)
    digest = hashlib.sha256(setup.read_bytes()).hexdigest()
    steps = Steps(f"{setup.name}, {setup.stat().st_size / 1e6:.1f} MB, SHA-256 {digest}")

    def install() -> None:
        done = alone.run("/S", program=setup, environment=person.environment, seconds=300)
        assert done.returncode == 0, done

    before = files(alone)
    install()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    steps.note(f"installed for one user: {size:.0f} MB")
    shortcut = [path for path in files(alone) - before if path.name == "trayagent.lnk"]
    assert len(shortcut) == 1, "the Start menu has it"
    found = alone.run("-c", LEFT).stdout.split()
    assert len(found) == 3 + len(BROWSERS), "browsers find us, and so does Windows"
    steps.note("it is in the Start menu, in the list of programs, and known to the browsers")
    assert b"trayagent 0." in person.command("version").stdout
    steps.note("trayagent.exe version: the time from a start to its answer")
    with Media() as media, at_the_screen.running() as agent:
        steps.note("trayagentw.exe run: its hook is ready")
        place = icon(desktop)
        until(lambda: "/welcome#code=" in at_the_screen.opened_pages(), "the welcome page")
        steps.note("its icon is in the tray, and the welcome page was opened")
        person.post("downloads", {"url": media.url("film.bin")})
        film = home / "downloads/film.bin"
        until(film.exists, "the file")
        assert film.read_bytes() == content("film.bin", 10_000)
        steps.note("a POST to its hook became a file")
        desktop.click(place)
        until(lambda: "view=queue" in at_the_screen.opened_pages(), "the dashboard")
        steps.note("a click on the icon opened the dashboard")
        install()
        assert agent.wait(10) == 0
        steps.note("updated over the running one, which ended by itself")
    with at_the_screen.running() as agent:
        assert b"completed" in person.command("list").stdout
        steps.note("started again: it knows the download")
        uninstaller = folder / "uninstall.exe"
        alone.run("/S", program=uninstaller, environment=person.environment, seconds=120)
        until(lambda: not folder.exists(), "an empty place", 60)
        assert agent.wait(10) == 0
        steps.note("removed while it ran: it ended, and its folder is gone")
    assert film.read_bytes() == content("film.bin", 10_000)
    assert alone.run("-c", LEFT).stdout.split() == [], "the registry knows us no more"
    # Windows' own folder for the programs of one user may stay; here it was not there yet.
    assert files(alone) - before <= {folder.parent}
    steps.note("nothing is left on the drive or in the registry but the person's own files")
    steps.keep()
