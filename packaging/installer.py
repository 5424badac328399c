"""The Windows installer, from a folder with the frozen program; makensis compiles it on Linux, too.

python packaging/installer.py FOLDER [OUT [TARGET]]

TARGET is what makensis calls `-XTarget`: x86-unicode, which every NSIS can make and every Windows can
run, or amd64-unicode, for a Windows without 32-bit programs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stamp import ROOT, epoch

from trayagent import __version__


def build(app: Path, out: Path, target: str = "x86-unicode") -> Path:
    """Make the installer of the frozen program in `app`, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    setup = out.absolute() / f"trayagent-{__version__}-setup.exe"
    values = {"VERSION": __version__, "PAYLOAD": app.absolute(), "OUT": setup, "ROOT": ROOT}
    subprocess.run(
        [
            "makensis", "-V2", "-WX", "-INPUTCHARSET", "UTF8", f"-XTarget {target}",
            *(f"-D{name}={value}" for name, value in values.items()),
            str(ROOT / "packaging/windows/trayagent.nsi"),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        check=True,
    )  # fmt: skip
    return setup


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    folder, out, *target = [*sys.argv[1:], "dist"][:2] + sys.argv[3:]
    print(build(Path(folder), Path(out), *target))
