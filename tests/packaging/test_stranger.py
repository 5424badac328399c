"""A stranger with the README, a fresh clone and an empty home gets from the first command to the files."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.packaging.scripts import ROOT, checkout

PYTHON = getattr(sys, "_base_executable", sys.executable)

pytestmark = [pytest.mark.needs("git"), checkout]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `git clone` gives."""
    folder = tmp_path / "trayagent"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def walk(clone: Path, command: str, home: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """One command of the README, in the clone, by somebody who has nothing."""
    home.mkdir(exist_ok=True)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **more}
    words = shlex.split(command.replace("python3", shlex.quote(PYTHON), 1))
    return subprocess.run(
        words, cwd=clone, env=environ, capture_output=True, text=True, check=False, timeout=600
    )


def test_the_readme_has_exactly_two_commands() -> None:
    block = re.search(
        r"## Start\n.*?```\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert block is not None
    assert block[1].split("\n")[:-1] == ["python3 dev.py run", "python3 dev.py test"]


@pytest.mark.timeout(180)
def test_the_demonstration_of_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    # Set-up has its own tests; here this environment's libraries stand for the half minute it takes.
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(clone / ".venv")], check=True)
    site = next((clone / ".venv").glob("lib/python*/site-packages"))
    own = [str(clone), sysconfig.get_path("purelib")]
    (site / "locked.pth").write_text("\n".join(own) + "\n")
    version = "python" + ".".join(map(str, sys.version_info[:2]))
    for name in ("requirements.lock", "requirements-test.lock"):
        (clone / ".venv" / name).write_bytes(
            f"# {version}\n".encode() + (clone / name).read_bytes()
        )
    done = walk(clone, "python3 dev.py run demo", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert "All 31 files" in done.stdout
    assert "Setting up" not in done.stderr
    told = re.search(r"^   (/.+)$", done.stdout, re.MULTILINE)
    assert told is not None
    kept = [path for path in (tmp_path / "home").iterdir() if str(path) != told[1]]
    assert kept == [], "nothing is left in the home but what it says"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_real_set_up_from_nothing(clone: Path, tmp_path: Path) -> None:
    index = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    done = walk(clone, "python3 dev.py run demo", tmp_path / "home", **index)
    assert done.returncode == 0, done.stderr
    assert "Setting up .venv" in done.stderr
    tests = walk(clone, "python3 dev.py test tests/model -q", tmp_path / "home", **index)
    assert tests.returncode == 0, tests.stdout
    assert shutil.which("uv") is None or (clone / ".venv").exists()
