"""Wheel and sdist are complete, built to the same bytes from the same tree, and run from a fresh environment."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.packaging.scripts import ROOT, checkout
from trayagent import __version__

PYTHON = getattr(sys, "_base_executable", sys.executable)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(*words: str, folder: Path = ROOT) -> str:
    """What git says."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this checkout as they are, with what a careless person leaves lying about."""
    copy = tmp_path_factory.mktemp("tree")
    for name in git("ls-files", "-co", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    head = copy / ".git"
    git("init", "-q", folder=copy)
    (head / "refs/heads/main").write_text(f"{COMMIT}\n")
    (head / "HEAD").write_text("ref: refs/heads/main\n")
    for stray in (
        "secret.txt",
        "old/dist.whl",
        "trayagent/__pycache__/stale.pyc",
        ".venv/pyvenv.cfg",
    ):
        (copy / stray).parent.mkdir(parents=True, exist_ok=True)
        (copy / stray).write_text("stray")
    return copy


def built(tree: Path, out: Path, *targets: str) -> list[Path]:
    """Build them there."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    options = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), *options]
    done = subprocess.run(
        command, cwd=tree, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return sorted(out.iterdir())


@pytest.fixture(scope="module")
def packages(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Sdist and wheel."""
    wheel, sdist = built(tree, tmp_path_factory.mktemp("dist"), "sdist", "wheel")
    return sdist, wheel


pytestmark = [pytest.mark.needs("git"), checkout]


def test_two_builds_are_the_same(tree: Path, packages: tuple[Path, Path], tmp_path: Path) -> None:
    os.utime(tree / "trayagent/app.py", (1, 1))
    again = built(tree, tmp_path, "sdist", "wheel")
    assert {one.name: one.read_bytes() for one in again} == {
        one.name: one.read_bytes() for one in packages
    }


def test_the_wheel_has_every_file_and_no_other(tree: Path, packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[1]) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert archive.read("trayagent/commit.txt").decode().strip() == COMMIT
    ours = set(
        git("ls-files", "-co", "--exclude-standard", "trayagent", "assets", folder=tree).split("\n")
    )
    wanted = {f"trayagent/{name}" if name.startswith("assets/") else name for name in ours if name}
    assert names == wanted | {"trayagent/commit.txt"}
    assert {"trayagent/hook/static/index.html", "trayagent/assets/extension/manifest.json"} <= names
    assert {"trayagent/assets/icons/trayagent.png", "trayagent/py.typed"} <= names


def test_the_sdist_is_enough_to_work_with(packages: tuple[Path, Path], tmp_path: Path) -> None:
    with tarfile.open(packages[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / f"trayagent-{__version__}"
    for name in (
        "dev.py",
        "requirements.lock",
        "requirements-test.lock",
        "README.md",
        "LICENSE",
        "docs/http.md",
        "tests/conftest.py",
        "packaging/check.py",
        ".ci/run",
    ):
        assert (folder / name).is_file(), name
    assert not [name for name in ("secret.txt", "old", ".venv") if (folder / name).exists()]
    (wheel,) = built(folder, tmp_path / "again", "wheel")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(packages[1]) as other:
        files = [
            {name: archive.read(name) for name in archive.namelist()} for archive in (one, other)
        ]
    record = f"trayagent-{__version__}.dist-info/RECORD"
    lists = [sorted(content.pop(record).splitlines()) for content in files]
    assert lists[0] == lists[1], "the wheel made from the sdist differs"
    assert files[0] == files[1]


def test_what_it_needs_is_said(packages: tuple[Path, Path]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(packages[1]) as archive:
        said = archive.read(f"trayagent-{__version__}.dist-info/METADATA").decode()
    assert said.count("Requires-Dist: ") == sum(
        map(len, [project["dependencies"], *project["optional-dependencies"].values()])
    )
    assert "Requires-Python: >=3.11" in said


@pytest.fixture(scope="module")
def installed(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and the locked libraries of this one behind it."""
    venv = tmp_path_factory.mktemp("installed") / "a venv"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True)
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--python", str(venv)]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-index", "--no-deps", str(packages[1])], check=True
    )
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv


@pytest.mark.needs("pip3")
def test_the_command_knows_its_commit(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed / "bin/trayagent", "version", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    told = json.loads(done.stdout)
    assert (told["version"], told["commit"]) == (__version__, COMMIT)


@pytest.mark.needs("pip3")
@pytest.mark.timeout(120)
def test_the_newcomers_path_works_with_it(installed: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_newcomer.py",
            "-k", "where_the_file_is or dropped_list or dashboard or hands_over",
        ],
        cwd=ROOT,
        env={**os.environ, "PROGRAM_UNDER_TEST": str(installed / "bin/python")},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
