"""The frozen program starts fast, is small, and passes the same tests as the source tree, wherever it stands."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.packaging.scripts import PACKAGING, ROOT, script
from tests.packaging.test_deb import is_root

PYTHON = getattr(sys, "_base_executable", sys.executable)
MEGABYTES = 80
SECONDS = 0.5


def entry(*words: str, input: str = "") -> "subprocess.CompletedProcess[str]":
    """Run what the frozen program runs, unfrozen."""
    return subprocess.run(
        [sys.executable, PACKAGING / "entry.py", *words],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, input=input, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_understands_how_its_parts_start_each_other() -> None:
    plain, asked = entry("version"), entry("-m", "trayagent", "version")
    assert plain.stdout.startswith("trayagent ")
    assert asked.stdout == plain.stdout
    worker = entry("sites", "worker", input="no request\n")
    assert "Usage" not in worker.stderr
    assert worker.returncode != 2, "the page engine's process is no command"
    bucket = entry("targets", "bucket-worker")
    assert (bucket.returncode, bucket.stdout, bucket.stderr) == (0, "", ""), (
        "nobody asks it anything"
    )


def test_programs_that_it_starts_get_the_systems_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = script("entry")
    monkeypatch.setattr(frozen, "CERTIFICATES", ("/nowhere", __file__, "/"))
    environ = {"LD_LIBRARY_PATH": "/ours", "LD_LIBRARY_PATH_ORIG": "/theirs", "_PYI_X": "1"}
    frozen.settle(environ)
    assert environ == {"LD_LIBRARY_PATH": "/theirs", "SSL_CERT_FILE": __file__}
    environ = {"LD_LIBRARY_PATH": "/ours", "SSL_CERT_FILE": "/chosen"}
    frozen.settle(environ)
    assert environ == {"SSL_CERT_FILE": "/chosen"}


def test_the_recipe_can_be_read() -> None:
    compile((PACKAGING / "trayagent.spec").read_text("utf-8"), "trayagent.spec", "exec")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the locked tools; the system's own Python, whose C library is what we ask for."""
    venv = tmp_path_factory.mktemp("tools") / "venv"
    base = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    subprocess.run([base, "-m", "venv", "--without-pip", venv], check=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--python",
        venv,
    ]
    listed: list[str | Path] = [
        "--require-hashes",
        "--no-deps",
        "-r",
        ROOT / "requirements-packaging.lock",
    ]
    subprocess.run([*pip, "install", *listed], check=True)
    return venv / "bin/python"


@pytest.fixture(scope="module")
def packages(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dist/ of a fresh clone, with the frozen program and its package in it."""
    clone = tmp_path_factory.mktemp("clone") / "trayagent"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    subprocess.run([tools, "packaging/build.py", "app", "deb"], cwd=clone, check=True)
    return clone / "dist"


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3")
def test_it_is_small_and_starts_fast(packages: Path, tmp_path: Path) -> None:
    app = packages / "trayagent"
    size = sum(
        path.lstat().st_size for path in app.rglob("*") if path.is_file() and not path.is_symlink()
    )
    took = []
    said = b""
    for _ in range(5):
        began = time.monotonic()
        command = [str(app / "trayagent"), "version", "--json"]
        done = subprocess.run(
            command, env={"HOME": str(tmp_path)}, cwd="/", capture_output=True, check=True
        )
        took.append(time.monotonic() - began)
        said = done.stdout
    assert (
        json.loads(said)["commit"] == (packages.parent / ".git/refs/heads/main").read_text().strip()
    )
    (package,) = packages.glob("*.deb")
    print(
        f"{size / 2**20:.0f} MiB, starts in {min(took):.2f} s; .deb {package.stat().st_size / 2**20:.0f} MiB"
    )
    assert size <= MEGABYTES * 2**20
    assert min(took) <= SECONDS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3")
def test_the_unpacked_package_passes_the_tests_of_the_source_tree(
    packages: Path, tmp_path: Path
) -> None:
    (package,) = packages.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, tmp_path / "root"], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/e2e/test_newcomer.py",
         "tests/e2e/test_demo.py", "tests/e2e/test_library.py", "tests/e2e/test_waiting.py", "-m", "not bench"],
        cwd=ROOT,
        env={**os.environ, "PROGRAM_UNDER_TEST": str(tmp_path / "root/usr/lib/trayagent/trayagent")},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3")
@pytest.mark.skipif(not is_root(), reason="a root of its own needs root")
def test_a_root_with_nothing_but_what_it_depends_on(packages: Path, tmp_path: Path) -> None:
    from tests.packaging import test_deb

    (package,) = packages.glob("*.deb")
    root = test_deb.with_libraries(test_deb.root_made(tmp_path))
    before = test_deb.files(root)
    test_deb.dpkg(root, "-i", package)
    assert "All 31 files" in test_deb.inside(root, "/usr/bin/trayagent", "demo")
    test_deb.dpkg(root, "--purge", "trayagent")
    left = {
        name for name in test_deb.files(root) - before if not name.startswith("tmp/trayagent-demo-")
    }
    assert left == set(), "what it downloaded stays, and nothing else"


@pytest.mark.soak
@pytest.mark.desktop
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3", "openbox", "xsetroot", "xfce4-panel")
def test_it_works_on_a_real_panel(packages: Path) -> None:
    from tests.packaging.test_smoke import walks

    walks([str(packages / "trayagent/trayagent")])


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3", "lintian")
def test_lintian_has_nothing_to_say(packages: Path) -> None:
    (package,) = packages.glob("*.deb")
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.needs("dpkg-deb", "git", "pip3")
def test_two_builds_are_the_same(tools: Path, packages: Path) -> None:
    before = {path.name: path.read_bytes() for path in packages.glob("*.deb")}
    subprocess.run(["rm", "-rf", "dist", "build"], cwd=packages.parent, check=True)
    subprocess.run([tools, "packaging/build.py", "app", "deb"], cwd=packages.parent, check=True)
    after = {path.name: path.read_bytes() for path in packages.glob("*.deb")}
    assert after.keys() == before.keys()
    assert after == before, "a second build of the same commit differs"
