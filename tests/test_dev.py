"""Both commands work from a fresh checkout with nothing but Python, and a second start is instant."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from trayagent import __version__

ROOT = Path(__file__).parent.parent
PYTHON = getattr(sys, "_base_executable", sys.executable)
CACHE = Path.home() / ".cache/pip"  # read before a test gets a home of its own
# A host without ensurepip helps with its own pip. That is also quicker, so most tests go this way.
HOST_PIP = (
    PYTHON,
    "-c",
    "import runpy, sys; sys.modules['ensurepip'] = None; runpy.run_path(sys.argv.pop(1), None, '__main__')",
)


def wheel(folder: Path, name: str) -> str:
    """Make the smallest wheel there is, and return the line that pins it."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    contents = {
        f"{name}.py": "WORD = 'from the locked list'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        record = ""
        for file, text in contents.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            record += f"{file},sha256={digest.decode()},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True)
class Checkout:
    """A checkout with a tiny agent, whose packages come from a folder instead of the network."""

    root: Path
    home: Path
    environment: dict[str, str]

    def command(self, *arguments: str, python: tuple[str, ...] = HOST_PIP) -> tuple[str, ...]:
        """Return the command line of dev.py."""
        return (*python, str(self.root / "dev.py"), *arguments)

    def dev(
        self, *arguments: str, python: tuple[str, ...] = HOST_PIP
    ) -> "subprocess.CompletedProcess[str]":
        """Run dev.py from elsewhere, as a person might."""
        return subprocess.run(
            self.command(*arguments, python=python),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout nobody has set up yet, in a folder whose name needs quoting, and an empty home."""
    root, packages, home = tmp_path / "a checkout", tmp_path / "packages", tmp_path / "home"
    for folder in (root / "trayagent", packages, home):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / "dev.py", root)
    (root / "requirements.lock").write_text(wheel(packages, "locked"))
    (root / "requirements-test.lock").write_text(
        (root / "requirements.lock").read_text() + wheel(packages, "pytest")
    )
    (root / "trayagent/__main__.py").write_text(
        "import sys, locked\nprint(locked.WORD, sys.argv[1:])\n"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": packages.as_uri(),
        "PIP_CONFIG_FILE": os.devnull,
    }
    return Checkout(root, home, environment)


def test_the_first_run_sets_up_and_the_second_finds_it_done(checkout: Checkout) -> None:
    first = checkout.dev("run", "add", "a b", python=(PYTHON,))
    assert (first.returncode, first.stdout) == (0, "from the locked list ['add', 'a b']\n"), (
        first.stderr
    )
    assert "Setting up .venv" in first.stderr
    (checkout.home / "locked.py").write_text("WORD = 'not what lies where the user stands'\n")
    installed = (checkout.root / ".venv").stat().st_mtime_ns
    second = checkout.dev("run", python=(PYTHON,))
    assert (second.stdout, second.stderr) == ("from the locked list []\n", "")
    assert (checkout.root / ".venv").stat().st_mtime_ns == installed
    assert [path.name for path in checkout.home.iterdir()] == ["locked.py"], (
        "nothing is installed outside the checkout"
    )
    assert {path.name for path in checkout.root.iterdir()} == {
        ".venv",
        "dev.py",
        "requirements-test.lock",
        "requirements.lock",
        "trayagent",
    }


@pytest.mark.needs("pip3")
def test_the_test_tools_are_added_to_a_running_environment(checkout: Checkout) -> None:
    assert checkout.dev("run").returncode == 0
    before = (checkout.root / ".venv/pyvenv.cfg").stat().st_ino
    result = checkout.dev("test")
    assert "Adding the test tools" in result.stderr
    assert (checkout.root / ".venv/pyvenv.cfg").stat().st_ino == before
    assert checkout.dev("run").stderr == ""


@pytest.mark.needs("pip3")
def test_a_host_without_ensurepip_helps_with_its_own_pip(checkout: Checkout) -> None:
    result = checkout.dev("run", python=HOST_PIP)
    assert result.stdout == "from the locked list []\n", result.stderr
    assert not list(checkout.root.glob(".venv/lib/*/site-packages/pip"))


def test_debians_own_python_works_too(checkout: Checkout) -> None:
    marked = list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED"))
    if not marked:
        pytest.skip("needs a Python marked as externally managed (PEP 668), as Debian's is")
    result = checkout.dev("run", python=("/usr/bin/python3",))
    assert result.stdout == "from the locked list []\n", result.stderr


@pytest.mark.needs("pip3")
def test_a_tampered_package_is_refused_and_leaves_nothing_that_looks_ready(
    checkout: Checkout,
) -> None:
    lock = checkout.root / "requirements.lock"
    good = lock.read_text()
    lock.write_text(good[:-3] + ("00" if good[-3:-1] != "00" else "11") + "\n")
    refused = checkout.dev("run")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Set-up did not finish" in refused.stderr
    lock.write_text(good)
    assert checkout.dev("run").stdout == "from the locked list []\n"


@pytest.mark.needs("pip3")
def test_two_first_runs_at_once_make_one_environment(checkout: Checkout) -> None:
    both = [
        subprocess.Popen(
            checkout.command("run"),
            env=checkout.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60) for process in both]
    assert [out for out, _ in said] == ["from the locked list []\n"] * 2, said
    assert sum("Setting up" in err for _, err in said) == 1


@pytest.mark.needs("pip3")
def test_a_changed_list_or_a_lost_python_makes_a_new_environment(checkout: Checkout) -> None:
    assert checkout.dev("run").returncode == 0
    with (checkout.root / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert "Setting up" in checkout.dev("run").stderr
    (checkout.root / ".venv/bin/python").unlink()
    result = checkout.dev("run")
    assert "Setting up" in result.stderr
    assert result.stdout == "from the locked list []\n"


def test_an_unknown_command_prints_the_three_there_are(checkout: Checkout) -> None:
    result = checkout.dev("install")
    assert result.returncode == 2
    assert all(f"dev.py {command}" in result.stdout for command in ("run", "test", "bench"))
    assert checkout.dev("--help").returncode == 0


def test_an_old_python_gets_one_sentence() -> None:
    pretend = "import runpy, sys; sys.version_info = (3, 10, 2); runpy.run_path(sys.argv[1])"
    result = subprocess.run(
        [PYTHON, "-c", pretend, str(ROOT / "dev.py")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("trayagent needs Python 3.11 or newer; this is Python ")
    assert result.stderr.count("\n") == 1


@pytest.mark.needs("git")
@pytest.mark.timeout(300)
def test_a_fresh_clone_runs_with_an_empty_home(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout; this tree is a copy")
    home, clone = tmp_path / "home", tmp_path / "clone"
    home.mkdir()
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    subprocess.run(("git", "clone", "-q", ROOT, clone), env=environment, check=True)
    # Only the cache is the person's own: the same files need not travel twice.
    environment["PIP_CACHE_DIR"] = str(CACHE)

    def version() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (PYTHON, clone / "dev.py", "run", "version"),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    first = version()
    if "No matching distribution" in first.stderr:
        pytest.skip("needs the package index, as every first set-up does")
    assert first.returncode == 0, first.stderr
    assert __version__ in first.stdout
    second = version()
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert [path.name for path in home.iterdir()] == [".gitconfig"]
