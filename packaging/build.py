"""Build what people install, into dist/: the same commit gives the same bytes.

    python packaging/build.py wheel       wheel and sdist
    python packaging/build.py app         the frozen program, a folder (for this system)
    python packaging/build.py deb         the Debian package, from the frozen program
    python packaging/build.py installer   the Windows installer, from the frozen program

It needs what requirements-packaging.lock names; docs/install.md says how to get it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from commit import commit_of
from stamp import ROOT, epoch

DIST, WORK = ROOT / "dist", ROOT / "build"
ENVIRON = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), "PYTHONHASHSEED": "0"}


def wheel() -> None:
    """Wheel and sdist."""
    run(sys.executable, "-m", "hatchling", "build", "-d", str(DIST))


def app() -> None:
    """The frozen program: dist/trayagent/."""
    WORK.mkdir(exist_ok=True)
    (WORK / "commit.txt").write_text(f"{commit_of(ROOT) or ''}\n", "ascii")
    spec = str(ROOT / "packaging/trayagent.spec")
    run(
        sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN",
        "--distpath", str(DIST), "--workpath", str(WORK), spec,
    )  # fmt: skip


def deb() -> None:
    """The Debian package."""
    run(sys.executable, str(ROOT / "packaging/deb.py"), str(frozen()), str(DIST))


def installer() -> None:
    """The Windows installer; makensis exists for Linux, too."""
    run(sys.executable, str(ROOT / "packaging/installer.py"), str(frozen()), str(DIST))


def frozen() -> Path:
    """Where the frozen program is; made if it is not there yet."""
    if not (DIST / "trayagent").exists():
        app()
    return DIST / "trayagent"


def run(*command: str) -> None:
    """Run a tool in the checkout; its complaints are the message."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is missing.")
    done = subprocess.run(command, cwd=ROOT, env=ENVIRON, check=False)
    if done.returncode:
        sys.exit(done.returncode)


TARGETS = {target.__name__: target for target in (wheel, app, deb, installer)}

if __name__ == "__main__":
    if not sys.argv[1:] or not TARGETS.keys() >= set(sys.argv[1:]):
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        TARGETS[name]()
