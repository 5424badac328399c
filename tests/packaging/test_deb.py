"""The Debian package installs, runs and goes without a trace in a fresh root; a stand-in takes the program's place."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs
from tests.packaging.scripts import script
from trayagent.desktop import native_messaging

check, deb = script("check"), script("deb")
DEPENDS = ("libc6", "zlib1g", "ca-certificates")
STATUS = """\
Package: {name}
Status: install ok installed
Architecture: {machine}
Version: 2.99
Maintainer: nobody
Description: stands for what was copied here, or is not needed

"""


def is_root() -> bool:
    """Whether we may make devices and enter another root."""
    return sys.platform != "win32" and os.geteuid() == 0


def root_made(folder: Path) -> Path:
    """A root with nothing in it but a shell and its library."""
    root = folder / "root"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "tmp", "root"):
        (root / name).mkdir(parents=True)
    shell = Path(shutil.which("dash") or "/bin/sh").resolve()
    needed = subprocess.run(["ldd", shell], capture_output=True, text=True, check=True).stdout
    for name in {str(shell), *(word for word in needed.split() if word.startswith("/"))}:
        deb.put(root / name.lstrip("/"), Path(name).read_bytes())
        (root / name.lstrip("/")).chmod(0o755)
    (root / "bin").mkdir(exist_ok=True)
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to(shell)
    status = [STATUS.format(name=name, machine=deb.machine()) for name in DEPENDS]
    (root / "var/lib/dpkg/status").write_text("".join(status))
    (root / "var/lib/dpkg/available").touch()
    return root


def with_libraries(root: Path) -> Path:
    """The root, with the libraries of the packages that ours depends on, and no others."""
    listed = subprocess.run(
        ["dpkg", "-L", *DEPENDS[:2]], capture_output=True, text=True, check=True
    ).stdout
    for path in map(Path, listed.split()):
        if ".so" in path.name and path.is_file():
            deb.put(root / str(path).lstrip("/"), path.read_bytes())
            (root / str(path).lstrip("/")).chmod(0o755)
    (root / "dev").mkdir()
    if sys.platform != "win32":
        os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    return root


def inside(root: Path, *command: str) -> str:
    """What a program in that root says."""
    done = subprocess.run(
        [programs.find("chroot") or "chroot", root, *command],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": "/root", "PATH": "/usr/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dpkg(root: Path, *words: str | Path) -> None:
    """One step of the package manager, in that root."""
    done = subprocess.run(
        ["dpkg", f"--root={root}", "--force-not-root,bad-path", "--log=/dev/null", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def files(root: Path) -> set[str]:
    """All there is, but what dpkg keeps for itself."""
    return {
        str(path.relative_to(root)) for path in root.rglob("*") if "var/lib/dpkg" not in str(path)
    }


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a program that only says its name."""
    folder = tmp_path_factory.mktemp("deb")
    built: Path = deb.build(check.stand_in(folder, "trayagent"), folder)
    return built


@pytest.mark.needs("dpkg-deb")
@pytest.mark.skipif(
    not is_root(),
    reason="a root of its own needs root: sudo python3 dev.py test tests/packaging",
)
def test_it_installs_runs_and_goes(package: Path, tmp_path: Path) -> None:
    root = root_made(tmp_path)
    before = files(root)
    dpkg(root, "-i", package)
    assert inside(root, "/usr/bin/trayagent", "version") == "trayagent stand-in\n"
    for place in (
        "usr/share/man/man1/trayagent.1.gz",
        "usr/share/applications/trayagent.desktop",
        "usr/share/icons/hicolor/scalable/apps/trayagent.svg",
        "usr/lib/systemd/user/trayagent.service",
        "usr/share/doc/trayagent/THIRD-PARTY.txt.gz",
        "usr/share/trayagent/extension/manifest.json",
    ):
        assert (root / place).exists(), place
    for place in native_messaging.SYSTEM_FOLDERS:
        lines = f"while read -r line; do echo $line; done < /{place}/{native_messaging.HOST}.json"
        manifest = inside(root, "/bin/sh", "-c", lines)
        assert json.loads(manifest)["path"] == f"/{deb.NATIVE_HOST}"
    assert inside(root, f"/{deb.NATIVE_HOST}") == "trayagent stand-in\n"
    (root / "root/Downloads").mkdir()
    dpkg(root, "--purge", "trayagent")
    assert files(root) == before | {"root/Downloads"}, "downloads stay, and nothing else"


@pytest.mark.needs("dpkg-deb")
def test_who_owns_what_and_who_may_write(package: Path) -> None:
    listing = subprocess.run(
        ["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    assert {row[1] for row in rows} == {"root/root"}
    assert {row[0] for row in rows} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    programs = [row[5] for row in rows if row[0] == "-rwxr-xr-x"]
    assert programs == [f"./{deb.NATIVE_HOST}", "./usr/lib/trayagent/trayagent"]
    scripts = subprocess.run(
        ["dpkg-deb", "--ctrl-tarfile", package], capture_output=True, check=True
    ).stdout
    assert b"postinst" not in scripts, "it needs no script that runs as root"
